package state

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// Object lock. Time is that of proposers; the latest one by which a lock was judged
// is kept, so that what is over for one command is over for all that follow.

// judge sets the time that retentions of a bucket are compared with. Every command
// that makes, changes or deletes versions calls it before it looks at a lock.
func (t *tx) judge(b *metapb.Bucket) {
	if b.ObjectLock {
		t.applied.ClockMs = max(t.applied.ClockMs, t.cmd.TimeMs)
	}
}

// lowerClock sets the clock back to what the proposer proves, never below the time of
// the command itself.
func (t *tx) lowerClock(c *metapb.LowerClock) *metapb.Result {
	if t.cmd.TimeMs <= 0 {
		return invalid("the command has no time")
	}
	t.applied.ClockMs = min(t.applied.ClockMs, max(c.ToMs, t.cmd.TimeMs))
	return &metapb.Result{}
}

// lock is what keeps a version.
type lock struct {
	mode    metapb.RetentionMode
	untilMS int64
	hold    bool
}

// unmarshalRetention reads the retention of a version.
func (l *lock) unmarshalRetention(b []byte) error {
	return record.Fields(b, func(num protowire.Number, v uint64, _ []byte) error {
		switch num {
		case 1:
			l.mode = metapb.RetentionMode(v)
		case 2:
			l.untilMS = int64(v)
		}
		return nil
	})
}

// keeps reports whether a lock keeps its version from who may or may not pass by a
// governance retention.
func (t *tx) keeps(l *lock, bypass bool) bool {
	switch {
	case l.hold:
		return true
	case l.mode == metapb.RetentionMode_RETENTION_NONE || l.mode == metapb.RetentionMode_RETENTION_GOVERNANCE && bypass:
		return false
	}
	return l.untilMS > t.applied.ClockMs
}

// lockNew gives a new version the bucket's default retention if it has none of its
// own, or says why it cannot be locked.
func (t *tx) lockNew(b *metapb.Bucket, v *metapb.Version) *metapb.Result {
	if !b.ObjectLock {
		if v.Retention != nil || v.LegalHold {
			return refuse(metapb.Refusal_REFUSAL_NO_OBJECT_LOCK)
		}
		return nil
	}
	if v.Retention != nil {
		return checkRetention(v.Retention)
	}
	if d := b.DefaultRetention; d != nil {
		from := time.UnixMilli(t.applied.ClockMs).UTC()
		v.Retention = &metapb.Retention{Mode: d.Mode, UntilMs: from.AddDate(int(d.Years), 0, int(d.Days)).UnixMilli()}
	}
	return nil
}

func checkRetention(r *metapb.Retention) *metapb.Result {
	switch r.Mode {
	case metapb.RetentionMode_RETENTION_GOVERNANCE, metapb.RetentionMode_RETENTION_COMPLIANCE:
		return nil
	}
	return invalid("a retention needs a mode")
}

// updateLock changes the lock of a version as c says. What keeps it may be made
// longer and stricter by everybody; anything else takes a governance retention and
// who may pass it by, or the end of the retention.
func (t *tx) updateLock(b *metapb.Bucket, c *metapb.VersionLock, v *metapb.Version) *metapb.Result {
	if c == nil {
		return nil
	}
	if !b.ObjectLock {
		return refuse(metapb.Refusal_REFUSAL_NO_OBJECT_LOCK)
	}
	if r := c.Retention; r != nil {
		ends := r.Mode == metapb.RetentionMode_RETENTION_NONE
		if !ends {
			if refusal := checkRetention(r); refusal != nil {
				return refusal
			}
		}
		old := &lock{mode: v.Retention.GetMode(), untilMS: v.Retention.GetUntilMs()}
		if t.keeps(old, c.BypassGovernance) && (r.UntilMs < old.untilMS || r.Mode < old.mode) {
			return refuse(metapb.Refusal_REFUSAL_LOCKED)
		}
		if v.Retention = r; ends {
			v.Retention = nil
		}
	}
	switch c.LegalHold {
	case metapb.LegalHold_LEGAL_HOLD_ON:
		v.LegalHold = true
	case metapb.LegalHold_LEGAL_HOLD_OFF:
		v.LegalHold = false
	}
	return nil
}

// lockBucket turns object lock on, or says why not.
func lockBucket(b *metapb.Bucket, c *metapb.BucketLock) *metapb.Result {
	if b.Versioning != metapb.Versioning_VERSIONING_ENABLED {
		return refuse(metapb.Refusal_REFUSAL_BUCKET_LOCKED)
	}
	if d := c.DefaultRetention; d != nil {
		if refusal := checkRetention(&metapb.Retention{Mode: d.Mode}); refusal != nil {
			return refusal
		}
		if (d.Days == 0) == (d.Years == 0) || d.Days > RetentionMaxDays || d.Years > RetentionMaxYears {
			return invalid("a default retention has either days or years, not too many")
		}
	}
	b.ObjectLock, b.DefaultRetention = true, c.DefaultRetention
	return nil
}

// Bounds of a default retention.
const (
	RetentionMaxDays  = 36500
	RetentionMaxYears = 100
)
