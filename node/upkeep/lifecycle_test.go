package upkeep

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/cluster/events"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/state"
	"github.com/cairnstore/cairn/s3api/object"
)

const (
	testDay  = 24 * time.Hour
	testPage = 10 // Versions; small, so that borders are cheap.
)

// ruled is a bucket "b" with rules, over the real state machine.
type ruled struct {
	*replica
	t       *testing.T
	ids     int
	expired int
	paused  bool
	l       *lifecycler

	mu    sync.Mutex
	moved []string // Keys and classes; guarded by mu while a round runs.
}

func newRuled(t *testing.T, versioning metapb.Versioning, rules string) *ruled {
	st, err := state.Open(state.Options{FS: vfs.NewMem(), Dir: "meta", CacheBytes: 1 << 20})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	r := &ruled{replica: &replica{t: t, state: st}, t: t}
	r.must(&metapb.Command{Op: &metapb.Command_OpenSession{OpenSession: &metapb.OpenSession{Node: 1, Session: testSession}}})
	r.must(&metapb.Command{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{Bucket: &metapb.Bucket{Name: "a", Owner: "o"}}}})
	r.must(&metapb.Command{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{
		Bucket: &metapb.Bucket{Name: "b", Owner: "owner", Versioning: versioning}}}})
	r.setRules(rules)
	events := events.Filled(Events{Expired: func(n int) { r.expired += n }})
	r.l = newLifecycler(Config{Metadata: r, Transitions: r, Events: events},
		newTracker("lifecycle", 0, func(string) bool { return r.paused }))
	r.l.page = testPage
	return r
}

func (r *ruled) setRules(rules string) {
	r.must(&metapb.Command{Op: &metapb.Command_SetBucketConfig{SetBucketConfig: &metapb.SetBucketConfig{Bucket: "b",
		Parts: []*metapb.ConfigPart{{Name: "lifecycle", Value: []byte("<LifecycleConfiguration>" + rules + "</LifecycleConfiguration>")}}}}})
}

// Propose sets the time of a command, as proposers do.
func (r *ruled) Propose(ctx context.Context, cmd *metapb.Command) (*metapb.Result, error) {
	cmd.TimeMs = time.Now().UnixMilli()
	return r.replica.Propose(ctx, cmd)
}

// Transition implements Transitions as far as the metadata goes.
func (r *ruled) Transition(ctx context.Context, in *object.TransitionInput) (bool, error) {
	r.mu.Lock()
	r.moved = append(r.moved, in.Key+" "+in.Class)
	r.mu.Unlock()
	res, err := r.Propose(ctx, &metapb.Command{Op: &metapb.Command_TransitionVersion{TransitionVersion: &metapb.TransitionVersion{
		Bucket: in.Bucket, Key: in.Key, VersionId: nameOf(in.Version), ContentId: in.Version.ContentId, StorageClass: in.Class, Done: true}}})
	return err == nil && res.Refusal == metapb.Refusal_REFUSAL_NONE, err
}

// put makes an object that is so old.
func (r *ruled) put(key string, age time.Duration, tags ...*metapb.Pair) {
	r.ids++
	id := make([]byte, 16)
	copy(id, fmt.Sprint(r.ids))
	r.must(&metapb.Command{Op: &metapb.Command_PutObject{PutObject: &metapb.PutObject{Bucket: "b", Key: key,
		Version: &metapb.Version{ContentId: id, Size: 1, Etag: "e", ModifiedMs: time.Now().Add(-age).UnixMilli(), Tags: tags}, Part: &metapb.Part{Size: 1, Inline: []byte("x")}}}})
}

// walk does rounds until a walk is over.
func (r *ruled) walk() (rounds int) {
	for {
		rounds++
		require.NoError(r.t, r.l.run(r.t.Context()))
		if r.l.buckets == nil {
			require.NoError(r.t, r.state.Check())
			return rounds
		}
	}
}

// versions lists what the bucket has: keys, with a mark for delete markers and for
// those that are not the latest.
func (r *ruled) versions() (list []string) {
	a, err := r.Read(r.t.Context(), &metapb.Query{Op: &metapb.Query_ListVersions{ListVersions: &metapb.ListVersions{Bucket: "b", MaxKeys: 1000}}})
	require.NoError(r.t, err)
	for _, e := range a.Versions.Entries {
		name := e.Key
		if e.Version.DeleteMarker {
			name += " marker"
		}
		if !e.Latest {
			name += " older"
		}
		list = append(list, name)
	}
	return list
}

func ruleOf(scope, actions string) string {
	return "<Rule>" + scope + "<Status>Enabled</Status>" + actions + "</Rule>"
}

const (
	expiresIn2 = "<Expiration><Days>2</Days></Expiration>"
	olderIn2   = "<NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays></NoncurrentVersionExpiration>"
)

// Objects of a bucket without versions are gone when they expire, and no others.
func TestLifecycleExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // It is midnight.
		r := newRuled(t, metapb.Versioning_VERSIONING_OFF, ruleOf("<Filter><Prefix>tmp/</Prefix></Filter>", expiresIn2)+
			ruleOf("<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>", expiresIn2))
		r.put("kept", 9*testDay)
		r.put("tagged", 9*testDay, &metapb.Pair{Name: "k", Value: "v"})
		r.put("tmp/due", 2*testDay+time.Millisecond)
		r.put("tmp/tomorrow", 2*testDay)
		r.walk()
		require.Equal(t, []string{"kept", "tmp/tomorrow"}, r.versions())
		require.Equal(t, 2, r.expired)
		time.Sleep(testDay)
		r.walk()
		require.Equal(t, []string{"kept"}, r.versions())
	})
}

