package shard_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/shard"
)

// TestDigest: the order does not matter, what is taken out is as never put in, and
// neighbouring sets differ.
func TestDigest(t *testing.T) {
	type one struct {
		seq   uint64
		slots shard.SlotSet
	}
	rapid.Check(t, func(t *rapid.T) {
		set := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) one {
			return one{rapid.Uint64Range(1, 40).Draw(t, "seq"), shard.SlotSet(rapid.Uint32Range(1, 63).Draw(t, "slots"))}
		}), 2, 40, func(o one) uint64 { return o.seq }).Draw(t, "set")
		var d, again shard.Digest
		for _, s := range set {
			d.Add(s.seq, s.slots)
		}
		rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)).Shuffle(len(set), func(i, j int) { set[i], set[j] = set[j], set[i] })
		for _, s := range set {
			again.Add(s.seq, s.slots)
		}
		require.Equal(t, d, again)
		out := set[0]
		again.Remove(out.seq, out.slots)
		require.NotEqual(t, d, again)
		fewer := again
		again.Add(out.seq+100, out.slots)
		require.Equal(t, d.Count, again.Count)
		require.NotEqual(t, d, again, "another shard in the place of one")
		again.Remove(out.seq+100, out.slots)
		require.Equal(t, fewer, again)
	})
}
