package state

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
)

// Events, in the model: a list of each target, and how many were lost.

type modelQueue struct {
	waiting []*metapb.Event // With index and number.
	dropped uint64
}

func (m *model) tell(c *metapb.Command, b *metapb.Bucket, kind metapb.EventKind, key string, v *metapb.Version) {
	targets := map[string]bool{}
	for _, r := range b.EventRules {
		if targets[r.Target] || r.Kinds>>kind&1 == 0 || !strings.HasPrefix(key, r.Prefix) || !strings.HasSuffix(key, r.Suffix) {
			continue
		}
		targets[r.Target] = true
		m.queueEvent(r.Target, &metapb.Event{Kind: kind, Rule: r.Id, Bucket: b.Name, BucketOwner: b.Owner, Region: b.Region,
			Key: key, VersionId: v.GetVersionId(), Size: v.GetSize(), Etag: v.GetEtag(), TimeMs: c.TimeMs, Origin: c.Origin,
			Versioned: b.Versioning != 0})
	}
}

func (m *model) queueEvent(target string, e *metapb.Event) {
	q := m.queues[target]
	if q == nil {
		q = &modelQueue{}
		m.queues[target] = q
	}
	if len(q.waiting) >= int(m.limits.eventsMax) {
		q.dropped++
		return
	}
	e.Index, e.Number = m.index, m.told
	m.told++
	q.waiting = append(q.waiting, e)
}

// tellDeleted tells what became of the i-th object of a deletion.
func (m *model) tellDeleted(c *metapb.Command, b *metapb.Bucket, o *metapb.ObjectName, d *metapb.DeleteResult, gone, hidden metapb.EventKind) {
	if d.Refusal != 0 {
		return
	}
	id := d.VersionId
	if id == "null" {
		id = ""
	}
	if o.VersionId == "" && d.DeleteMarker {
		m.tell(c, b, hidden, o.Key, &metapb.Version{VersionId: id})
	} else if d.Existed {
		m.tell(c, b, gone, o.Key, &metapb.Version{VersionId: id})
	}
}

func (m *model) tellUpdated(c *metapb.Command, b *metapb.Bucket, op *metapb.UpdateVersion, v *metapb.Version, before *metapb.Restore) {
	var kinds []metapb.EventKind
	if op.Acl != nil {
		kinds = append(kinds, metapb.EventKind_EVENT_ACL_PUT)
	}
	if op.SetTags && len(op.Tags) > 0 {
		kinds = append(kinds, metapb.EventKind_EVENT_TAGGING_PUT)
	} else if op.SetTags {
		kinds = append(kinds, metapb.EventKind_EVENT_TAGGING_DELETE)
	}
	if op.ClearRestore && before != nil {
		kinds = append(kinds, metapb.EventKind_EVENT_RESTORE_DELETE)
	}
	if op.Restore != nil && op.Restore.Ongoing != before.GetOngoing() {
		if op.Restore.Ongoing {
			kinds = append(kinds, metapb.EventKind_EVENT_RESTORE_POST)
		} else {
			kinds = append(kinds, metapb.EventKind_EVENT_RESTORE_COMPLETED)
		}
	}
	for _, k := range kinds {
		m.tell(c, b, k, op.Key, v)
	}
}

func (m *model) setEventRules(c *metapb.Command, b *metapb.Bucket, rules []*metapb.EventRule) {
	b.EventRules = rules
	told := map[string]bool{}
	for _, r := range rules {
		if !told[r.Target] {
			told[r.Target] = true
			m.queueEvent(r.Target, &metapb.Event{Kind: metapb.EventKind_EVENT_TEST, Rule: r.Id, Bucket: b.Name,
				BucketOwner: b.Owner, Region: b.Region, TimeMs: c.TimeMs, Origin: c.Origin})
		}
	}
}

func (m *model) dropEvents(op *metapb.DropEvents) *metapb.Result {
	q := m.queues[op.Target]
	if q == nil {
		return &metapb.Result{}
	}
	q.waiting = slices.DeleteFunc(slices.Clone(q.waiting), func(e *metapb.Event) bool {
		return cmp.Or(cmp.Compare(e.Index, op.Index), cmp.Compare(e.Number, op.Number)) <= 0
	})
	if len(q.waiting) == 0 && q.dropped == 0 {
		delete(m.queues, op.Target)
	}
	return &metapb.Result{}
}

func (m *model) dumpEvents(add func(keys.Key, proto.Message)) {
	for target, q := range m.queues {
		add(keys.Key{Kind: keys.KindEventQueue, Name: target},
			&metapb.EventQueue{Target: target, Length: uint64(len(q.waiting)), Dropped: q.dropped})
		for _, e := range q.waiting {
			rec := proto.Clone(e).(*metapb.Event)
			rec.Index, rec.Number = 0, 0
			add(keys.Key{Kind: keys.KindEvent, Name: target, Index: e.Index, Part: e.Number}, rec)
		}
	}
}
