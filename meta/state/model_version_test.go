package state

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
)

// The versions of objects, in the model: a list of each key, newest first.

func conditionsMet(c *metapb.Conditions, list []*metapb.Version) *metapb.Result {
	var v *metapb.Version
	if len(list) > 0 && !list[0].DeleteMarker {
		v = list[0]
	}
	named := func(tags string) bool { return tags == "*" || strings.Contains(tags, v.Etag) }
	switch {
	case c.GetIfMatch() != "" && v == nil:
		return no(metapb.Refusal_REFUSAL_NO_SUCH_KEY)
	case c.GetIfMatch() != "" && !named(c.IfMatch), c.GetIfNoneMatch() != "" && v != nil && named(c.IfNoneMatch):
		return no(metapb.Refusal_REFUSAL_PRECONDITION_FAILED)
	}
	return nil
}

func indexOfVersion(list []*metapb.Version, id string) int {
	return slices.IndexFunc(list, func(v *metapb.Version) bool { return v.VersionId == id })
}

// nameVersion gives a version its id; false if the key has one of it.
func (m *model) nameVersion(b *metapb.Bucket, key string, v *metapb.Version, salt uint64) bool {
	if b.Versioning != metapb.Versioning_VERSIONING_ENABLED {
		v.VersionId = ""
		return true
	}
	v.VersionId = cmp.Or(v.VersionId, fmt.Sprintf("%016x%016x", m.index, salt))
	return indexOfVersion(m.versions[objectName{b.Id, key}], v.VersionId) < 0
}

// addVersion puts a version, which has its id, before the others of its key, but for
// the one of that id: only the null version is ever replaced.
func (m *model) addVersion(c *metapb.Command, name objectName, v *metapb.Version) {
	v.Order, v.ModifiedMs = m.index, c.TimeMs
	m.removeVersion(name, indexOfVersion(m.versions[name], v.VersionId))
	m.versions[name] = slices.Insert(m.versions[name], 0, v)
}

func (m *model) removeVersion(name objectName, i int) {
	if i < 0 {
		return
	}
	v := m.versions[name][i]
	m.versions[name] = slices.Delete(m.versions[name], i, i+1)
	if !v.DeleteMarker {
		m.drop(keys.ID(v.ContentId), v.Parts > 0)
	}
	m.dropCopy(v.Restore)
	m.dropCopy(v.Transition)
}

func (m *model) dropCopy(r *metapb.Restore) {
	if len(r.GetContentId()) > 0 {
		m.drop(keys.ID(r.ContentId), r.Parts > 0)
	}
}

func (m *model) deleteObjects(c *metapb.Command, op *metapb.DeleteObjects) *metapb.Result {
	b := m.buckets[op.Bucket]
	if b == nil {
		return no(metapb.Refusal_REFUSAL_NO_SUCH_BUCKET)
	}
	m.judge(c, b)
	m.budget += m.limits.perObject * len(op.Objects)
	r := &metapb.Result{}
	for i, o := range op.Objects {
		markerID := ""
		if i < len(op.NewVersionIds) {
			markerID = op.NewVersionIds[i]
		}
		d := m.deleteOne(c, b, o, op.Owner, markerID, uint64(i))
		m.tellDeleted(c, b, o, d, metapb.EventKind_EVENT_DELETE, metapb.EventKind_EVENT_DELETE_MARKER)
		r.Deleted = append(r.Deleted, d)
	}
	return r
}

func (m *model) deleteOne(c *metapb.Command, b *metapb.Bucket, o *metapb.ObjectName, owner, markerID string, salt uint64) *metapb.DeleteResult {
	name := objectName{b.Id, o.Key}
	if o.VersionId == "" && b.Versioning != metapb.Versioning_VERSIONING_OFF {
		return m.hide(c, b, name, o, owner, markerID, salt)
	}
	d := &metapb.DeleteResult{VersionId: o.VersionId}
	id := o.VersionId
	if id == "null" {
		id = ""
	}
	at := indexOfVersion(m.versions[name], id)
	switch {
	case !mayDeleteVersion(o, m.versions[name], at):
		d.Refusal, d.VersionId = metapb.Refusal_REFUSAL_PRECONDITION_FAILED, ""
	case at >= 0 && m.kept(m.versions[name][at], o.BypassGovernance):
		d.Refusal, d.VersionId = metapb.Refusal_REFUSAL_LOCKED, ""
	case at >= 0:
		d.Existed, d.DeleteMarker = true, m.versions[name][at].DeleteMarker
		m.removeVersion(name, at)
	case id != "":
		d.Refusal = metapb.Refusal_REFUSAL_NO_SUCH_VERSION
	}
	return d
}

func (m *model) hide(c *metapb.Command, b *metapb.Bucket, name objectName, o *metapb.ObjectName, owner, markerID string, salt uint64) *metapb.DeleteResult {
	list := m.versions[name]
	if len(list) > 0 && list[0].DeleteMarker && list[0].Order == m.index {
		return &metapb.DeleteResult{DeleteMarker: true, VersionId: cmp.Or(list[0].VersionId, "null")}
	}
	if !mayDeleteVersion(o, list, min(0, len(list)-1)) {
		return &metapb.DeleteResult{Refusal: metapb.Refusal_REFUSAL_PRECONDITION_FAILED}
	}
	marker := &metapb.Version{DeleteMarker: true, Owner: owner, VersionId: markerID}
	if !m.nameVersion(b, name.key, marker, salt) {
		return &metapb.DeleteResult{Refusal: metapb.Refusal_REFUSAL_INVALID}
	}
	existed := len(list) > 0 && !list[0].DeleteMarker
	m.addVersion(c, name, marker)
	return &metapb.DeleteResult{Existed: existed, DeleteMarker: true, VersionId: cmp.Or(marker.VersionId, "null")}
}

// dumpVersions adds the records of versions.
func (m *model) dumpVersions(add func(keys.Key, proto.Message), raw func(keys.Key, []byte)) {
	buckets := map[uint64]string{}
	for name, b := range m.buckets {
		buckets[b.Id] = name
	}
	for n, list := range m.versions {
		for i, v := range list {
			k := keys.Key{Kind: keys.KindObject, Bucket: n.bucket, Name: n.key}
			if i > 0 {
				k.Older, k.Order = true, v.Order
				raw(keys.Key{Kind: keys.KindVersionID, Bucket: n.bucket, Name: n.key, VersionID: v.VersionId},
					binary.BigEndian.AppendUint64(nil, v.Order))
			}
			add(k, v)
			r := v.Restore
			if r.GetOngoing() || r.GetExpiresMs() != 0 {
				at := r.ExpiresMs
				if r.Ongoing {
					at = r.DueMs
				}
				raw(keys.Key{Kind: keys.KindRestore, Index: uint64(at), Bucket: n.bucket, Name: n.key, Order: v.Order},
					[]byte(buckets[n.bucket]))
			}
		}
	}
}
