package state

import (
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
)

// Object lock and the conditions of deletions, in the model.

func (m *model) judge(c *metapb.Command, b *metapb.Bucket) {
	if b.ObjectLock && c.TimeMs > m.clockMS {
		m.clockMS = c.TimeMs
	}
}

func (m *model) lockNew(b *metapb.Bucket, v *metapb.Version) *metapb.Result {
	if !b.ObjectLock && (v.Retention != nil || v.LegalHold) {
		return no(metapb.Refusal_REFUSAL_NO_OBJECT_LOCK)
	}
	if d := b.DefaultRetention; d != nil && v.Retention == nil {
		until := time.UnixMilli(m.clockMS).UTC().AddDate(int(d.Years), 0, int(d.Days))
		v.Retention = &metapb.Retention{Mode: d.Mode, UntilMs: until.UnixMilli()}
	}
	return nil
}

// kept reports whether a lock keeps a version.
func (m *model) kept(v *metapb.Version, bypass bool) bool {
	governed := v.Retention.GetMode() == metapb.RetentionMode_RETENTION_GOVERNANCE
	return v.LegalHold || v.Retention.GetUntilMs() > m.clockMS && !(governed && bypass)
}

// updateLock changes the lock of a version as it is recorded.
func (m *model) updateLock(b *metapb.Bucket, c *metapb.VersionLock, v *metapb.Version) *metapb.Result {
	if c == nil {
		return nil
	}
	if !b.ObjectLock {
		return no(metapb.Refusal_REFUSAL_NO_OBJECT_LOCK)
	}
	if r := c.Retention; r != nil {
		unheld := &metapb.Version{Retention: v.Retention}
		weaker := r.UntilMs < v.Retention.GetUntilMs() || r.Mode < v.Retention.GetMode()
		if weaker && m.kept(unheld, c.BypassGovernance) {
			return no(metapb.Refusal_REFUSAL_LOCKED)
		}
		if v.Retention = r; r.Mode == metapb.RetentionMode_RETENTION_NONE {
			v.Retention = nil
		}
	}
	if c.LegalHold != metapb.LegalHold_LEGAL_HOLD_AS_IT_IS {
		v.LegalHold = c.LegalHold == metapb.LegalHold_LEGAL_HOLD_ON
	}
	return nil
}

// mayDeleteVersion weighs the conditions of a deletion against the version at a place
// of its key's list, which may be none.
func mayDeleteVersion(o *metapb.ObjectName, list []*metapb.Version, at int) bool {
	if at < 0 || list[at].DeleteMarker {
		return o.IfMatch == ""
	}
	v := list[at]
	return (o.IfMatch == "" || o.IfMatch == "*" || o.IfMatch == v.Etag) &&
		(o.IfSize == nil || o.GetIfSize() == v.Size) &&
		(o.IfModifiedS == nil || o.GetIfModifiedS() == v.ModifiedMs/1000)
}
