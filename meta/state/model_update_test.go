package state

import (
	"bytes"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
)

// Changes of versions, in the model.

func (m *model) updateVersion(c *metapb.Command, op *metapb.UpdateVersion) *metapb.Result {
	b := m.buckets[op.Bucket]
	if b == nil {
		return no(metapb.Refusal_REFUSAL_NO_SUCH_BUCKET)
	}
	m.judge(c, b)
	list, id, missing := m.versions[objectName{b.Id, op.Key}], op.VersionId, metapb.Refusal_REFUSAL_NO_SUCH_VERSION
	at := 0
	switch {
	case id == "":
		missing = metapb.Refusal_REFUSAL_NO_SUCH_KEY
	case id == "null":
		at = indexOfVersion(list, "")
	default:
		at = indexOfVersion(list, id)
	}
	if at < 0 || at >= len(list) || list[at].DeleteMarker {
		return no(missing)
	}
	v := proto.Clone(list[at]).(*metapb.Version) // Answers hold the old one.
	if len(op.ContentId) > 0 && !bytes.Equal(op.ContentId, v.ContentId) {
		return no(metapb.Refusal_REFUSAL_PRECONDITION_FAILED)
	}
	if refusal := m.updateLock(b, op.Lock, v); refusal != nil {
		return refusal
	}
	before := v.Restore
	if op.Restore != nil {
		if refusal := m.addCopy(c, op, v); refusal != nil {
			return refusal
		}
	}
	if old := v.Restore; op.Restore != nil || op.ClearRestore {
		v.Restore = op.Restore
		if !bytes.Equal(old.GetContentId(), v.Restore.GetContentId()) {
			m.dropCopy(old)
		}
		if v.Restore != nil {
			m.dropCopy(v.Transition)
			v.Transition = nil
		}
	}
	if op.Acl != nil {
		v.Acl = op.Acl
	}
	if op.SetTags {
		v.Tags = op.Tags
	}
	list[at] = v
	m.tellUpdated(c, b, op, v, before)
	return &metapb.Result{Version: v}
}

// addCopy adds what a command brings of a warm copy.
func (m *model) addCopy(c *metapb.Command, op *metapb.UpdateVersion, v *metapb.Version) *metapb.Result {
	r, old := op.Restore, v.Restore
	invalid := no(metapb.Refusal_REFUSAL_INVALID)
	if len(r.ContentId) == 0 {
		if len(op.Parts) > 0 {
			return invalid
		}
		return nil
	}
	if r.Parts != v.Parts {
		return invalid
	}
	id := keys.ID(r.ContentId)
	known := bytes.Equal(old.GetContentId(), r.ContentId)
	if known && !old.Ongoing {
		if r.Ongoing || len(op.Parts) > 0 {
			return invalid
		}
		return nil
	}
	if !known && (len(op.Parts) == 0 || len(m.numbersOf(id)) > 0 || m.dropped[id] != nil) {
		return invalid
	}
	want := map[uint32]uint64{1: v.Size}
	if v.Parts > 0 {
		l := m.layouts[keys.ID(v.ContentId)]
		want = map[uint32]uint64{}
		for i, n := range l.Numbers {
			want[n] = l.Sizes[i]
		}
	}
	got := map[uint32]uint64{}
	for n := range m.numbersOf(id) {
		got[n] = m.parts[partName{id, n}].Size
	}
	var refs []*metapb.ExtentRef
	for _, p := range op.Parts {
		if v.Parts == 0 && p.Number != 1 {
			return invalid
		}
		got[p.Number] = p.Size
		refs = append(refs, p.Extents...)
	}
	for n, size := range want {
		if s, found := got[n]; !r.Ongoing && (!found || s != size || len(got) != len(want)) {
			return invalid
		}
	}
	if refusal := m.check(c, refs, op.Extents); refusal != nil {
		return refusal
	}
	for _, p := range op.Parts {
		p.ModifiedMs = c.TimeMs
		m.parts[partName{id, p.Number}] = p
	}
	if op.Layout != nil {
		m.layouts[id] = op.Layout
	}
	return nil
}
