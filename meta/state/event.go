package state

import (
	"bytes"
	"slices"
	"strings"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// An event is queued by the command that makes the change, in the same batch: so there is neither
// a change without its event nor an event without its change. A queue holds the events of one
// target, in the order of the log. A bucket without rules costs one comparison.

// Limits of events.
const (
	EventQueueMax  = 1_000_000 // Events that wait for one target. More are lost, and counted.
	EventRulesMax  = 100       // Rules of one bucket.
	EventsDropMax  = 1000      // Events that one DropEvents removes.
	eventTargetMax = 256       // Bytes of the name of a target.
)

// tell queues an event of what happened to a version, for each target that a rule of the bucket
// names for it.
func (t *tx) tell(b *metapb.Bucket, kind metapb.EventKind, key string, v *metapb.Version) {
	if len(b.EventRules) == 0 {
		return
	}
	e := &metapb.Event{Kind: kind, Bucket: b.Name, BucketOwner: b.Owner, Region: b.Region, Key: key,
		VersionId: v.GetVersionId(), Size: v.GetSize(), Etag: v.GetEtag(), TimeMs: t.cmd.TimeMs, Origin: t.cmd.Origin,
		Versioned: b.Versioning != metapb.Versioning_VERSIONING_OFF}
	var told []string // A target is told of a change once, however many rules match.
	for _, r := range b.EventRules {
		if r.Kinds&(1<<kind) != 0 && strings.HasPrefix(key, r.Prefix) && strings.HasSuffix(key, r.Suffix) &&
			!slices.Contains(told, r.Target) {
			told = append(told, r.Target)
			e.Rule = r.Id
			t.queueEvent(r.Target, e)
		}
	}
}

// queueEvent puts an event at the end of the queue of a target. If the queue is full, the event
// is lost and counted.
func (t *tx) queueEvent(target string, e *metapb.Event) {
	q := &metapb.EventQueue{Target: target}
	t.get(keys.AppendEventQueue(t.key(), target), q)
	if q.Length >= t.eventsMax {
		q.Dropped++
	} else {
		q.Length++
		t.set(keys.AppendEvent(t.key(), target, t.position, t.events), e)
		t.events++
	}
	t.set(keys.AppendEventQueue(t.key(), target), q)
}

// tellDeleted tells of a deletion, if it did anything: of the kind gone if a version was removed,
// of the kind hidden if a delete marker was made.
func (t *tx) tellDeleted(
	b *metapb.Bucket, o *metapb.ObjectName, r *metapb.DeleteResult, gone, hidden metapb.EventKind,
) {
	v := &metapb.Version{VersionId: record.StoredVersionID(r.VersionId)}
	switch {
	case r.Refusal != metapb.Refusal_REFUSAL_NONE:
	case o.VersionId == "" && r.DeleteMarker:
		t.tell(b, hidden, o.Key, v)
	case r.Existed:
		t.tell(b, gone, o.Key, v)
	}
}

// tellUpdated tells of what a command has changed of a version: its ACL, its tags, its restore.
// before is the restore that it had.
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

// setEventRules replaces the rules of a bucket, and queues a test event for each of their
// targets.
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

// checkEventRules refuses too many rules, and a rule whose target has no name or too long a one.
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

// dropEvents removes the events of a target up to the one that the command names, which were
// delivered. It removes at most EventsDropMax, and says whether there are more.
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
