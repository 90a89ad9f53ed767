package object

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/sse"
	"github.com/cairnstore/cairn/shard"
)

// latest returns the latest version of a key, as lists show it.
func (w *world) latest(key string) *metapb.Version {
	w.t.Helper()
	a, err := w.meta.Read(w.t.Context(), &metapb.Query{Op: &metapb.Query_ListVersions{ListVersions: &metapb.ListVersions{
		Bucket: testBucket, Prefix: key, MaxKeys: 1}}})
	require.NoError(w.t, err)
	require.Len(w.t, a.Versions.Entries, 1)
	return a.Versions.Entries[0].Version
}

func (w *world) transition(key, class string) {
	w.t.Helper()
	done, err := w.Transition(w.t.Context(), &TransitionInput{Bucket: testBucket, Key: key, Version: w.latest(key), Class: class})
	require.NoError(w.t, err)
	require.True(w.t, done)
	require.NoError(w.t, w.meta.state.Check())
}

// A version goes from class to class: its bytes are the same, lie where its class
// belongs, and those that lay elsewhere are let go. No key is needed.
func TestTransition(t *testing.T) {
	for _, k := range []*sse.CustomerKey{nil, testKey('1')} {
		w := newWorld(t, setup{nodes: 8, config: Config{RestoreBulk: 1}})
		bodies := map[string][]byte{"inline": contentOf(100, 1), "single": contentOf(2*testExtent+5, 2), "empty": nil}
		for key, b := range bodies {
			w.put(key, b, k)
		}
		bodies["multi"] = w.multipart("multi", k, contentOf(testExtent+1, 3), contentOf(testExtent, 4), contentOf(10, 5))
		for key, b := range bodies {
			t.Run(fmt.Sprintf("%s sealed=%v", key, k != nil), func(t *testing.T) {
				before, old := w.extents(key), w.latest(key)
				w.transition(key, profile.ClassStandardIA)
				require.Equal(t, before, w.extents(key), "standard data stays where it is")
				w.same(b, key, k)
				w.transition(key, profile.ClassGlacier)
				fresh := w.latest(key)
				require.Equal(t, profile.ClassGlacier, fresh.Attributes.StorageClass)
				require.Equal(t, []any{old.Order, old.Etag, old.ModifiedMs, old.Parts}, []any{fresh.Order, fresh.Etag, fresh.ModifiedMs, fresh.Parts})
				before = slices.DeleteFunc(before, func(e shard.ExtentID) bool { return e == shard.ExtentID{} }) // Inline parts.
				for _, e := range before {
					require.NotContains(t, w.extents(key), e)
				}
				if len(before) > 0 {
					require.Equal(t, "6+2", w.scheme(key))
				}
				w.lose(before)
				w.restoreNow(key, "")
				require.NoError(t, w.Warm(t.Context(), w.onlyRestore()))
				w.same(b, key, k)
				w.expire()
				require.NoError(t, w.EndRestore(t.Context(), w.onlyRestore()))
			})
		}
	}
}

// Where both classes have the same scheme no byte moves.
func TestTransitionInPlace(t *testing.T) {
	w := newWorld(t, setup{nodes: 6})
	w.put("k", contentOf(testExtent, 1), nil)
	before := w.extents("k")
	w.transition("k", profile.ClassGlacier)
	require.Equal(t, before, w.extents("k"))
}

// A version that was replaced, or whose tags the decision was made on changed, keeps
// its class; what was made of the other is let go.
func TestTransitionOfAnother(t *testing.T) {
	w := newWorld(t, setup{nodes: 8})
	w.put("k", contentOf(testExtent, 1), nil)
	old := w.latest("k")
	tagged := old
	require.NoError(t, w.Update(t.Context(), Request{}, &metapb.UpdateVersion{Bucket: testBucket, Key: "k", SetTags: true, Tags: []*metapb.Pair{{Name: "a"}}}))
	in := &TransitionInput{Bucket: testBucket, Key: "k", Version: tagged, Class: profile.ClassGlacier, CheckTags: true}
	done, err := w.Transition(t.Context(), in)
	require.NoError(t, err)
	require.False(t, done)
	w.put("k", contentOf(testExtent, 2), nil)
	in.Version, in.CheckTags = old, false
	done, err = w.Transition(t.Context(), in)
	require.NoError(t, err)
	require.False(t, done)
	require.Equal(t, "4+2", w.scheme("k"))
	require.Zero(t, w.orphans())
	require.NoError(t, w.meta.state.Check())
	_, err = w.Transition(t.Context(), &TransitionInput{Bucket: "none", Key: "k", Version: old, Class: profile.ClassStandardIA})
	require.NoError(t, err)
}
