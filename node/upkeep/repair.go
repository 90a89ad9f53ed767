package upkeep

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math/bits"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// repair rebuilds the shards that the metadata record as missing, those of the most endangered
// volumes first. An extent is the work of one node, which rebuilds all its missing shards, so that
// it is read once: the node with the drive of the first missing shard that can be written now.
func (u *Upkeep) repair(ctx context.Context) error {
	stats, err := u.volumeStats(ctx)
	if err != nil {
		return err
	}
	topo, err := u.c.Metadata.Topology(ctx)
	if err != nil {
		return err
	}
	t := u.track.of("repair")
	volumes, total := u.damaged(topo, stats)
	if len(volumes) == 0 {
		t.finish()
		return nil
	}
	t.begin(total, 0, "extents that miss a shard of this node")
	var failed []error
	for _, v := range volumes {
		if err := u.repairVolume(ctx, topo, v, t); err != nil {
			failed = append(failed, err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	t.finish()
	return errors.Join(failed...)
}

// damaged returns the volumes in which shards are missing that belong on drives of this node, the
// most endangered first. extents is about how many extents miss one.
func (u *Upkeep) damaged(topo *meta.Topology, stats map[shard.VolumeID]*metapb.VolumeStats) (
	volumes []*shard.Volume, extents uint64) {
	for _, id := range sortedVolumes(topo) {
		v, missing := topo.Volumes[id], stats[id].GetMissingSlots()
		most := uint64(0)
		for slot, d := range v.Slots {
			if slot < len(missing) && u.own(d) != nil {
				most = max(most, missing[slot])
			}
		}
		if most > 0 {
			volumes, extents = append(volumes, v), extents+most
		}
	}
	spare := func(v *shard.Volume) int { return int(v.Scheme.M) - len(stats[v.ID].GetMissing()) }
	slices.SortStableFunc(volumes, func(a, b *shard.Volume) int { return cmp.Compare(spare(a), spare(b)) })
	return volumes, extents
}

func sortedVolumes(topo *meta.Topology) []shard.VolumeID {
	return slices.Sorted(maps.Keys(topo.Volumes))
}

// repairVolume repairs the extents of a volume that miss shards, page by page.
func (u *Upkeep) repairVolume(ctx context.Context, topo *meta.Topology, v *shard.Volume, t *tracker) error {
	var seq uint64
	for {
		if !t.waitWhilePaused(ctx) {
			return context.Cause(ctx)
		}
		qctx, cancel := context.WithTimeout(ctx, pageTimeout)
		a, err := u.c.Metadata.Read(qctx, &metapb.Query{Op: &metapb.Query_ListWork{ListWork: &metapb.ListWork{
			Kind: metapb.WorkKind_WORK_MISSING, Volume: uint32(v.ID), Max: pageItems, AfterSeq: seq}}})
		cancel()
		if err != nil {
			return err
		}
		if err := u.repairPage(ctx, topo, v, a.Work.Items, t); err != nil {
			return err
		}
		if !a.Work.Truncated || len(a.Work.Items) == 0 {
			return nil
		}
		seq = a.Work.Items[len(a.Work.Items)-1].Seq
	}
}

// repairPage repairs a page of extents, a few at a time. One that fails is tried again in the next
// round and does not hold up the others.
func (u *Upkeep) repairPage(ctx context.Context, topo *meta.Topology, v *shard.Volume, items []*metapb.WorkItem,
	t *tracker) error {
	var mu sync.Mutex
	var failed []error
	var g errgroup.Group
	g.SetLimit(repairWorkers)
	for _, it := range items {
		slots := u.reachable(v, topo, shard.SlotSet(it.Extent.Missing))
		if slots == 0 {
			continue // No drive can take a shard now.
		}
		repair := u.repairExtent
		if u.own(v.Slots[bits.TrailingZeros32(uint32(slots))]) == nil {
			whole := shard.SlotSet(1<<v.Scheme.N() - 1)
			if there := u.reachable(v, topo, whole&^shard.SlotSet(it.Extent.Missing)); there.Len() >= int(v.Scheme.K) {
				continue // It is another node's work.
			}
			// That node can rebuild nothing: too few shards are there. Shards that lie on drives of
			// this node after all would help it.
			repair = u.tellThere
		}
		g.Go(func() error {
			defer t.add(1, 0)
			if err := repair(ctx, v, it, slots); err != nil && !unavailable(err) {
				mu.Lock()
				failed = append(failed, err)
				mu.Unlock()
			}
			return nil
		})
	}
	_ = g.Wait() // The workers keep their errors in failed.
	return errors.Join(failed...)
}

// repairExtent rebuilds the missing shards of an extent whose drives can take them, and records at
// once which are there: a round that is cut off must not be done again from its beginning.
func (u *Upkeep) repairExtent(ctx context.Context, v *shard.Volume, it *metapb.WorkItem, slots shard.SlotSet) error {
	id := shard.ExtentID{Volume: v.ID, Seq: it.Seq}
	there := u.thereAfterAll(ctx, v, id, slots)
	repaired, err := there, error(nil)
	if lost := slots &^ there; lost != 0 {
		bytes := meta.Geometry(v, it.Extent).Header(shard.ID{Extent: id}, v.Epoch).FramedBytes()
		if err := u.repairPace.wait(ctx, bytes*int64(lost.Len())); err != nil {
			return err
		}
		var rebuilt shard.SlotSet
		rebuilt, err = u.c.Engine.Rebuild(ctx, id, v, meta.Geometry(v, it.Extent), lost)
		repaired |= rebuilt
		if rebuilt != 0 {
			u.c.Events.Rebuilt(bytes * int64(rebuilt.Len()))
		}
	}
	return errors.Join(err, u.recordRepaired(ctx, v, it, repaired))
}

// tellThere records which of the missing shards lie on this node's drives after all.
func (u *Upkeep) tellThere(ctx context.Context, v *shard.Volume, it *metapb.WorkItem, slots shard.SlotSet) error {
	return u.recordRepaired(ctx, v, it, u.thereAfterAll(ctx, v, shard.ExtentID{Volume: v.ID, Seq: it.Seq}, slots))
}

// recordRepaired records that shards are not missing any more.
func (u *Upkeep) recordRepaired(ctx context.Context, v *shard.Volume, it *metapb.WorkItem, repaired shard.SlotSet) error {
	if repaired == 0 {
		return nil
	}
	u.c.Events.Repaired(shard.ExtentID{Volume: v.ID, Seq: it.Seq}, repaired)
	done := &metapb.SetMissing{Remove: []*metapb.ExtentSlots{{
		Volume: it.Volume, Seq: it.Seq, Slots: uint32(repaired), Epoch: v.Epoch}}}
	rctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	_, err := u.c.Metadata.Propose(rctx, &metapb.Command{Op: &metapb.Command_SetMissing{SetMissing: done}})
	return err
}

// recordTimeout is how long a finished repair may take to be recorded, even if its round has been
// ended meanwhile.
const recordTimeout = 5 * time.Second

// thereAfterAll returns the slots whose shards lie on drives of this node and are right. A shard
// may count as missing only because its node was away.
func (u *Upkeep) thereAfterAll(ctx context.Context, v *shard.Volume, id shard.ExtentID, slots shard.SlotSet) (
	there shard.SlotSet) {
	for slot, d := range v.Slots {
		if own := u.own(d); own == nil || !slots.Has(slot) {
			continue
		} else if own.Verify(ctx, shard.ID{Extent: id, Slot: uint8(slot)}) == nil {
			there = there.With(slot)
		}
	}
	return there
}

// reachable returns those of the slots whose drive can take a shard now. A slot that is moving is
// left out: its shard is rebuilt on the new drive, when the move is over.
func (u *Upkeep) reachable(v *shard.Volume, topo *meta.Topology, slots shard.SlotSet) (out shard.SlotSet) {
	for slot, d := range v.Slots {
		if !slots.Has(slot) {
			continue
		}
		moving := v.Move != nil && v.Move.Slot == slot
		if n := topo.View.NodeOf(d); n != nil && !moving && !topo.View.StateOf(d).Gone() && u.c.Alive(n.ID) {
			out = out.With(slot)
		}
	}
	return out
}

// finder collects the shards that were found bad or missing until they are recorded. Safe for
// concurrent use.
type finder struct {
	mu    sync.Mutex
	slots map[shard.ExtentID]shard.SlotSet
	cause map[shard.ID]error
}

const (
	maxFound    = 4096 // Extents waiting to be recorded.
	reportEvery = 200 * time.Millisecond
)

func newFinder() *finder {
	return &finder{slots: map[shard.ExtentID]shard.SlotSet{}, cause: map[shard.ID]error{}}
}

func (f *finder) add(id shard.ID, cause error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.slots[id.Extent]; !known && len(f.slots) >= maxFound {
		return
	}
	f.slots[id.Extent] = f.slots[id.Extent].With(int(id.Slot))
	f.cause[id] = cause
}

// take returns what was found since the last call, and forgets it.
func (f *finder) take() (slots map[shard.ExtentID]shard.SlotSet, cause map[shard.ID]error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.slots) == 0 {
		return nil, nil
	}
	slots, cause = f.slots, f.cause
	f.slots, f.cause = map[shard.ExtentID]shard.SlotSet{}, map[shard.ID]error{}
	return slots, cause
}

// report records in the metadata which shards were found bad or missing since the last round.
func (u *Upkeep) report(ctx context.Context) error {
	slots, cause := u.found.take()
	if len(slots) == 0 {
		return nil
	}
	topo, err := u.c.Metadata.Topology(ctx)
	if err != nil {
		for id, err := range cause {
			u.found.add(id, err)
		}
		return err
	}
	cmd := &metapb.SetMissing{}
	for id := range slots {
		if set, epoch := u.confirm(ctx, topo, id, slots[id], cause); set != 0 {
			cmd.Add = append(cmd.Add, &metapb.ExtentSlots{
				Volume: uint32(id.Volume), Seq: id.Seq, Slots: uint32(set), Epoch: epoch})
		}
	}
	if len(cmd.Add) == 0 {
		return nil
	}
	if _, err := u.c.Metadata.Propose(ctx, &metapb.Command{Op: &metapb.Command_SetMissing{SetMissing: cmd}}); err != nil {
		for id, err := range cause {
			u.found.add(id, err) // The next round records it.
		}
		return err
	}
	for id, err := range cause {
		u.c.Events.Found(id, err)
	}
	return nil
}

// confirm returns the slots without those whose shard is on the drive that has the slot now, and
// the epoch of the volume. Whoever missed such a shard has looked on the drive that had the slot
// before it moved.
func (u *Upkeep) confirm(ctx context.Context, topo *meta.Topology, id shard.ExtentID, slots shard.SlotSet,
	cause map[shard.ID]error) (shard.SlotSet, uint32) {
	v := topo.Volumes[id.Volume]
	if v == nil {
		return 0, 0
	}
	for slot, d := range v.Slots {
		sid := shard.ID{Extent: id, Slot: uint8(slot)}
		if !slots.Has(slot) || v.MovedAt(slot) == 0 || !errs.Is(cause[sid], errs.NotFound) {
			continue
		}
		store, err := u.c.Stores(d)
		if err != nil {
			continue
		}
		if _, err := store.Stat(ctx, sid); err == nil {
			slots &^= shard.SlotSet(0).With(slot)
		}
	}
	return slots, v.Epoch
}
