package state

import (
	"bytes"
	"slices"
	"strings"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// Events are queued by the command that makes the change, so there is one just if
// there is the other. A queue is the events of one target, in the order of the log.
// Buckets without rules pay for none of it.

// Limits of events.
const (
	EventQueueMax  = 1_000_000 // Events that wait for one target. Those beyond are counted, and lost.
	EventRulesMax  = 100       // Of a bucket.
	EventsDropMax  = 1000      // Events that one DropEvents removes.
	eventTargetMax = 256       // Bytes of a target's name.
)

// tell queues what happened to a version, for every target whose rules ask for it.
func (t *tx) tell(b *metapb.Bucket, kind metapb.EventKind, key string, v *metapb.Version) {
	if len(b.EventRules) == 0 {
		return
	}
	e := &metapb.Event{Kind: kind, Bucket: b.Name, BucketOwner: b.Owner, Region: b.Region, Key: key,
		VersionId: v.GetVersionId(), Size: v.GetSize(), Etag: v.GetEtag(), TimeMs: t.cmd.TimeMs, Origin: t.cmd.Origin,
		Versioned: b.Versioning != metapb.Versioning_VERSIONING_OFF}
	var told []string // A target hears of a change once, however many rules match.
	for _, r := range b.EventRules {
		if r.Kinds&(1<<kind) != 0 && strings.HasPrefix(key, r.Prefix) && strings.HasSuffix(key, r.Suffix) &&
			!slices.Contains(told, r.Target) {
			told = append(told, r.Target)
			e.Rule = r.Id
			t.queueEvent(r.Target, e)
		}
	}
}

// queueEvent puts an event at the end of a target's queue, if there is room.
func (t *tx) queueEvent(target string, e *metapb.Event) {
	q := &metapb.EventQueue{Target: target}
	t.get(keys.AppendEventQueue(t.key(), target), q)
	if q.Length >= t.eventsMax {
		q.Dropped++
	} else {
		q.Length++
		t.set(keys.AppendEvent(t.key(), target, t.index, t.events), e)
		t.events++
	}
	t.set(keys.AppendEventQueue(t.key(), target), q)
}

// tellDeleted tells of a deletion, if it did anything: of a version that is gone, or
// of a marker that was made because none was named.
func (t *tx) tellDeleted(b *metapb.Bucket, o *metapb.ObjectName, r *metapb.DeleteResult, gone, hidden metapb.EventKind) {
	v := &metapb.Version{VersionId: record.StoredVersionID(r.VersionId)}
	switch {
	case r.Refusal != metapb.Refusal_REFUSAL_NONE:
	case o.VersionId == "" && r.DeleteMarker:
		t.tell(b, hidden, o.Key, v)
	case r.Existed:
		t.tell(b, gone, o.Key, v)
	}
}

// tellUpdated tells of what a client changes of a version, and of its restore.
func (t *tx) tellUpdated(b *metapb.Bucket, c *metapb.UpdateVersion, v *metapb.Version, before *metapb.Restore) {
	if len(b.EventRules) == 0 {
		return
	}
	if c.Acl != nil {
		t.tell(b, metapb.EventKind_EVENT_ACL_PUT, c.Key, v)
	}
	switch {
	case !c.SetTags:
	case len(c.Tags) > 0:
		t.tell(b, metapb.EventKind_EVENT_TAGGING_PUT, c.Key, v)
	default:
		t.tell(b, metapb.EventKind_EVENT_TAGGING_DELETE, c.Key, v)
	}
	switch {
	case c.ClearRestore && before != nil:
		t.tell(b, metapb.EventKind_EVENT_RESTORE_DELETE, c.Key, v)
	case c.Restore == nil:
	case c.Restore.Ongoing && !before.GetOngoing():
		t.tell(b, metapb.EventKind_EVENT_RESTORE_POST, c.Key, v)
	case !c.Restore.Ongoing && before.GetOngoing():
		t.tell(b, metapb.EventKind_EVENT_RESTORE_COMPLETED, c.Key, v)
	}
}

// setEventRules replaces the rules of a bucket and sends each of their targets a test.
func (t *tx) setEventRules(b *metapb.Bucket, rules []*metapb.EventRule) {
	b.EventRules = rules
	var told []string
	for _, r := range rules {
		if !slices.Contains(told, r.Target) {
			told = append(told, r.Target)
			t.queueEvent(r.Target, &metapb.Event{Kind: metapb.EventKind_EVENT_TEST, Rule: r.Id, Bucket: b.Name,
				BucketOwner: b.Owner, Region: b.Region, TimeMs: t.cmd.TimeMs, Origin: t.cmd.Origin})
		}
	}
}

// checkEventRules says what is wrong with rules.
func checkEventRules(rules []*metapb.EventRule) *metapb.Result {
	if len(rules) > EventRulesMax {
		return refuse(metapb.Refusal_REFUSAL_TOO_MANY)
	}
	for _, r := range rules {
		if r.Target == "" || len(r.Target) > eventTargetMax {
			return invalid("a rule of events has no target, or one whose name is too long")
		}
	}
	return nil
}

// dropEvents takes events that were delivered out of their queue.
func (t *tx) dropEvents(c *metapb.DropEvents) *metapb.Result {
	r := &metapb.Result{}
	var gone [][]byte
	lower := keys.AppendEvents(nil, c.Target)
	upper := append(keys.AppendEvent(nil, c.Target, c.Index, c.Number), 0)
	t.fail(record.Scan(t.batch, lower, upper, func(key, _ []byte) error {
		if len(gone) == EventsDropMax {
			r.More = true
			return record.ErrStop
		}
		gone = append(gone, bytes.Clone(key))
		return nil
	}))
	if len(gone) == 0 {
		return r
	}
	for _, key := range gone {
		t.del(key)
	}
	q := new(metapb.EventQueue)
	if !t.get(keys.AppendEventQueue(t.key(), c.Target), q) || q.Length < uint64(len(gone)) {
		t.fail(t.corrupt("events wait in a queue that does not count them"))
		return r
	}
	q.Length -= uint64(len(gone))
	if q.Length == 0 && q.Dropped == 0 {
		t.del(keys.AppendEventQueue(t.key(), c.Target))
	} else {
		t.set(keys.AppendEventQueue(t.key(), c.Target), q)
	}
	return r
}
