package state

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// Object lock. Apply reads no clock, so retentions are compared with the times that proposers put
// into commands. The latest of these by which a lock was ever judged is kept (Applied.clock_ms):
// a retention that is over for one command is over for all that follow.

// judge raises the time that retentions are compared with to that of the command. A command that
// makes, changes or deletes versions must call it before it looks at a lock. A bucket without
// object lock has no retentions, and does not move the time.
func (t *tx) judge(b *metapb.Bucket) {
	if b.ObjectLock {
		t.applied.ClockMs = max(t.applied.ClockMs, t.cmd.TimeMs)
	}
}

// lowerClock sets that time back where a clock that was ahead has raised it: to the time that the
// command gives, or to the command's own if that is later. It never raises it.
func (t *tx) lowerClock(c *metapb.LowerClock) *metapb.Result {
	if t.cmd.TimeMs <= 0 {
		return invalid("the command has no time")
	}
	t.applied.ClockMs = min(t.applied.ClockMs, max(c.ToMs, t.cmd.TimeMs))
	return &metapb.Result{}
}

// lock is what keeps a version from being deleted.
type lock struct {
	mode    metapb.RetentionMode
	untilMS int64
	hold    bool
}

// unmarshalRetention reads the retention from the record of a version.
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

// keeps reports whether a lock keeps its version. bypass says whether whoever asks may pass by a
// retention of the governance mode.
func (t *tx) keeps(l *lock, bypass bool) bool {
	switch {
	case l.hold:
		return true
	case l.mode == metapb.RetentionMode_RETENTION_NONE || l.mode == metapb.RetentionMode_RETENTION_GOVERNANCE && bypass:
		return false
	}
	return l.untilMS > t.applied.ClockMs
}

// lockNew gives a new version the default retention of its bucket if it comes with none. It
// refuses a version with a lock in a bucket without object lock.
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

// updateLock changes the lock of a version as c says. While a retention keeps the version it can
// be made longer and stricter, and nothing else: unless it is of the governance mode and the
// command may pass it by. A legal hold can be set and lifted at any time.
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

// lockBucket turns the object lock of a bucket on, with a default retention or without. It is
// refused if the bucket does not keep versions, since a locked version must not be replaced.
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
