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

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/state"
)

// abortRules returns the configuration of a bucket whose uploads under a prefix are
// aborted after some days.
func abortRules(prefix string, days int) *metapb.BucketConfig {
	return &metapb.BucketConfig{Parts: []*metapb.ConfigPart{{Name: "lifecycle", Value: fmt.Appendf(nil,
		"<LifecycleConfiguration><Rule><ID>r</ID><Filter><Prefix>%s</Prefix></Filter><Status>Enabled</Status>"+
			"<AbortIncompleteMultipartUpload><DaysAfterInitiation>%d</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>",
		prefix, days)}}}
}

// fakeUploads is the metadata as far as it has open uploads. The id of an upload is
// its bucket and key.
type fakeUploads struct {
	Metadata

	mu      sync.Mutex
	uploads []*metapb.Upload // By id.
	configs map[string]*metapb.BucketConfig
	reads   map[string]int // Of a bucket.
	looked  int            // Uploads listed.
	refuses map[string]bool
	fails   map[string]error // Of a proposal.
	aborted []string
	done    []int // Of the event.
}

func newFakeUploads(configs map[string]*metapb.BucketConfig) *fakeUploads {
	return &fakeUploads{configs: configs, reads: map[string]int{}, refuses: map[string]bool{}, fails: map[string]error{}}
}

func (f *fakeUploads) add(bucket, key string, initiated time.Time) {
	id := bucket + "/" + key
	i, _ := slices.BinarySearchFunc(f.uploads, id, func(u *metapb.Upload, id string) int { return strings.Compare(string(u.Id), id) })
	f.uploads = slices.Insert(f.uploads, i, &metapb.Upload{Id: []byte(id), Bucket: bucket, Key: key, InitiatedMs: initiated.UnixMilli()})
}

func (f *fakeUploads) Read(_ context.Context, q *metapb.Query) (*metapb.Answer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b := q.GetBucket(); b != nil {
		f.reads[b.Name]++
		c, ok := f.configs[b.Name]
		if !ok {
			return &metapb.Answer{Refusal: metapb.Refusal_REFUSAL_NO_SUCH_BUCKET}, nil
		}
		return &metapb.Answer{Bucket: &metapb.Bucket{Name: b.Name}, BucketConfig: c}, nil
	}
	w := q.GetListWork()
	a := &metapb.WorkAnswer{}
	for _, u := range f.uploads {
		if string(u.Id) <= string(w.AfterId) {
			continue
		}
		if len(a.Items) == int(w.Max) {
			a.Truncated = true
			break
		}
		a.Items = append(a.Items, &metapb.WorkItem{Id: u.Id, Bucket: u.Bucket, Key: u.Key, Upload: u})
		f.looked++
	}
	return &metapb.Answer{Work: a}, nil
}

func (f *fakeUploads) Propose(_ context.Context, cmd *metapb.Command) (*metapb.Result, error) {
	c := cmd.GetAbortUpload()
	f.mu.Lock()
	defer f.mu.Unlock()
	id := string(c.UploadId)
	if err := f.fails[id]; err != nil {
		delete(f.fails, id)
		return nil, err
	}
	if f.refuses[id] {
		return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_NO_SUCH_UPLOAD}, nil
	}
	f.uploads = slices.DeleteFunc(f.uploads, func(u *metapb.Upload) bool { return string(u.Id) == id })
	f.aborted = append(f.aborted, id)
	return &metapb.Result{}, nil
}

func (f *fakeUploads) aborter() *aborter {
	return newAborter(Config{Metadata: f, Events: Events{Aborted: func(n int) { f.done = append(f.done, n) }}}.withDefaults())
}

