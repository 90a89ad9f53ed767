package upkeep

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
)

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
// or has not finished yet, is nobody's loss. Whether that may go is the orphan sweep's
// to ask: what is left of it may be needed yet.
func (u *Upkeep) foundHere(ctx context.Context, d Drive, id shard.ID, cause error) {
	topo, err := u.c.Metadata.Topology(ctx)
	if err != nil {
		return // It is found again.
	}
	if v := topo.Volumes[id.Extent.Volume]; v != nil && int(id.Slot) < len(v.Slots) && v.Slots[id.Slot] == d.ID() {
		u.Found(id, cause)
	}
}
