package state

import (
	"bytes"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
)

// What lifecycle rules do, in the model.

// named returns the place of a version in the list of its key; -1: there is none.
func named(list []*metapb.Version, id string) int {
	switch {
	case id == "" && len(list) > 0:
		return 0
	case id == "":
		return -1
	case id == "null":
		id = ""
	}
	return indexOfVersion(list, id)
}

func (m *model) expireVersions(c *metapb.Command, op *metapb.ExpireVersions) *metapb.Result {
	b := m.buckets[op.Bucket]
	if b == nil {
		return no(metapb.Refusal_REFUSAL_NO_SUCH_BUCKET)
	}
	m.judge(c, b)
	m.budget += m.limits.perObject * len(op.Items)
	r := &metapb.Result{}
	for _, it := range op.Items {
		if !m.stands(b, it) {
			r.Deleted = append(r.Deleted, &metapb.DeleteResult{Refusal: metapb.Refusal_REFUSAL_PRECONDITION_FAILED, VersionId: it.VersionId})
			continue
		}
		o := &metapb.ObjectName{Key: it.Key, VersionId: it.VersionId}
		if it.Expiry == metapb.Expiry_EXPIRY_CURRENT {
			o.VersionId = ""
		}
		d := m.deleteOne(c, b, o, op.Owner, it.NewVersionId, 0)
		m.tellDeleted(c, b, o, d, metapb.EventKind_EVENT_EXPIRATION_DELETE, metapb.EventKind_EVENT_EXPIRATION_MARKER)
		r.Deleted = append(r.Deleted, d)
	}
	return r
}

func (m *model) stands(b *metapb.Bucket, it *metapb.ExpireItem) bool {
	list := m.versions[objectName{b.Id, it.Key}]
	at := named(list, it.VersionId)
	if it.VersionId == "" || at < 0 || list[at].Order != it.Order {
		return false
	}
	if it.CheckTags && !proto.Equal(&metapb.Version{Tags: it.Tags}, &metapb.Version{Tags: list[at].Tags}) {
		return false
	}
	switch it.Expiry {
	case metapb.Expiry_EXPIRY_CURRENT:
		return at == 0 && !list[at].DeleteMarker
	case metapb.Expiry_EXPIRY_OLDER:
		return at > 0
	case metapb.Expiry_EXPIRY_MARKER:
		return at == 0 && list[at].DeleteMarker && len(list) == 1
	}
	return false
}

func (m *model) transitionVersion(c *metapb.Command, op *metapb.TransitionVersion) *metapb.Result {
	b := m.buckets[op.Bucket]
	if b == nil {
		return no(metapb.Refusal_REFUSAL_NO_SUCH_BUCKET)
	}
	list := m.versions[objectName{b.Id, op.Key}]
	at := named(list, op.VersionId)
	if at < 0 || list[at].DeleteMarker {
		return no(metapb.Refusal_REFUSAL_NO_SUCH_VERSION)
	}
	v := proto.Clone(list[at]).(*metapb.Version) // Answers hold the old one.
	if !bytes.Equal(op.ContentId, v.ContentId) || v.Restore != nil ||
		op.CheckTags && !proto.Equal(&metapb.Version{Tags: op.Tags}, &metapb.Version{Tags: v.Tags}) {
		return no(metapb.Refusal_REFUSAL_PRECONDITION_FAILED)
	}
	old := v.Transition
	if len(op.NewContentId) == 0 {
		if !op.Done || len(op.Parts) > 0 {
			return no(metapb.Refusal_REFUSAL_INVALID)
		}
		m.dropCopy(old)
		v.Transition = nil
	} else {
		staged := &metapb.Restore{Ongoing: !op.Done, ContentId: op.NewContentId, Parts: v.Parts}
		holder := proto.Clone(v).(*metapb.Version)
		holder.Restore = old
		if refusal := m.addCopy(c, &metapb.UpdateVersion{Restore: staged, Parts: op.Parts, Extents: op.Extents, Layout: op.Layout}, holder); refusal != nil {
			return refusal
		}
		if old != nil && !bytes.Equal(old.ContentId, staged.ContentId) {
			m.dropCopy(old)
		}
		v.Transition = staged
		if op.Done {
			m.drop(keys.ID(v.ContentId), v.Parts > 0)
			v.ContentId, v.Transition = op.NewContentId, nil
		}
	}
	if op.Done {
		if v.Attributes == nil {
			v.Attributes = &metapb.Attributes{}
		}
		v.Attributes.StorageClass = op.StorageClass
		m.tell(c, b, metapb.EventKind_EVENT_TRANSITION, op.Key, v)
	}
	list[at] = v
	return &metapb.Result{Version: v}
}