// What is due is aborted, and nothing else; the rules of a bucket are read once a
// round.
func TestAbortsWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // It is midnight.
		now := time.Now()
		f := newFakeUploads(map[string]*metapb.BucketConfig{"a": abortRules("x", 1), "b": nil,
			"c": {Parts: []*metapb.ConfigPart{{Name: "acl", Value: []byte("acl")}}}, "d": abortRules("", 3)})
		f.refuses["d/completed meanwhile"] = true
		f.add("a", "x1", now.Add(-24*time.Hour-time.Millisecond))
		f.add("a", "x2", now.Add(-24*time.Hour)) // The midnight after its initiation is now.
		f.add("a", "y", now.Add(-100*24*time.Hour))
		f.add("b", "x", now.Add(-100*24*time.Hour))
		f.add("c", "x", now.Add(-100*24*time.Hour))
		f.add("d", "x", now.Add(-100*24*time.Hour))
		f.add("d", "completed meanwhile", now.Add(-100*24*time.Hour))
		f.add("d", "young", now.Add(-3*24*time.Hour))
		f.add("gone", "x", now.Add(-100*24*time.Hour))
		a := f.aborter()
		require.NoError(t, a.run(t.Context()))
		require.Equal(t, []string{"a/x1", "d/x"}, f.aborted)
		require.Equal(t, []int{2}, f.done)
		require.Equal(t, map[string]int{"a": 1, "b": 1, "c": 1, "d": 1, "gone": 1}, f.reads)

		require.NoError(t, a.run(t.Context()))
		require.Equal(t, 1, f.reads["a"], "the walk is over, and the next has not begun")
		time.Sleep(abortEvery)
		require.NoError(t, a.run(t.Context()))
		require.Equal(t, 2, f.reads["a"])
		require.Equal(t, []int{2}, f.done)

		time.Sleep(24 * time.Hour)
		require.NoError(t, a.run(t.Context()))
		require.Equal(t, []string{"a/x1", "d/x", "a/x2", "d/young"}, f.aborted)
	})
}

// Rules hold for uploads that were there before them, and no longer once they are
// gone.
func TestAbortRulesChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeUploads(map[string]*metapb.BucketConfig{"a": abortRules("", 9)})
		f.add("a", "k", time.Now())
		a := f.aborter()
		time.Sleep(5 * 24 * time.Hour)
		require.NoError(t, a.run(t.Context()))
		require.Empty(t, f.aborted)
		f.configs["a"] = nil
		time.Sleep(20 * 24 * time.Hour)
		require.NoError(t, a.run(t.Context()))
		require.Empty(t, f.aborted)
		f.configs["a"] = abortRules("k", 1)
		time.Sleep(abortEvery)
		require.NoError(t, a.run(t.Context()))
		require.Equal(t, []string{"a/k"}, f.aborted)
	})
}

// A round looks at so many uploads, and the next goes on after them.
func TestAbortRoundsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const uploads = 2*abortPages*pageItems + 10
		f := newFakeUploads(map[string]*metapb.BucketConfig{"a": abortRules("", 1)})
		for i := range uploads {
			f.uploads = append(f.uploads, &metapb.Upload{Id: fmt.Appendf(nil, "%06d", i), Bucket: "a", InitiatedMs: time.Now().UnixMilli()})
		}
		f.uploads[uploads-1].InitiatedMs = 0
		a := f.aborter()
		for round, want := range []int{abortPages * pageItems, 2 * abortPages * pageItems, uploads, uploads} {
			require.NoError(t, a.run(t.Context()))
			require.Equal(t, want, f.looked, round)
		}
		require.Len(t, f.aborted, 1)
		require.Equal(t, 3, f.reads["a"])
	})
}

// Rules that cannot be read are told of and hold up no other bucket; where the
// metadata fails, the next round goes on.
func TestAbortFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeUploads(map[string]*metapb.BucketConfig{"a": abortRules("", 0), "b": abortRules("", 1)})
		f.fails["b/2"] = errs.New("test", errs.Unavailable, errors.New("no leader"))
		for _, u := range []string{"a/1", "a/2", "b/1", "b/2", "b/3"} {
			bucket, key, _ := strings.Cut(u, "/")
			f.add(bucket, key, time.Unix(0, 0))
		}
		a := f.aborter()
		err := a.run(t.Context())
		require.ErrorContains(t, err, "no leader")
		require.ErrorContains(t, err, "bucket a: put its lifecycle rules again")
		require.Equal(t, 1, strings.Count(err.Error(), "bucket a"))
		require.Equal(t, []string{"b/1"}, f.aborted)
		require.NoError(t, a.run(t.Context()), "it went on where it had failed")
		require.Equal(t, []string{"b/1", "b/2", "b/3"}, f.aborted)
		require.Equal(t, []int{1, 2}, f.done)
	})
}

// replica is the metadata of one node: the state machine without Raft.
type replica struct {
	t     testing.TB
	state *state.State

	mu    sync.Mutex
	index uint64
}

var testSession = []byte("0123456789abcdef")

func (r *replica) Propose(_ context.Context, cmd *metapb.Command) (*metapb.Result, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.index++
	cmd = proto.Clone(cmd).(*metapb.Command)
	cmd.Session, cmd.Seq, cmd.Floor = testSession, r.index, r.index
	b, err := proto.Marshal(cmd)
	require.NoError(r.t, err)
	results, err := r.state.Apply([]state.Entry{{Index: r.index, Term: 1, Command: b}})
	if err != nil {
		return nil, err
	}
	return results[0], nil
}

