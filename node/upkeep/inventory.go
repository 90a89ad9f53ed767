package upkeep

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// maxInventoryPause bounds how long a lost shard that nobody reads goes
// unnoticed: parity shards are read by scrub and repair alone, and scrub sees only
// what a drive lists.
const maxInventoryPause = 24 * time.Hour

// A round's questions are spaced, and each is given up and repeated after a while.
const (
	inventoryPagePause = 2 * time.Millisecond
	pageTimeout        = 30 * time.Second
)

// takeInventory compares, when the node has started and then once in a while, what
// the metadata says lies on this node's drives with what does.
func (u *Upkeep) takeInventory(ctx context.Context) {
	t := u.track.of("inventory")
	next := time.Now()
	for pause(ctx, u.c.Interval) {
		if t.isPaused() || time.Now().Before(next) {
			continue
		}
		err := u.inventory(ctx)
		if ctx.Err() != nil {
			return
		}
		t.ended(err)
		if err == nil {
			next = time.Now().Add(min(u.c.ScrubInterval, maxInventoryPause))
		} else if u.c.Events.Failed != nil {
			u.c.Events.Failed("inventory", err)
		}
	}
}

// inventory goes through the volumes that have a slot on a drive of this node.
func (u *Upkeep) inventory(ctx context.Context) error {
	topo, err := u.c.Metadata.Topology(ctx)
	if err != nil {
		return err
	}
	for _, v := range topo.Volumes {
		var own []ownSlot
		for slot, id := range v.Slots {
			if d := u.own(id); d != nil {
				own = append(own, ownSlot{d, uint8(slot)})
			}
		}
		if len(own) == 0 {
			continue
		}
		if err := u.inventoryVolume(ctx, v, own); err != nil {
			return err
		}
	}
	return nil
}

// ownSlot is a slot of a volume that lies on a drive of this node.
type ownSlot struct {
	d    Drive
	slot uint8
}

// inventoryVolume asks the drives for every shard that a volume's extents have
// there. What the metadata knew before the drive was asked must be there: a
// deletion that comes between makes a report about an extent that is no more,
// which does nothing.
func (u *Upkeep) inventoryVolume(ctx context.Context, v *shard.Volume, own []ownSlot) error {
	var seq uint64
	for {
		a, err := u.volumePage(ctx, v.ID, seq)
		if err != nil {
			return err
		}
		cmd := &metapb.SetMissing{}
		for _, it := range a.Items {
			seq = it.Seq
			lacks, err := u.lacking(ctx, own, it)
			if err != nil {
				return err
			}
			if lacks != 0 {
				cmd.Add = append(cmd.Add, &metapb.ExtentSlots{Volume: it.Volume, Seq: it.Seq, Slots: uint32(lacks), Epoch: v.Epoch})
			}
		}
		if len(cmd.Add) > 0 {
			if _, err := u.c.Metadata.Propose(ctx, &metapb.Command{Op: &metapb.Command_SetMissing{SetMissing: cmd}}); err != nil {
				return err
			}
		}
		if !a.Truncated || len(a.Items) == 0 {
			return nil
		}
		if !pause(ctx, inventoryPagePause) {
			return context.Cause(ctx)
		}
	}
}

// volumePage reads the extents of a volume that follow seq. A round over many
// extents takes long, and it must not begin anew because one question failed: the
// question is repeated until ctx ends.
func (u *Upkeep) volumePage(ctx context.Context, v shard.VolumeID, seq uint64) (*metapb.WorkAnswer, error) {
	for {
		qctx, cancel := context.WithTimeout(ctx, pageTimeout)
		a, err := u.c.Metadata.Read(qctx, &metapb.Query{Op: &metapb.Query_ListWork{ListWork: &metapb.ListWork{
			Kind: metapb.WorkKind_WORK_VOLUME, Volume: uint32(v), AfterSeq: seq, Max: pageItems}}})
		cancel()
		if err == nil {
			return a.Work, nil
		}
		if !pause(ctx, u.c.Interval) {
			return nil, err
		}
	}
}

// lacking returns the own slots whose shard of an extent should be on its drive and is
// not. A drive that does not answer is another matter.
func (u *Upkeep) lacking(ctx context.Context, own []ownSlot, it *metapb.WorkItem) (lacks shard.SlotSet, err error) {
	for _, o := range own {
		if shard.SlotSet(it.Extent.GetMissing()).Has(int(o.slot)) {
			continue // Known already.
		}
		id := shard.ID{Extent: shard.ExtentID{Volume: shard.VolumeID(it.Volume), Seq: it.Seq}, Slot: o.slot}
		if _, err := o.d.Stat(ctx, id); errs.Is(err, errs.NotFound) {
			lacks = lacks.With(int(o.slot))
			if u.c.Events.Found != nil {
				u.c.Events.Found(id, err)
			}
		}
	}
	return lacks, ctx.Err()
}
