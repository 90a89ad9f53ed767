package upkeep

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/cluster"
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

// urges has, for each drive of a node, what asks its scrub for a whole round at once.
type urges map[cluster.DriveID]chan struct{}

func newUrges(drives []Drive) urges {
	out := urges{}
	for _, d := range drives {
		out[d.ID()] = make(chan struct{}, 1)
	}
	return out
}

// ScrubNow has a drive of this node verified whole, from now on and as fast as repair may go, and then again
// once in each interval. It returns false if the node has no such drive. A scrub that is paused stays so.
func (u *Upkeep) ScrubNow(id cluster.DriveID) bool {
	urge, ok := u.urges[id]
	if ok {
		select {
		case urge <- struct{}{}:
		default: // It was asked and has not begun yet.
		}
	}
	return ok
}

// ends of a round of scrub, or of a pause in it.
type scrubEnd int

const (
	scrubDone  scrubEnd = iota
	scrubUrged          // Somebody wants a whole round now.
	scrubOver           // Upkeep has ended, or the drive cannot be read.
)

// scrub verifies the shards of a drive one after another, spread evenly over the interval, again and
// again until ctx ends.
func (u *Upkeep) scrub(ctx context.Context, d Drive, t *tracker) {
	urged := false
	for t.waitWhilePaused(ctx) {
		checked, bad, end := u.scrubRound(ctx, d, t, urged)
		if end == scrubUrged {
			urged = true
			continue
		}
		if end == scrubDone {
			wait := u.scrubPause(d, 0)
			t.finish()
			t.ran(wait)
			u.c.Events.ScrubRound(checked, bad)
			end = u.scrubRest(ctx, d, wait)
		}
		if end == scrubOver {
			return
		}
		urged = end == scrubUrged
	}
}

// scrubRest waits for some time, or until somebody wants a round now.
func (u *Upkeep) scrubRest(ctx context.Context, d Drive, wait time.Duration) scrubEnd {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return scrubOver
	case <-u.urges[d.ID()]:
		return scrubUrged
	case <-t.C:
		return scrubDone
	}
}

// scrubPause returns the pause that spreads the shards of a drive, as many as it has now, over the
// interval.
func (u *Upkeep) scrubPause(d Drive, atLeast int) time.Duration {
	shards := max(int(d.Usage().Shards), atLeast)
	return min(max(u.c.Terms().ScrubInterval/time.Duration(shards+1), minScrubPause), maxScrubPause)
}

// scrubRound verifies every shard of a drive once, and waits while the job is paused. One that somebody has
// urged rests no longer than repair would.
func (u *Upkeep) scrubRound(ctx context.Context, d Drive, t *tracker, urged bool) (checked, bad int, end scrubEnd) {
	t.begin(uint64(d.Usage().Shards), 0, "shards verified")
	for after := (shard.ID{}); ; {
		page, err := d.List(ctx, after, pageItems)
		if err != nil || len(page) == 0 {
			if ctx.Err() != nil {
				end = scrubOver
			}
			return checked, bad, end
		}
		after = page[len(page)-1].ID
		step := u.scrubPause(d, len(page))
		for _, e := range page {
			if urged {
				step = 0
				if u.repairPace.wait(ctx, e.Header.FramedBytes()) != nil {
					return checked, bad, scrubOver
				}
			}
			if end := u.scrubRest(ctx, d, step); end != scrubDone {
				return checked, bad, end
			}
			if !t.waitWhilePaused(ctx) {
				return checked, bad, scrubOver
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
