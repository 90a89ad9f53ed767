package object

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// moveSlots moves the first slots of a volume, one after the other: the first to the
// drive that has none, each other to the one that the slot before it left.
func (w *world) moveSlots(id shard.VolumeID, count int) {
	t, err := w.freshTopology(context.Background())
	require.NoError(w.t, err)
	v := t.Volumes[id]
	var to cluster.DriveID
	for d := range w.drives {
		if !slices.Contains(v.Slots, d) {
			to = d
		}
	}
	for slot := range count {
		epoch := v.Epoch + uint32(slot)
		w.meta.must(&metapb.Command{Op: &metapb.Command_StartMove{StartMove: &metapb.StartMove{
			Volume: uint32(id), Epoch: epoch, Slot: uint32(slot), To: uint64(to)}}})
		w.meta.must(&metapb.Command{Op: &metapb.Command_FinishMove{FinishMove: &metapb.FinishMove{
			Volume: uint32(id), Epoch: epoch, Slot: uint32(slot), To: uint64(to), SeenIndex: 1 << 40}}})
		to = v.Slots[slot]
	}
}

// Slots that move while an extent is written count as missing when it is committed;
// where too few shards are left by that, the extent is written again elsewhere. Either
// way the object reads as it was put.
func TestSlotsMoveBeforeTheCommit(t *testing.T) {
	for _, c := range []struct {
		moved, salvaged int
		missing         uint32
	}{{0, 0, 0}, {1, 0, 1}, {2, 1, 0}} {
		w := newWorld(t, setup{nodes: 7})
		var wrote []shard.ExtentID
		w.meta.before = func(cmd *metapb.Command) error {
			p := cmd.GetPutObject()
			if p == nil || len(p.Extents) == 0 {
				return nil
			}
			wrote = append(wrote, shard.ExtentID{Volume: shard.VolumeID(p.Extents[0].Volume), Seq: p.Extents[0].Seq})
			if len(wrote) == 1 {
				w.moveSlots(wrote[0].Volume, c.moved)
			}
			return nil
		}
		body := make([]byte, testExtent/2)
		for i := range body {
			body[i] = byte(rand.Uint32())
		}
		w.put("k", body, nil)
		w.same(body, "k", nil)
		require.Equal(t, c.salvaged, w.count("salvaged"), "%d slots moved", c.moved)
		require.Len(t, wrote, 1+c.salvaged)
		ids := w.extents("k")
		require.Equal(t, wrote[len(wrote)-1:], ids)
		a, err := w.meta.Read(t.Context(), &metapb.Query{Op: &metapb.Query_Extents{Extents: &metapb.GetExtents{
			Extents: []*metapb.ExtentRef{{Volume: uint32(ids[0].Volume), Seq: ids[0].Seq}}}}})
		require.NoError(t, err)
		require.Equal(t, c.missing, a.Extents.Extents[0].Extent.Missing)
	}
}
