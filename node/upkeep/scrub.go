package upkeep

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
)

// Bounds of the pause between two verifications. A full drive is not kept busy by scrub all the time,
// and a drive that fills up is not verified at the pace of an empty one.
const (
	minScrubPause = time.Millisecond
	maxScrubPause = time.Minute
)

// jobScrub verifies what lies on drives. Each drive has a job of its own; they are paused together.
const jobScrub = "scrub"

// scrub verifies the shards of a drive one after another, spread evenly over the interval, again and
// again until ctx ends.
func (u *Upkeep) scrub(ctx context.Context, d Drive, t *tracker) {
	for t.waitWhilePaused(ctx) {
		checked, bad, ok := u.scrubRound(ctx, d, t)
		wait := u.scrubPause(d, 0)
		if ok {
			t.finish()
			t.ran(wait)
		}
		if !ok || !pause(ctx, wait) {
			return
		}
		u.c.Events.ScrubRound(checked, bad)
	}
}

// scrubPause returns the pause that spreads the shards of a drive, as many as it has now, over the
// interval.
func (u *Upkeep) scrubPause(d Drive, atLeast int) time.Duration {
	shards := max(int(d.Usage().Shards), atLeast)
	return min(max(u.c.Terms().ScrubInterval/time.Duration(shards+1), minScrubPause), maxScrubPause)
}

// scrubRound verifies every shard of a drive once, and waits while the job is paused. ok is false
// where ctx has ended.
func (u *Upkeep) scrubRound(ctx context.Context, d Drive, t *tracker) (checked, bad int, ok bool) {
	t.begin(uint64(d.Usage().Shards), 0, "shards verified")
	for after := (shard.ID{}); ; {
		page, err := d.List(ctx, after, pageItems)
		if err != nil || len(page) == 0 {
			return checked, bad, ctx.Err() == nil
		}
		after = page[len(page)-1].ID
		step := u.scrubPause(d, len(page))
		for _, e := range page {
			if !pause(ctx, step) || !t.waitWhilePaused(ctx) {
				return checked, bad, false
			}
			checked++
			t.add(1, 0)
			if err := d.Verify(ctx, e.ID); errs.Is(err, errs.Corrupt) {
				bad++
				u.foundHere(ctx, d, e.ID, err)
			}
		}
	}
}

// foundHere notes a bad shard of a drive if the drive has the slot. A shard that a move has left
// behind, or has not finished yet, is no loss. It stays all the same, since what is left of it may be
// needed: the orphan sweep asks whether it may go.
func (u *Upkeep) foundHere(ctx context.Context, d Drive, id shard.ID, cause error) {
	topo, err := u.c.Metadata.Topology(ctx)
	if err != nil {
		return // The next round finds it again.
	}
	if v := topo.Volumes[id.Extent.Volume]; v != nil && int(id.Slot) < len(v.Slots) && v.Slots[id.Slot] == d.ID() {
		u.Found(id, cause)
	}
}
