package admin

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/shard"
)

// What is said to fit is what fits: stripe by stripe, always into the emptiest domains.
func TestStorable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		free := rapid.SliceOfN(rapid.Uint64Range(0, 20), 1, 8).Draw(t, "free")
		s := shard.DefaultScheme(len(free))
		left, stripes := slices.Clone(free), uint64(0)
		for {
			slices.Sort(left)
			slices.Reverse(left)
			if left[s.N()-1] == 0 {
				break
			}
			for i := range s.N() {
				left[i]--
			}
			stripes++
		}
		if got := storable(s, free); got != stripes*uint64(s.K) {
			t.Fatalf("%v under %s: %d, not %d", free, s, got, stripes*uint64(s.K))
		}
	})
	const pi = 1 << 50
	require.EqualValues(t, 4*pi, storable(shard.Scheme{K: 4, M: 2}, []uint64{1024 * pi, pi, pi, pi, pi, pi}),
		"one large node is of no use beyond what the others hold")
}

func TestStatusTellsRoom(t *testing.T) {
	w := newWorld(t)
	s, err := w.as(root).Status(t.Context(), &adminpb.StatusRequest{})
	require.NoError(t, err)
	scheme := shard.DefaultScheme(testNodes)
	require.Equal(t, scheme.String(), s.StorableScheme)
	require.EqualValues(t, testNodes*900/scheme.N()*int(scheme.K), s.StorableBytes)
	w.fake(testNode(2)).silent.Store(true)
	s, err = w.as(root).Status(t.Context(), &adminpb.StatusRequest{})
	require.NoError(t, err)
	require.Equal(t, shard.DefaultScheme(testNodes-1).String(), s.StorableScheme, "what does not answer takes nothing")
}