func (r *replica) Read(_ context.Context, q *metapb.Query) (*metapb.Answer, error) {
	return r.state.Query(q)
}

func (r *replica) Topology(context.Context) (*meta.Topology, error) {
	return meta.NewTopology(&metapb.ViewAnswer{}), nil
}

func (r *replica) must(cmd *metapb.Command) {
	res, err := r.Propose(r.t.Context(), cmd)
	require.NoError(r.t, err)
	require.Equal(r.t, metapb.Refusal_REFUSAL_NONE, res.Refusal, res.Detail)
}

func (r *replica) open() (keys []string) {
	a, err := r.Read(r.t.Context(), &metapb.Query{Op: &metapb.Query_ListUploads{ListUploads: &metapb.ListUploads{Bucket: "b", MaxUploads: 100}}})
	require.NoError(r.t, err)
	for _, e := range a.Uploads.Entries {
		keys = append(keys, e.Upload.Key)
	}
	return keys
}

// All of upkeep over the real state machine: uploads go while this node leads.
func TestAbortOverTheStateMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, err := state.Open(state.Options{FS: vfs.NewMem(), Dir: "meta", CacheBytes: 1 << 20})
		require.NoError(t, err)
		defer func() { require.NoError(t, st.Close()) }()
		r := &replica{t: t, state: st}
		r.must(&metapb.Command{Op: &metapb.Command_OpenSession{OpenSession: &metapb.OpenSession{Node: 1, Session: testSession}}})
		r.must(&metapb.Command{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{Bucket: &metapb.Bucket{Name: "b", Owner: "o"}}}})
		r.must(&metapb.Command{Op: &metapb.Command_SetBucketConfig{SetBucketConfig: &metapb.SetBucketConfig{Bucket: "b", Parts: abortRules("tmp/", 2).Parts}}})
		create := func(n byte, key string, age time.Duration) {
			id := make([]byte, 16)
			id[0] = n
			r.must(&metapb.Command{Op: &metapb.Command_CreateUpload{CreateUpload: &metapb.CreateUpload{
				Upload: &metapb.Upload{Id: id, Bucket: "b", Key: key, InitiatedMs: time.Now().Add(-age).UnixMilli()}}}})
			r.must(&metapb.Command{Op: &metapb.Command_PutPart{PutPart: &metapb.PutPart{UploadId: id, Bucket: "b", Key: key,
				Part: &metapb.Part{Number: 1, Size: 1, Inline: []byte("x")}}}})
		}
		var mu sync.Mutex
		lead, aborted := false, 0
		u := Start(t.Context(), Config{Metadata: r, Interval: time.Minute, OrphanEvery: time.Hour, Terms: hourly,
			Remember: time.Hour, Voters: noVoters{},
			Leads: func() bool { mu.Lock(); defer mu.Unlock(); return lead },
			Events: Events{Failed: func(job string, err error) { t.Error(job, err) },
				Aborted: func(n int) { mu.Lock(); defer mu.Unlock(); aborted += n }}})
		defer u.Stop()

		const day = 24 * time.Hour
		create(1, "tmp/due", 2*day+time.Second)
		create(2, "tmp/tomorrow", 2*day-time.Second)
		create(3, "kept", 9*day)
		time.Sleep(2 * time.Minute)
		require.Equal(t, []string{"kept", "tmp/due", "tmp/tomorrow"}, r.open(), "this node does not lead")
		mu.Lock()
		lead = true
		mu.Unlock()
		time.Sleep(2 * time.Minute)
		require.Equal(t, []string{"kept", "tmp/tomorrow"}, r.open())
		create(4, "tmp/another", 3*day)
		time.Sleep(abortEvery + 2*time.Minute)
		require.Equal(t, []string{"kept", "tmp/tomorrow"}, r.open())
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, 2, aborted)
	})
}

// Where a day of lifecycle rules is short uploads are aborted as soon as the rest is
// done: their walks are as frequent.
func TestAbortsInShortDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const day = 8 * time.Second
		f := newFakeUploads(map[string]*metapb.BucketConfig{"a": abortRules("", 1)})
		a := newAborter(Config{Metadata: f, LifecycleDay: day}.withDefaults())
		f.add("a", "k", time.Now())
		require.NoError(t, a.run(t.Context()))
		require.Empty(t, f.aborted)
		for range 3 * lifecycleWalks {
			time.Sleep(day / lifecycleWalks)
			require.NoError(t, a.run(t.Context()))
		}
		require.Equal(t, []string{"a/k"}, f.aborted)
	})
}
