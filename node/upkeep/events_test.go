package upkeep

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/notify"
)

// fakeTarget takes messages unless it is away, then only so many of a batch.
type fakeTarget struct {
	mu    sync.Mutex
	away  bool
	takes int // Of a batch, before it fails; 0: all.
	got   []string
	tries []time.Time
}

func (f *fakeTarget) Send(_ context.Context, messages []notify.Message) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tries = append(f.tries, time.Now())
	if f.away {
		return 0, errors.New("away")
	}
	for i, m := range messages {
		if f.takes > 0 && i == f.takes {
			return i, errors.New("full")
		}
		var doc struct{ Key, Event string }
		if err := json.Unmarshal(m.Body, &doc); err != nil {
			return i, err
		}
		f.got = append(f.got, doc.Key+doc.Event)
	}
	return len(messages), nil
}

func (f *fakeTarget) Close() {}

func (f *fakeTarget) set(away bool, takes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away, f.takes = away, takes
}

func (f *fakeTarget) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.got...)
}

// told is a bucket whose events go to two targets, and upkeep that delivers them.
type told struct {
	*ruled
	one, two *fakeTarget
	mu       sync.Mutex
	leads    bool
	failures map[string]int
}

func newTold(t *testing.T) *told {
	w := &told{ruled: newRuled(t, metapb.Versioning_VERSIONING_OFF, ruleOf("<Filter/>", expiresIn2)), one: &fakeTarget{}, two: &fakeTarget{},
		leads: true, failures: map[string]int{}}
	rule := func(target, prefix string) *metapb.EventRule {
		return &metapb.EventRule{Id: target, Target: target, Kinds: 1 << metapb.EventKind_EVENT_PUT, Prefix: prefix}
	}
	w.must(&metapb.Command{Op: &metapb.Command_SetBucketConfig{SetBucketConfig: &metapb.SetBucketConfig{Bucket: "b",
		EventRules: &metapb.EventRules{Rules: []*metapb.EventRule{rule("one", ""), rule("two", "2"), rule("gone", "gone")}}}}})
	return w
}

func (w *told) start(t *testing.T) *Upkeep {
	return Start(t.Context(), Config{Metadata: w, Interval: time.Hour, OrphanEvery: time.Hour, Terms: hourly,
		Remember: time.Hour, Voters: noVoters{}, Targets: w.target,
		Leads: func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.leads },
		Events: Events{Failed: func(job string, err error) { t.Error(job, err) }, Undelivered: func(target string, _ error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.failures[target]++
		}}})
}

func (w *told) target(arn string) notify.Target {
	switch arn {
	case "one":
		return w.one
	case "two":
		return w.two
	}
	return nil
}

func (w *told) failed(target string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failures[target]
}

func (w *told) lead(leads bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leads = leads
}

func (w *told) length(target string) uint64 {
	a, err := w.Read(w.t.Context(), &metapb.Query{Op: &metapb.Query_EventQueues{EventQueues: &metapb.ListEventQueues{}}})
	require.NoError(w.t, err)
	for _, q := range a.EventQueues.Queues {
		if q.Target == target {
			return q.Length
		}
	}
	return 0
}

// Each target is told in order what it asked for, and what it took leaves the queue.
func TestEventsAreDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTold(t)
		w.lead(false)
		u := w.start(t)
		defer u.Stop()
		for _, key := range []string{"1", "2a", "3"} {
			w.put(key, 0)
		}
		time.Sleep(3 * eventsEvery)
		require.Empty(t, w.one.seen(), "this node does not lead")
		w.lead(true)
		time.Sleep(2 * eventsEvery)
		require.Equal(t, []string{"s3:TestEvent", "b/1", "b/2a", "b/3"}, w.one.seen())
		require.Equal(t, []string{"s3:TestEvent", "b/2a"}, w.two.seen())
		require.Zero(t, w.length("one")+w.length("two"))
		require.EqualValues(t, 1, w.length("gone"), "a target that nobody has keeps its events")
		require.NotZero(t, w.failed("gone"))
		require.NoError(t, w.state.Check())
	})
}

// A target that is away loses nothing, is tried less and less often, and holds up no
// other; of a batch that it took in part only the rest is told again.
func TestEventsWaitForTheirTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTold(t)
		w.one.set(true, 0)
		u := w.start(t)
		defer u.Stop()
		for _, key := range []string{"1", "2a", "3", "4"} {
			w.put(key, 0)
		}
		time.Sleep(time.Hour)
		require.Equal(t, []string{"s3:TestEvent", "b/2a"}, w.two.seen())
		require.EqualValues(t, 5, w.length("one"))
		w.one.mu.Lock()
		tries := w.one.tries
		w.one.mu.Unlock()
		require.Less(t, len(tries), 24)
		require.Greater(t, len(tries), 12)
		require.GreaterOrEqual(t, tries[3].Sub(tries[2]), 2*tries[1].Sub(tries[0]))
		w.one.set(false, 2)
		time.Sleep(4 * backoffMax)
		require.Equal(t, []string{"s3:TestEvent", "b/1", "b/2a", "b/3", "b/4"}, w.one.seen())
		require.Zero(t, w.length("one"))
	})
}

// Another leader goes on where the queue stands: nothing is lost.
func TestEventsOutliveALeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTold(t)
		w.one.set(false, 2)
		u := w.start(t)
		for _, key := range []string{"1", "2", "3"} {
			w.put(key, 0)
		}
		time.Sleep(eventsEvery + time.Millisecond)
		u.Stop()
		require.Equal(t, []string{"s3:TestEvent", "b/1"}, w.one.seen())
		w.one.set(false, 0)
		next := w.start(t)
		defer next.Stop()
		time.Sleep(2 * eventsEvery)
		require.Equal(t, []string{"s3:TestEvent", "b/1", "b/2", "b/3"}, w.one.seen())
	})
}
