package upkeep

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
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
// the metadata says lies on this node's drives with what does; and for a slot that
// has moved here, some time after it has: an orphan sweep that asked before the move
// began may have deleted a shard that was there from earlier.
func (u *Upkeep) takeInventory(ctx context.Context) {
	t := u.track.of("inventory")
	i := &inventory{u: u, all: time.Now(), arrived: map[arrival]time.Time{}}
	for pause(ctx, u.c.Interval) {
		if t.isPaused() {
			continue
		}
		err := i.round(ctx)
		if ctx.Err() != nil {
			return
		}
		t.ended(err)
		if err != nil && u.c.Events.Failed != nil {
			u.c.Events.Failed("inventory", err)
		}
	}
}

// inventory remembers what is to be looked at when.
type inventory struct {
	u       *Upkeep
	all     time.Time             // When everything is.
	arrived map[arrival]time.Time // When slots that moved here are; zero: they were.
}

// arrival is a slot that moved to this node.
type arrival struct {
	volume shard.VolumeID
	slot   int
	epoch  uint32
}

func (i *inventory) round(ctx context.Context) error {
	now := time.Now()
	if !now.Before(i.all) {
		if err := i.u.inventory(ctx, nil); err != nil {
			return err
		}
		i.all = now.Add(min(i.u.c.ScrubInterval, maxInventoryPause))
		return nil
	}
	topo, err := i.u.c.Metadata.Topology(ctx)
	if err != nil {
		return err
	}
	due := map[shard.VolumeID]bool{}
	for a := range i.arrivals(topo) {
		at, known := i.arrived[a]
		switch {
		case !known:
			i.arrived[a] = now.Add(arrivalPause)
		case !at.IsZero() && now.After(at):
			due[a.volume] = true
		}
	}
	if len(due) == 0 {
		return nil
	}
	if err := i.u.inventory(ctx, due); err != nil {
		return err
	}
	for a := range i.arrived {
		if due[a.volume] {
			i.arrived[a] = time.Time{}
		}
	}
	return nil
}

// arrivalPause is longer than an orphan sweep acts on an answer.
const arrivalPause = 2 * pageTimeout

// arrivals returns the slots that moved to this node and are here, and forgets those
// that are here no longer.
func (i *inventory) arrivals(topo *meta.Topology) map[arrival]bool {
	here := map[arrival]bool{}
	for id, v := range topo.Volumes {
		for slot, d := range v.Slots {
			if e := v.MovedAt(slot); e > 0 && i.u.own(d) != nil {
				here[arrival{id, slot, e}] = true
			}
		}
	}
	for a := range i.arrived {
		if !here[a] {
			delete(i.arrived, a)
		}
	}
	return here
}

// inventory goes through the volumes that have a slot on a drive of this node; only
// those of a set, unless it is nil.
func (u *Upkeep) inventory(ctx context.Context, only map[shard.VolumeID]bool) error {
	topo, err := u.c.Metadata.Topology(ctx)
	if err != nil {
		return err
	}
	for _, v := range topo.Volumes {
		if only != nil && !only[v.ID] {
			continue
		}
		var own []ownSlot
		for slot, id := range v.Slots {
			for _, d := range u.c.Drives {
				if d.ID() == id {
					own = append(own, ownSlot{d, uint8(slot)})
				}
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
		for _, it := range a.Items {
			seq = it.Seq
			for _, o := range own {
				if err := u.look(ctx, o, shard.ExtentID{Volume: v.ID, Seq: it.Seq}, it.Extent); err != nil {
					return err
				}
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

// look reports the shard of an own slot that should be on its drive and is not. A
// drive that does not answer is another matter.
func (u *Upkeep) look(ctx context.Context, o ownSlot, extent shard.ExtentID, e *metapb.Extent) error {
	if shard.SlotSet(e.GetMissing()).Has(int(o.slot)) {
		return nil // Known already.
	}
	id := shard.ID{Extent: extent, Slot: o.slot}
	if _, err := o.d.Stat(ctx, id); errs.Is(err, errs.NotFound) {
		u.Found(id, err)
	}
	return ctx.Err()
}
