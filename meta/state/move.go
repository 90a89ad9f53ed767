package state

import (
	"fmt"
	"math/bits"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/query"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// changeVolume writes the record of a volume and makes a new view.
func (t *tx) changeVolume(v *metapb.Volume) {
	t.setVolume(v)
	t.views = append(t.views, query.ViewChange{Epoch: t.mem.cluster.ViewEpoch, Volume: v.Id})
	t.newView()
}

// newView makes a new view. What is different in it was noted before (tx.views).
func (t *tx) newView() {
	t.changeCluster(func(rec *metapb.Cluster) { rec.ViewEpoch++ })
}

// setVolume writes the record of a volume and makes no new view. By itself it serves changes that
// no reader of the topology goes by.
func (t *tx) setVolume(v *metapb.Volume) {
	t.mem.volumes[v.Id-1] = v
	t.set(keys.AppendVolume(t.key(), shard.VolumeID(v.Id)), v)
}

// startMove begins to move a slot of a volume to another drive. A rebuild, which copies nothing, is
// refused if the extents could not be made anew without the slot.
func (t *tx) startMove(c *metapb.StartMove) *metapb.Result {
	v := t.mem.volume(shard.VolumeID(c.Volume))
	switch {
	case v == nil:
		return refuse(metapb.Refusal_REFUSAL_NO_SUCH_VOLUME)
	case v.Epoch != c.Epoch:
		return refuse(metapb.Refusal_REFUSAL_STALE_EPOCH)
	case v.Move != nil:
		return refuse(metapb.Refusal_REFUSAL_MOVING)
	case c.Slot >= uint32(len(v.Slots)):
		return invalid("the volume has no such slot")
	case slices.Contains(v.Slots, c.To):
		return invalid("the volume has a slot on that drive already")
	case t.mem.lifeOf(c.To) != metapb.Life_LIFE_ACTIVE:
		return invalid("the drive that is to take the slot is not active")
	case c.Rebuild && !t.mem.mayBeTaken(v, int(c.Slot)):
		return t.mem.notRebuildable(v, int(c.Slot))
	}
	v = proto.Clone(v).(*metapb.Volume)
	v.Move = &metapb.Move{Slot: c.Slot, To: c.To, Rebuild: c.Rebuild, Started: t.position}
	t.changeVolume(v)
	return &metapb.Result{}
}

// finishMove puts a slot on its new drive. It is refused with MOVE_BEHIND if an extent may have got
// a shard on the old drive after the mover had looked at what is there. It is refused too if the slot
// is to be rebuilt, not copied, and more shards were lost since the move began, so that it cannot
// be rebuilt from the others any more.
func (t *tx) finishMove(c *metapb.FinishMove) *metapb.Result {
	v := t.mem.volume(shard.VolumeID(c.Volume))
	switch {
	case v == nil:
		return refuse(metapb.Refusal_REFUSAL_NO_SUCH_VOLUME)
	case v.Move == nil || v.Move.Slot != c.Slot || v.Move.To != c.To || v.Epoch != c.Epoch:
		return refuse(metapb.Refusal_REFUSAL_NO_MOVE)
	case max(v.Move.LastNew, v.Move.Started) > c.SeenIndex:
		return refuse(metapb.Refusal_REFUSAL_MOVE_BEHIND)
	case v.Move.Rebuild && !t.mem.mayBeTaken(v, int(c.Slot)):
		return t.mem.notRebuildable(v, int(c.Slot))
	}
	v = proto.Clone(v).(*metapb.Volume)
	v.Former = t.formers(v)
	v.Epoch++
	if len(v.SlotEpochs) == 0 {
		v.SlotEpochs = make([]uint32, len(v.Slots))
	}
	v.Slots[c.Slot], v.SlotEpochs[c.Slot], v.Move = c.To, v.Epoch, nil
	t.changeVolume(v)
	return &metapb.Result{}
}

// cancelMove ends a move. The slot stays where it is.
func (t *tx) cancelMove(c *metapb.CancelMove) *metapb.Result {
	v := t.mem.volume(shard.VolumeID(c.Volume))
	if v == nil || v.Move == nil || v.Move.Slot != c.Slot || v.Move.To != c.To {
		return refuse(metapb.Refusal_REFUSAL_NO_MOVE)
	}
	v = proto.Clone(v).(*metapb.Volume)
	v.Move = nil
	t.changeVolume(v)
	return &metapb.Result{}
}

// movedSince returns the slots of a volume that have moved after an epoch of it.
func movedSince(v *metapb.Volume, epoch uint32) (slots uint32) {
	for i, e := range v.SlotEpochs {
		if e > epoch {
			slots |= 1 << i
		}
	}
	return slots
}

// missMoved adds to what a new extent misses the slots that have moved since its writer read the
// volume: their shards were written to drives that no longer hold the slots. It refuses an extent
// that is left with less than a quorum of shards by that.
func missMoved(v *metapb.Volume, n *metapb.NewExtent) *metapb.Result {
	moved := movedSince(v, n.VolumeEpoch) &^ n.Extent.Missing
	if moved == 0 {
		return nil
	}
	s := record.SchemeOf(v)
	missing := n.Extent.Missing | moved
	if s.N()-bits.OnesCount32(missing) < s.Quorum() {
		return refuse(metapb.Refusal_REFUSAL_SLOTS_MOVED)
	}
	n.Extent.Missing = missing
	return nil
}

// arrived notes in the move of a volume, if one of these slots is on its way, that an extent may
// have got a shard of it on the old drive. The mover then has to look at the extents once more.
func (t *tx) arrived(volume shard.VolumeID, slots uint32) {
	v := t.mem.volume(volume)
	if v.Move == nil || slots&(1<<v.Move.Slot) == 0 || v.Move.LastNew == t.position {
		return
	}
	v = proto.Clone(v).(*metapb.Volume)
	v.Move.LastNew = t.position
	t.setVolume(v)
}

// goneSlots returns the slots of a volume that lie on drives that are gone: lost, failed or removed
// for good.
func (m *memory) goneSlots(v *metapb.Volume) (gone shard.SlotSet) {
	for i, d := range v.Slots {
		if life := m.lifeOf(d); life == metapb.Life_LIFE_LOST || life == metapb.Life_LIFE_FAILED {
			gone = gone.With(i)
		}
	}
	return gone
}

// mayBeTaken reports whether a slot may be taken from its drive without copying what lies there:
// if the extents of the volume can be made anew without it, or if the drive was removed for good,
// so that nothing of it can come back (docs/architecture.md, "The law").
func (m *memory) mayBeTaken(v *metapb.Volume, slot int) bool {
	if _, d := m.drive(v.Slots[slot]); d == nil {
		return true
	}
	return meta.MayBeTaken(record.SchemeOf(v), m.goneSlots(v), slot, &m.stats(v.Id).VolumeStats)
}

// notRebuildable refuses to take a slot for which mayBeTaken is false.
func (m *memory) notRebuildable(v *metapb.Volume, slot int) *metapb.Result {
	worst := meta.WorstMissing(m.goneSlots(v).With(slot), &m.stats(v.Id).VolumeStats)
	return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_NOT_REBUILDABLE, Detail: fmt.Sprintf(
		"extents of volume %d, which is coded %d+%d, would lack up to %d shards without slot %d, "+
			"and could not be made anew: bring back the drives that have them, or remove by force those that never come back",
		v.Id, v.K, v.M, worst, slot)}
}

// formersMax is how many former drives of its slots a volume remembers at most.
const formersMax = 64

// formers returns what a volume is to remember, when its move is finished, of the drives that slots
// were taken from: those of slots that still miss shards, and that of the move if it is a rebuild.
// If such a drive comes back it has what is missing ("Adoption").
func (t *tx) formers(v *metapb.Volume) (out []*metapb.Former) {
	missing := t.mem.stats(v.Id).MissingSlots
	for _, f := range v.Former {
		if f.Slot < uint32(len(missing)) && missing[f.Slot] > 0 && f.Drive != v.Move.To {
			out = append(out, f)
		}
	}
	if v.Move.Rebuild {
		from := v.Slots[v.Move.Slot]
		if n, d := t.mem.drive(from); d != nil {
			out = append(out, &metapb.Former{Slot: v.Move.Slot, Drive: from, Node: n.Id})
		}
	}
	return out[max(0, len(out)-formersMax):]
}