// In a bucket with versions an object that expires is hidden, older ones go for good,
// and so does the marker once it hides nothing.
func TestLifecycleOfVersions(t *testing.T) {
	effort.SkipLessened(t)
	synctest.Test(t, func(t *testing.T) {
		r := newRuled(t, metapb.Versioning_VERSIONING_ENABLED, ruleOf("<Filter/>", expiresIn2+olderIn2))
		r.put("k", 9*testDay)
		r.put("k", 3*testDay)
		r.put("young", time.Second)
		r.walk()
		require.Equal(t, []string{"k marker", "k older", "young"}, r.versions(), "the newer one of k was made 3 days ago")
		time.Sleep(3*testDay - time.Hour)
		r.walk()
		require.Equal(t, []string{"k marker", "k older", "young marker", "young older"}, r.versions())
		time.Sleep(time.Hour)
		r.walk()
		require.Equal(t, []string{"k marker", "young marker", "young older"}, r.versions())
		time.Sleep(lifecycleEvery)
		r.walk()
		require.Equal(t, []string{"young marker", "young older"}, r.versions(), "the marker hid nothing any more")
		time.Sleep(5 * testDay)
		r.walk()
		require.Equal(t, []string{"young marker"}, r.versions())
	})
}

// Of older versions so many of the newest stay; keys with more of them than a page
// has are judged as others are.
func TestLifecycleKeepsNewerVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRuled(t, metapb.Versioning_VERSIONING_ENABLED, ruleOf("<Filter/>",
			"<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>3</NewerNoncurrentVersions></NoncurrentVersionExpiration>"))
		const many = 2*testPage + 7
		for range many {
			r.put("many", 9*testDay)
		}
		r.put("few", 9*testDay)
		r.put("few", 9*testDay)
		r.walk()
		require.Equal(t, []string{"few", "few older", "many", "many older", "many older", "many older"}, r.versions())
		require.Equal(t, many-4, r.expired)
	})
}

func TestLifecycleMoves(t *testing.T) {
	effort.SkipLessened(t)
	synctest.Test(t, func(t *testing.T) {
		r := newRuled(t, metapb.Versioning_VERSIONING_ENABLED, ruleOf("<Filter/>",
			"<Transition><Days>0</Days><StorageClass>WARM</StorageClass></Transition><Transition><Days>5</Days><StorageClass>COLD</StorageClass></Transition>"+
				"<NoncurrentVersionTransition><NoncurrentDays>1</NoncurrentDays><StorageClass>GLACIER</StorageClass></NoncurrentVersionTransition>"))
		r.put("k", 9*testDay)
		r.put("k", 4*testDay)
		r.put("other", 9*testDay)
		r.walk()
		slices.Sort(r.moved)
		require.Equal(t, []string{"k GLACIER", "k STANDARD_IA", "other GLACIER"}, r.moved)
		r.walk()
		require.Len(t, r.moved, 3, "nothing is left to do")
		time.Sleep(3 * testDay)
		r.walk()
		require.Len(t, r.moved, 4)
		require.Equal(t, "k GLACIER", r.moved[3])
	})
}

// A walk over many keys is cut into rounds, goes on where it stopped, and takes up
// rules that changed with the next one.
func TestLifecycleRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRuled(t, metapb.Versioning_VERSIONING_OFF, ruleOf("<Filter/>", expiresIn2))
		const keys = 3*testPage + 1
		for i := range keys {
			r.put(fmt.Sprintf("%06d", i), 9*testDay)
		}
		r.l.buckets = []string{"b"}
		pages, done, err := r.l.bucket(t.Context(), "b", 2)
		require.NoError(t, err)
		require.Equal(t, 2, pages)
		require.False(t, done)
		require.Equal(t, 2*testPage, r.expired)
		r.paused = true
		require.NoError(t, r.l.run(t.Context()))
		require.Equal(t, 2*testPage, r.expired)
		r.paused = false
		r.setRules(ruleOf("<Filter><Prefix>000030</Prefix></Filter>", expiresIn2))
		r.walk()
		require.Equal(t, 2*testPage+1, r.expired)
		require.EqualValues(t, 2*testPage+1, r.l.t.progress().Done, "those that no rule is about are not looked at")
		require.NotContains(t, r.versions(), "000030")
	})
}

// What fails in one bucket holds up no other, and a walk ends where nobody leads it on.
func TestLifecycleFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRuled(t, metapb.Versioning_VERSIONING_OFF, ruleOf("<Filter/>", expiresIn2))
		r.must(&metapb.Command{Op: &metapb.Command_SetBucketConfig{SetBucketConfig: &metapb.SetBucketConfig{Bucket: "a",
			Parts: []*metapb.ConfigPart{{Name: "lifecycle", Value: []byte("<x")}}}}})
		r.put("k", 9*testDay)
		require.ErrorContains(t, r.l.run(t.Context()), "bucket a: put the rules again")
		require.Empty(t, r.versions())
		require.Nil(t, r.l.buckets)
		require.NoError(t, r.l.run(t.Context()), "it rests")
		time.Sleep(lifecycleEvery)
		require.Error(t, r.l.run(t.Context()))
	})
}

// Where a day is short walks are frequent.
func TestLifecyclePause(t *testing.T) {
	require.Equal(t, lifecycleEvery, walkPause(lifecycleEvery, 0))
	require.Equal(t, lifecycleEvery, walkPause(lifecycleEvery, testDay))
	require.Equal(t, time.Second, walkPause(lifecycleEvery, 8*time.Second))
}
