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

// sweepOrphans deletes shards of this node's drives that the metadata do not want to
// stay: of extents that neither exist nor are leased, which a writer left that died
// before its commit, and what a move left behind, once the extent is whole without it.
// What another drive should have and lacks is brought there. A round over many shards
// has no limit, or it would never come to the last ones; its steps have. A drive that
// cannot be swept holds up none of the others.
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

// sweepPage deletes the orphans of a page, and returns the shards that another drive
// lacks.
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
	if done && u.c.Events.Orphans != nil {
		u.c.Events.Orphans(len(orphans))
	}
	return wanted, err
}

// known asks which shards of a drive must stay, and which others lack.
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
		return nil, errs.Newf("upkeep.sweepOrphans", errs.Internal, "asked about %d extents, got %d answers", len(page), len(a.Known.GetKnown()))
	}
	return a.Known, nil
}

// counted keeps an orphan sweep from deleting what somebody on this node has counted on
// since the metadata were asked: the answer to a sweep's question expires by log index,
// however long the process was stopped between question and deletion. Whoever finds a
// shard in a place that is new to it calls rely first, with an index as of which the
// place is one; then either the sweep's answer is older, and void, or it is as new, and
// takes the shard for what it is.
type counted struct {
	mu    sync.Mutex
	index uint64 // Of the youngest state that somebody went by.
}

// rely makes answers as of before an index void. A deletion under way is waited for.
func (c *counted) rely(index uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.index = max(c.index, index)
}

// delete deletes by an answer as of an index, unless it is void; then the next sweep
// asks again.
func (c *counted) delete(asOf uint64, do func() error) (done bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if asOf < c.index {
		return false, nil
	}
	return true, do()
}

// counted returns what is counted on of a drive of this node.
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
