package stripe

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
)

// How long a fanout waits for its slots: to open, to make room, to commit.

// slowestLocked returns how far the slowest sender at work is, how many senders are further, and
// how many are no further.
func (f *fanout) slowestLocked() (low, ahead, behind int) {
	low = f.admitted
	for i := range f.senders {
		if s := &f.senders[i]; !s.state.settled() {
			low = min(low, s.sent)
		}
	}
	for i := range f.senders {
		switch s := &f.senders[i]; {
		case s.state.settled():
		case s.sent > low:
			ahead++
		default:
			behind++
		}
	}
	return low, ahead, behind
}

// sleep waits until something changes, the context ends, or limit has passed since a time. It
// reports whether the latter was so.
func (f *fanout) sleep(since time.Time, limit time.Duration) (expired bool, err error) {
	left := limit - time.Since(since)
	if left <= 0 {
		return true, nil
	}
	f.alarm = rearm(f.alarm, left)
	defer f.alarm.Stop()
	select {
	case <-f.changed:
		return false, nil
	case <-f.alarm.C:
		return true, nil
	case <-f.ctx.Done():
		return false, f.canceled()
	}
}

func (f *fanout) canceled() error {
	return errs.New(f.op, errs.Canceled, context.Cause(f.ctx))
}

// ready waits until a quorum of slots has opened, or until no more can open and those that have are
// enough. Other slots may still follow while the write goes on.
func (f *fanout) ready() error {
	began := time.Now()
	for {
		f.mu.Lock()
		opened, unsure := 0, 0
		for i := range f.senders {
			switch f.senders[i].state {
			case opening:
				unsure++
			case sending:
				opened++
			}
		}
		err := f.err
		f.mu.Unlock()
		if err != nil || opened >= f.quorum || unsure == 0 {
			return err
		}
		expired, err := f.sleep(began, f.e.slotStall)
		if err != nil {
			return err
		}
		if expired {
			if opened >= f.need {
				return nil
			}
			return errs.Newf(f.op, errs.Unavailable, "%d of %d slots opened within %s, %d are needed",
				opened, len(f.senders), f.e.slotStall, f.need)
		}
	}
}

// admit waits until another stripe may be in memory. Slots that hold the write up for too long
// while others go on are dropped.
func (f *fanout) admit() error {
	var since time.Time
	last := -1
	for {
		if err := f.ctx.Err(); err != nil {
			return f.canceled()
		}
		f.mu.Lock()
		low, ahead, behind := f.slowestLocked()
		if f.err == nil && f.admitted-low < WindowStripes {
			f.admitted++
			f.mu.Unlock()
			return nil
		}
		err := f.err
		f.mu.Unlock()
		if err != nil {
			return err
		}
		if low != last {
			last, since = low, time.Now()
		}
		limit := f.e.slotStall
		switch {
		case ahead >= f.quorum:
		case ahead >= f.need:
			limit *= 2 // Dropping them costs the quorum, so they get more time.
		default:
			limit *= patience
		}
		expired, err := f.sleep(since, limit)
		if err != nil {
			return err
		}
		if expired {
			f.drop(func(s *sender) bool { return s.sent <= low },
				errs.Newf(f.op, errs.Unavailable, "the slot held the write up for %s, with %d slots ahead and %d behind", limit, ahead, behind))
		}
	}
}

// wait returns the slots that are durable. When a quorum is durable, the other senders get
// StragglerWait and as long again as the quorum took. Before that, the senders at work get as long
// as any of them gets on at all.
func (f *fanout) wait() (shard.SlotSet, error) {
	for {
		f.mu.Lock()
		live, done := f.countLocked()
		since, limit := f.moved, patience*f.e.slotStall
		if done >= f.quorum {
			since, limit = f.reached, f.e.stragglerWait+f.reached.Sub(f.finished)
		}
		set, err := f.durableLocked(), f.err
		f.mu.Unlock()
		if err != nil {
			return set, err
		}
		if live == 0 {
			return set, nil
		}
		expired, err := f.sleep(since, limit)
		if err != nil {
			return 0, err
		}
		if expired {
			f.drop(func(*sender) bool { return true },
				errs.Newf(f.op, errs.Unavailable, "the slot did not commit within %s, with %d others durable", limit, done))
		}
	}
}

// rearm sets a stopped timer, or makes one where there is none yet.
func rearm(t *time.Timer, d time.Duration) *time.Timer {
	if t == nil {
		return time.NewTimer(d)
	}
	t.Reset(d)
	return t
}
