package state

import (
	"bytes"

	"github.com/cairnstore/cairn/meta/metapb"
)

// updateVersion changes the lock, the restore, the ACL or the tags of a version: all that can
// change of it besides its class.
func (t *tx) updateVersion(c *metapb.UpdateVersion) *metapb.Result {
	b := t.bucket(c.Bucket)
	if b == nil {
		return refuse(metapb.Refusal_REFUSAL_NO_SUCH_BUCKET)
	}
	t.judge(b)
	h, latest, found := t.find(b, c.Key, c.VersionId)
	switch absent := !found || h.deleteMarker; {
	case absent && c.VersionId == "":
		return refuse(metapb.Refusal_REFUSAL_NO_SUCH_KEY)
	case absent:
		return refuse(metapb.Refusal_REFUSAL_NO_SUCH_VERSION)
	case len(c.ContentId) > 0 && !bytes.Equal(c.ContentId, h.content[:]):
		return refuse(metapb.Refusal_REFUSAL_PRECONDITION_FAILED)
	}
	v := new(metapb.Version)
	if !t.get(t.keyOf(b, c.Key, &h, latest), v) {
		t.fail(t.corrupt("a version is gone while it is changed"))
		return invalid("")
	}
	if refusal := t.updateLock(b, c.Lock, v); refusal != nil {
		return refusal
	}
	before := v.Restore
	if refusal := t.updateRestore(b, c, v); refusal != nil {
		return refusal
	}
	if c.Acl != nil {
		v.Acl = c.Acl
	}
	if c.SetTags {
		v.Tags = c.Tags
	}
	t.set(t.keyOf(b, c.Key, &h, latest), v)
	t.tellUpdated(b, c, v, before)
	return &metapb.Result{Version: v}
}

// updateRestore gives v the restore of c, or none if c clears it. It writes what c brings of the
// warm copy, and drops the copy that v had unless the new restore names it too. It changes v, but
// does not write it.
func (t *tx) updateRestore(b *metapb.Bucket, c *metapb.UpdateVersion, v *metapb.Version) *metapb.Result {
	old, r := v.Restore, c.Restore
	brings := len(c.Parts) > 0 || len(c.Extents) > 0 || c.Layout != nil
	switch {
	case c.ClearRestore && r != nil:
		return invalid("a restore is either set or cleared")
	case r == nil && brings, len(r.GetContentId()) == 0 && (brings || r.GetParts() != 0):
		return invalid("parts are brought of a copy that has no name")
	case r == nil && !c.ClearRestore:
		return nil
	}
	if len(r.GetContentId()) > 0 {
		if refusal := t.addCopy(c, v); refusal != nil {
			return refusal
		}
	}
	t.unlistRestore(b, c.Key, v.Order, old)
	if !bytes.Equal(old.GetContentId(), r.GetContentId()) {
		t.dropCopy(old)
	}
	t.listRestore(b, c.Key, v.Order, r)
	v.Restore = r
	if r != nil { // A version that is restored does not change its class at the same time.
		t.dropCopy(v.Transition)
		v.Transition = nil
	}
	return nil
}
