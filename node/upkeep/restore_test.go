package upkeep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
)

// fakeRestores is the metadata as far as it lists restores, and what makes and ends
// them.
type fakeRestores struct {
	Metadata

	mu     sync.Mutex
	items  []*metapb.WorkItem // By time.
	warmed []string
	ended  []string
	fails  map[string]error         // Of the key.
	holds  map[string]chan struct{} // Warm of the key waits for it.
	atOnce int
	most   int
}

func (f *fakeRestores) add(key string, ongoing bool, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := &metapb.Restore{Ongoing: ongoing, DueMs: at.UnixMilli(), ExpiresMs: at.UnixMilli()}
	f.items = append(f.items, &metapb.WorkItem{Index: uint64(at.UnixMilli()), Id: []byte(key), Key: key, Version: &metapb.Version{Size: 7, Restore: r}})
	slices.SortFunc(f.items, func(x, y *metapb.WorkItem) int {
		if x.Index != y.Index {
			return int(x.Index) - int(y.Index)
		}
		return strings.Compare(x.Key, y.Key)
	})
}

func (f *fakeRestores) drop(key string) {
	f.items = slices.DeleteFunc(f.items, func(it *metapb.WorkItem) bool { return it.Key == key })
}

func (f *fakeRestores) Read(_ context.Context, q *metapb.Query) (*metapb.Answer, error) {
	w := q.GetListWork()
	if w.GetKind() != metapb.WorkKind_WORK_RESTORES {
		return &metapb.Answer{Work: &metapb.WorkAnswer{}}, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	a := &metapb.WorkAnswer{}
	for _, it := range f.items {
		after := len(w.AfterId) == 0 || it.Index > w.AfterIndex || it.Index == w.AfterIndex && string(it.Id) > string(w.AfterId)
		if !after || it.Index >= w.BeforeIndex {
			continue
		}
		if len(a.Items) == int(w.Max) {
			a.Truncated = true
			break
		}
		a.Items = append(a.Items, it)
	}
	return &metapb.Answer{Work: a}, nil
}

func (f *fakeRestores) Propose(context.Context, *metapb.Command) (*metapb.Result, error) {
	return &metapb.Result{}, nil
}

func (f *fakeRestores) Topology(context.Context) (*meta.Topology, error) {
	return meta.NewTopology(&metapb.ViewAnswer{}), nil
}

func (f *fakeRestores) Warm(ctx context.Context, it *metapb.WorkItem) error {
	f.mu.Lock()
	hold, err := f.holds[it.Key], f.fails[it.Key]
	f.atOnce++
	f.most = max(f.most, f.atOnce)
	f.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.atOnce--
	if err == nil {
		f.warmed = append(f.warmed, it.Key)
		f.drop(it.Key)
	}
	return err
}

func (f *fakeRestores) EndRestore(_ context.Context, it *metapb.WorkItem) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = append(f.ended, it.Key)
	f.drop(it.Key)
	return nil
}

func (f *fakeRestores) done() (warmed, ended []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(slices.Values(f.warmed)), slices.Sorted(slices.Values(f.ended))
}

// restoring starts upkeep with nothing but restores to do.
func restoring(t *testing.T, f *fakeRestores, leads func() bool, failed func(string, error)) *Upkeep {
	return Start(t.Context(), Config{Metadata: f, Restores: f, Leads: leads, Interval: 10 * time.Second, OrphanEvery: time.Hour,
		Terms: hourly, Remember: time.Hour, Voters: noVoters{}, Events: Events{Failed: failed}})
}

type noVoters struct{ Voters }

func (noVoters) Members() []Voter { return nil }

func yes() bool { return true }

func TestRestoresAtTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		f := &fakeRestores{}
		f.add("due", true, start)
		f.add("later", true, start.Add(time.Hour))
		f.add("expired", false, start.Add(-expiredFor))
		f.add("just expired", false, start)
		f.add("restored", false, start.Add(time.Hour))
		u := restoring(t, f, yes, func(job string, err error) { t.Error(job, err) })
		defer u.Stop()
		time.Sleep(11 * time.Second)
		warmed, ended := f.done()
		require.Equal(t, []string{"due"}, warmed)
		require.Equal(t, []string{"expired"}, ended)
		time.Sleep(expiredFor)
		_, ended = f.done()
		require.Equal(t, []string{"expired", "just expired"}, ended)
		time.Sleep(time.Hour)
		warmed, _ = f.done()
		require.Equal(t, []string{"due", "later"}, warmed)
		time.Sleep(expiredFor)
		require.Empty(t, f.items)
	})
}

// A large restore and one that fails hold up none of the others, each is done by one
// goroutine, and there are never too many.
func TestRestoresDoNotHoldUpOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		large := make(chan struct{})
		f := &fakeRestores{holds: map[string]chan struct{}{"large": large}, fails: map[string]error{"broken": errors.New("unreadable")}}
		f.add("large", true, time.Now())
		f.add("broken", true, time.Now())
		for i := range 2 * pageItems {
			f.add(fmt.Sprintf("small %03d", i), true, time.Now())
		}
		var failures []string
		u := restoring(t, f, yes, func(job string, err error) {
			if job == "restore" {
				f.mu.Lock()
				defer f.mu.Unlock()
				failures = append(failures, err.Error())
			}
		})
		time.Sleep(time.Minute + time.Second) // Between two rounds.
		synctest.Wait()
		warmed, _ := f.done()
		require.Len(t, warmed, 2*pageItems)
		require.NotEmpty(t, failures)
		require.LessOrEqual(t, f.most, restoreWorkers)
		require.Equal(t, 1, f.atOnce, "the large one is worked at once")
		close(large)
		time.Sleep(time.Minute)
		warmed, _ = f.done()
		require.Contains(t, warmed, "large")
		u.Stop()
	})
}

// Who leads no longer stops what it has begun, and says nothing of it.
func TestRestoreEndsWithTheLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeRestores{holds: map[string]chan struct{}{"k": nil}}
		f.holds["k"] = make(chan struct{})
		f.add("k", true, time.Now())
		var mu sync.Mutex
		lead := true
		u := restoring(t, f, func() bool { mu.Lock(); defer mu.Unlock(); return lead }, func(job string, err error) { t.Error(job, err) })
		defer u.Stop()
		time.Sleep(15 * time.Second)
		synctest.Wait()
		require.Equal(t, 1, f.atOnce)
		mu.Lock()
		lead = false
		mu.Unlock()
		time.Sleep(leadEvery + time.Second)
		synctest.Wait()
		require.Zero(t, f.atOnce)
		warmed, _ := f.done()
		require.Empty(t, warmed)
	})
}
