package upkeep

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/drive"
)

// sweepOrphans deletes the shards on this node's drives that the metadata do not want. They belong
// to extents that neither exist nor are leased, whose writer died before its commit. Or a move has
// left them behind, and the extent is whole without them. A shard that another drive should have
// and lacks is brought there. A round may take as long as it takes, or it would never come to the
// last shards; each of its steps has a limit. A drive that cannot be swept holds up none of the others.
func (u *Upkeep) sweepOrphans(ctx context.Context) error {
	var failed []error
	for _, d := range u.c.Drives {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := u.sweepDrive(ctx, d); err != nil {
			failed = append(failed, fmt.Errorf("drive %s: %w", d.ID(), err))
		}
	}
	return errors.Join(failed...)
}

// sweepDrive is sweepOrphans for one drive.
func (u *Upkeep) sweepDrive(ctx context.Context, d Drive) error {
	var failed []error
	for after := (shard.ID{}); ; {
		page, err := d.List(ctx, after, 1)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return errors.Join(failed...)
		}
		volume := page[0].ID.Extent.Volume
		bad, err := u.sweepVolume(ctx, d, volume)
		if err != nil {
			return err
		}
		failed = append(failed, bad...)
		after = lastShard(volume, math.MaxUint64)
	}
}

// sweepVolume is sweepOrphans for what a drive holds of one volume. Where the drive holds
// just what it must, nothing is an orphan, and nothing is asked about each shard. bad says
// which shards another drive lacks and could not be brought.
func (u *Upkeep) sweepVolume(ctx context.Context, d Drive, volume shard.VolumeID) (bad []error, err error) {
	for seq := uint64(0); ; {
		through, differs, err := u.compare(ctx, d, volume, seq)
		if err != nil {
			return bad, err
		}
		if differs {
			worse, err := u.sweepRange(ctx, d, volume, seq, through)
			if bad = append(bad, worse...); err != nil {
				return bad, err
			}
		}
		if seq = through; seq == math.MaxUint64 {
			return bad, nil
		}
	}
}

// sweepRange asks about every shard that a drive holds of some extents of a volume.
func (u *Upkeep) sweepRange(
	ctx context.Context, d Drive, volume shard.VolumeID, after, through uint64,
) (bad []error, err error) {
	err = eachPage(ctx, d, volume, after, through, func(page []drive.Entry) error {
		wanted, err := u.sweepPage(ctx, d, page)
		if err != nil {
			return err
		}
		worse, err := u.adopt(ctx, d, wanted)
		if err != nil {
			return err
		}
		bad = append(bad, worse...)
		return u.rest(ctx, time.Duration(len(page))*lookCost)
	})
	return bad, err
}

// sweepPage deletes the orphans of a page of shards, and returns those that another drive lacks.
func (u *Upkeep) sweepPage(ctx context.Context, d Drive, page []drive.Entry) (wanted []drive.Entry, err error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	known, err := u.known(ctx, d, page)
	if err != nil {
		return nil, err
	}
	var orphans []shard.ID
	for i, stays := range known.Known {
		switch {
		case !stays:
			orphans = append(orphans, page[i].ID)
		case i < len(known.Wanted) && known.Wanted[i]:
			wanted = append(wanted, page[i])
		}
	}
	if len(orphans) == 0 {
		return wanted, nil
	}
	done, err := u.counted(d.ID()).delete(known.AppliedIndex, func() error { return d.Delete(ctx, orphans) })
	if done {
		u.c.Events.Orphans(len(orphans))
	}
	return wanted, err
}

// known asks the metadata which shards of a drive must stay, and which of them another drive lacks.
func (u *Upkeep) known(ctx context.Context, d Drive, page []drive.Entry) (*metapb.KnownAnswer, error) {
	q := &metapb.KnownExtents{Drive: uint64(d.ID())}
	for _, e := range page {
		q.Extents = append(q.Extents, &metapb.ExtentSlots{Volume: uint32(e.ID.Extent.Volume), Seq: e.ID.Extent.Seq, Slots: 1 << e.ID.Slot})
	}
	a, err := u.c.Metadata.Read(ctx, &metapb.Query{Op: &metapb.Query_KnownExtents{KnownExtents: q}})
	if err != nil {
		return nil, err
	}
	if len(a.Known.GetKnown()) != len(page) {
		return nil, errs.Newf("upkeep.sweepOrphans", errs.Internal,
			"asked about %d extents, got %d answers", len(page), len(a.Known.GetKnown()))
	}
	return a.Known, nil
}

// counted keeps an orphan sweep from deleting a shard that somebody on this node has meanwhile
// begun to count on. A sweep asks the metadata which shards are orphans and deletes them
// afterwards. In between, however long the process was stopped, a slot may have moved to this
// drive, and a mover may have found that the shard is there already.
//
// So an answer is void once somebody relies on a later position. Whoever is about to look whether
// a shard is in a place calls rely first, with the position as of which this is its place. Then
// either the sweep's answer is older, and nothing is deleted by it, or the answer is as new and
// knows the place. Safe for concurrent use.
type counted struct {
	mu    sync.Mutex
	index uint64 // The greatest index that somebody relies on.
}

// rely makes all answers of before an index void. It waits for a deletion that is under way.
func (c *counted) rely(index uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.index = max(c.index, index)
}

// delete calls do, which deletes by an answer as of an index. Where the answer is void it does
// nothing and returns false: the next sweep asks again.
func (c *counted) delete(asOf uint64, do func() error) (done bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if asOf < c.index {
		return false, nil
	}
	return true, do()
}

// counted returns the counted of a drive of this node.
func (u *Upkeep) counted(d cluster.DriveID) *counted {
	u.countedMu.Lock()
	defer u.countedMu.Unlock()
	c := u.countedOn[d]
	if c == nil {
		c = &counted{}
		if u.countedOn == nil {
			u.countedOn = map[cluster.DriveID]*counted{}
		}
		u.countedOn[d] = c
	}
	return c
}
