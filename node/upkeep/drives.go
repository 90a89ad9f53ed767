package upkeep

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/drive"
)

// sweepOrphans deletes shards of this node's drives whose extent neither exists
// nor is leased, or whose slot lies on another drive: what a writer left that died
// before its commit, and what a move left behind. A round over many
// shards has no limit, or it would never come to the last ones; its steps have.
func (u *Upkeep) sweepOrphans(ctx context.Context) error {
	for _, d := range u.c.Drives {
		var after shard.ID
		for {
			page, err := d.List(ctx, after, pageItems)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				break
			}
			after = page[len(page)-1].ID
			if err := u.sweepPage(ctx, d, page); err != nil {
				return err
			}
		}
	}
	return nil
}

func (u *Upkeep) sweepPage(ctx context.Context, d Drive, page []drive.Entry) error {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	q := &metapb.KnownExtents{Drive: uint64(d.ID())}
	for _, e := range page {
		q.Extents = append(q.Extents, &metapb.ExtentSlots{Volume: uint32(e.ID.Extent.Volume), Seq: e.ID.Extent.Seq, Slots: 1 << e.ID.Slot})
	}
	a, err := u.c.Metadata.Read(ctx, &metapb.Query{Op: &metapb.Query_KnownExtents{KnownExtents: q}})
	if err != nil {
		return err
	}
	if len(a.Known.GetKnown()) != len(page) {
		return errs.Newf("upkeep.sweepOrphans", errs.Internal, "asked about %d extents, got %d answers", len(page), len(a.Known.GetKnown()))
	}
	var orphans []shard.ID
	for i, known := range a.Known.Known {
		if !known {
			orphans = append(orphans, page[i].ID)
		}
	}
	if len(orphans) == 0 {
		return nil
	}
	if u.c.Events.Orphans != nil {
		u.c.Events.Orphans(len(orphans))
	}
	return d.Delete(ctx, orphans)
}

// Scrub's pace: a pause between two verifications is neither shorter nor longer
// than this, so that a busy drive is not starved and a drive that fills up is not
// verified at the pace of an empty one.
const (
	minScrubPause = time.Millisecond
	maxScrubPause = time.Minute
)

// scrub verifies a drive's shards, one after another, evenly over the interval,
// for ever.
func (u *Upkeep) scrub(ctx context.Context, d Drive) {
	for {
		checked, bad, ok := u.scrubRound(ctx, d)
		if !ok || !pause(ctx, u.scrubPause(d, 0)) {
			return
		}
		if u.c.Events.ScrubRound != nil {
			u.c.Events.ScrubRound(checked, bad)
		}
	}
}

// scrubPause spreads the shards that the drive has now over the interval.
func (u *Upkeep) scrubPause(d Drive, atLeast int) time.Duration {
	shards := max(int(d.Usage().Shards), atLeast)
	return min(max(u.c.ScrubInterval/time.Duration(shards+1), minScrubPause), maxScrubPause)
}

// scrubRound verifies a drive once; not ok: ctx ended.
func (u *Upkeep) scrubRound(ctx context.Context, d Drive) (checked, bad int, ok bool) {
	for after := (shard.ID{}); ; {
		page, err := d.List(ctx, after, pageItems)
		if err != nil || len(page) == 0 {
			return checked, bad, ctx.Err() == nil
		}
		after = page[len(page)-1].ID
		step := u.scrubPause(d, len(page))
		for _, e := range page {
			if !pause(ctx, step) {
				return checked, bad, false
			}
			checked++
			if err := d.Verify(ctx, e.ID); errs.Is(err, errs.Corrupt) {
				bad++
				u.foundHere(ctx, d, e.ID, err)
			}
		}
	}
}

// foundHere notes a bad shard of a drive if it is the shard: what a move left behind,
// or has not finished yet, is nobody's loss and is deleted.
func (u *Upkeep) foundHere(ctx context.Context, d Drive, id shard.ID, cause error) {
	topo, err := u.c.Metadata.Topology(ctx)
	if err != nil {
		return // It is found again.
	}
	if v := topo.Volumes[id.Extent.Volume]; v != nil && int(id.Slot) < len(v.Slots) && v.Slots[id.Slot] == d.ID() {
		u.Found(id, cause)
		return
	}
	_ = d.Delete(ctx, []shard.ID{id}) // Else the orphan sweep does.
}
