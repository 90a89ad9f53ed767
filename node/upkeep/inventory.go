package upkeep

import (
	"context"
	"math"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// maxInventoryPause is how long a lost shard that nobody reads may go unnoticed. Only scrub and
// repair read parity shards, and scrub sees only what a drive lists.
const maxInventoryPause = 24 * time.Hour

// pageTimeout is after how long a question of a round is given up and repeated.
const pageTimeout = 30 * time.Second

// takeInventory compares the shards that should lie on this node's drives, by the metadata, with
// those that do. It does so when the node has started, and then once in a while, until ctx ends.
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
		t.ran(u.c.Interval)
		if err == nil {
			wait := min(u.c.Terms().ScrubInterval, maxInventoryPause)
			next = time.Now().Add(wait)
			t.ran(wait)
		} else {
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
		for _, o := range own {
			if err := u.inventorySlot(ctx, v, o); err != nil {
				return err
			}
		}
	}
	return nil
}

// ownSlot is a slot of a volume that lies on a drive of this node.
type ownSlot struct {
	d    Drive
	slot uint8
}

// inventorySlot compares the shards that a drive holds of a volume with those that it must hold.
// Where the drive does not answer, nothing is said of what it lacks.
func (u *Upkeep) inventorySlot(ctx context.Context, v *shard.Volume, own ownSlot) error {
	for seq := uint64(0); ; {
		through, differs, err := u.compare(ctx, own.d, v.ID, seq)
		if err != nil {
			if ctx.Err() != nil || own.d.Failed() == nil {
				return err
			}
			return nil
		}
		if differs {
			if err := u.inventoryRange(ctx, v, own, seq, through); err != nil {
				return err
			}
		}
		if seq = through; seq == math.MaxUint64 {
			return nil
		}
	}
}

// inventoryRange asks a drive for its shard of each of some extents of a volume. It asks the
// metadata first, and whatever they knew then must be on the drive. An extent may be deleted in
// between; then its shard is recorded as missing of an extent that is gone, which does nothing.
func (u *Upkeep) inventoryRange(ctx context.Context, v *shard.Volume, own ownSlot, seq, through uint64) error {
	for {
		a, err := u.volumePage(ctx, v.ID, seq)
		if err != nil {
			return err
		}
		cmd := &metapb.SetMissing{}
		for _, it := range a.Items {
			if seq = it.Seq; seq > through {
				break
			}
			lacks, err := u.lacking(ctx, own, it)
			if err != nil {
				return err
			}
			if lacks {
				slots := shard.SlotSet(0).With(int(own.slot))
				cmd.Add = append(cmd.Add, &metapb.ExtentSlots{Volume: it.Volume, Seq: it.Seq, Slots: uint32(slots), Epoch: v.Epoch})
			}
		}
		if len(cmd.Add) > 0 {
			if _, err := u.c.Metadata.Propose(ctx, &metapb.Command{Op: &metapb.Command_SetMissing{SetMissing: cmd}}); err != nil {
				return err
			}
		}
		if !a.Truncated || len(a.Items) == 0 || seq >= through {
			return nil
		}
		if err := u.rest(ctx, time.Duration(len(a.Items))*lookCost); err != nil {
			return err
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

// lacking reports whether a drive's shard of an extent should be there and is not. A drive that does
// not answer has not said that it lacks the shard, so it is not taken for lacking.
func (u *Upkeep) lacking(ctx context.Context, o ownSlot, it *metapb.WorkItem) (bool, error) {
	if shard.SlotSet(it.Extent.GetMissing()).Has(int(o.slot)) {
		return false, nil // It is known to be missing already.
	}
	id := shard.ID{Extent: shard.ExtentID{Volume: shard.VolumeID(it.Volume), Seq: it.Seq}, Slot: o.slot}
	_, err := o.d.Stat(ctx, id)
	if !errs.Is(err, errs.NotFound) {
		return false, ctx.Err()
	}
	u.c.Events.Found(id, err)
	return true, ctx.Err()
}
