package state

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// BenchmarkCompareDrive compares a drive that holds a shard of each of 100,000 extents with
// the metadata: by digests, and by asking about each shard. An op is one comparison of all.
func BenchmarkCompareDrive(b *testing.B) {
	const extents, pageItems = 100_000, 256
	c := benchClient(b, 0)
	leaseFor(b, c, extents)
	for i := range uint64(extents) {
		c.ok(b, putExtent("bucket", benchKey(int(i)), int(i), 1, i+1, 1<<20))
	}
	held := c.m.query(&metapb.Query{Op: &metapb.Query_View{View: &metapb.GetView{}}}).View.Volumes[0].Slots[0]
	b.Run("digests", func(b *testing.B) {
		for b.Loop() {
			var want, got shard.Digest
			for seq := uint64(0); seq != math.MaxUint64; {
				a := c.m.query(&metapb.Query{Op: &metapb.Query_ShardDigest{ShardDigest: &metapb.DigestShards{
					Drive: held, Volume: 1, AfterSeq: seq}}}).ShardDigest
				seq = a.ThroughSeq
				want.Count, want.Sum = want.Count+a.Count, want.Sum+a.Sum
			}
			for seq := range uint64(extents) {
				got.Add(seq+1, shard.SlotSet(0).With(0))
			}
			require.Equal(b, want, got)
		}
	})
	b.Run("each", func(b *testing.B) {
		for b.Loop() {
			for from := uint64(0); from < extents; from += pageItems {
				q := &metapb.KnownExtents{Drive: held}
				for seq := from; seq < min(from+pageItems, extents); seq++ {
					q.Extents = append(q.Extents, &metapb.ExtentSlots{Volume: 1, Seq: seq + 1, Slots: 1})
				}
				a := c.m.query(&metapb.Query{Op: &metapb.Query_KnownExtents{KnownExtents: q}}).Known
				require.NotContains(b, a.Known, false)
			}
		}
	})
}
