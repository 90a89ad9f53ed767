package state

import (
	"bytes"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
)

// transitionVersion changes the storage class of a version, or brings some of the content that it
// will have then. That content is made as a warm copy is (addCopy). The last command, which is
// done, puts it in the place of the old one. It is refused if the version has another content by
// now, is restored, or has other tags than the rule has judged.
func (t *tx) transitionVersion(c *metapb.TransitionVersion) *metapb.Result {
	b := t.bucket(c.Bucket)
	if b == nil {
		return refuse(metapb.Refusal_REFUSAL_NO_SUCH_BUCKET)
	}
	h, latest, found := t.find(b, c.Key, c.VersionId)
	switch {
	case !found || h.deleteMarker:
		return refuse(metapb.Refusal_REFUSAL_NO_SUCH_VERSION)
	case !bytes.Equal(c.ContentId, h.content[:]) || h.restore != nil:
		return refuse(metapb.Refusal_REFUSAL_PRECONDITION_FAILED)
	}
	v := new(metapb.Version)
	if !t.get(t.keyOf(b, c.Key, &h, latest), v) {
		t.fail(t.corrupt("a version is gone while it is changed"))
		return invalid("")
	}
	if c.CheckTags && !sameTags(v.Tags, c.Tags) {
		return refuse(metapb.Refusal_REFUSAL_PRECONDITION_FAILED)
	}
	if refusal := t.stage(c, v); refusal != nil {
		return refusal
	}
	if c.Done {
		if v.Attributes == nil {
			v.Attributes = new(metapb.Attributes)
		}
		v.Attributes.StorageClass = c.StorageClass
	}
	t.set(t.keyOf(b, c.Key, &h, latest), v)
	if c.Done {
		t.tell(b, metapb.EventKind_EVENT_TRANSITION, c.Key, v)
	}
	return &metapb.Result{Version: v}
}

// stage takes in what c brings of the content that v will have. If c is done that takes the place
// of the old content, which is dropped. A content that was begun under another id is dropped too.
// It changes v, but does not write it.
func (t *tx) stage(c *metapb.TransitionVersion, v *metapb.Version) *metapb.Result {
	old := v.Transition
	moves := len(c.NewContentId) > 0
	switch {
	case !moves && (!c.Done || len(c.Parts)+len(c.Extents) > 0 || c.Layout != nil):
		return invalid("a transition brings parts of a content that has no name, or nothing")
	case !moves:
		t.dropCopy(old)
		v.Transition = nil
		return nil
	}
	staged := &metapb.Restore{Ongoing: !c.Done, ContentId: c.NewContentId, Parts: v.Parts}
	holder := &metapb.Version{ContentId: v.ContentId, Size: v.Size, Parts: v.Parts, Restore: old}
	brought := &metapb.UpdateVersion{Restore: staged, Parts: c.Parts, Extents: c.Extents, Layout: c.Layout}
	if refusal := t.addCopy(brought, holder); refusal != nil {
		return refusal
	}
	if old != nil && !bytes.Equal(old.ContentId, c.NewContentId) {
		t.dropCopy(old)
	}
	v.Transition = staged
	if !c.Done {
		return nil
	}
	if id, ok := keys.ParseID(v.ContentId); ok {
		t.dropContent(id, v.Parts > 0)
	}
	v.ContentId, v.Transition = c.NewContentId, nil
	return nil
}

// keyOf returns the key of the record of a version that find has found.
func (t *tx) keyOf(b *metapb.Bucket, key string, h *head, latest bool) []byte {
	if latest {
		return keys.AppendObject(t.key(), b.Id, key)
	}
	return keys.AppendOlder(t.key(), b.Id, key, h.order)
}

// hasOlder reports whether a key has other versions than the latest.
func (t *tx) hasOlder(b *metapb.Bucket, key string) bool {
	return b.Versioning != metapb.Versioning_VERSIONING_OFF && t.hasAny(keys.AppendOlderVersions(nil, b.Id, key))
}
