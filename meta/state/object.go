package state

import (
	"cmp"
	"encoding/binary"
	"strings"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// putObject makes a version of one part the latest of its key.
func (t *tx) putObject(c *metapb.PutObject) *metapb.Result {
	b := t.bucket(c.Bucket)
	if b == nil {
		return refuse(metapb.Refusal_REFUSAL_NO_SUCH_BUCKET)
	}
	v, p := c.Version, c.Part
	id, ok := keys.ParseID(v.GetContentId())
	if !ok || p == nil || c.Key == "" {
		return invalid("a put needs a key, a version with a content id, and a part")
	}
	if v.Parts != 0 || v.DeleteMarker || v.Size != p.Size {
		return invalid("a version made by a put has one part of its own size")
	}
	p.Number = 1
	if refusal := checkPart(p); refusal != nil {
		return refusal
	}
	t.judge(b)
	old, exists := t.head(b, c.Key)
	if refusal := checkConditions(c.Conditions, &old, exists); refusal != nil {
		return refusal
	}
	if refusal := t.lockNew(b, v); refusal != nil {
		return refusal
	}
	if refusal := t.nameVersion(b, c.Key, v, saltOf(id), &old, exists); refusal != nil {
		return refusal
	}
	if refusal := t.checkQuota(b, c.Key, v, &old, exists, 0); refusal != nil {
		return refusal
	}
	if exists && old.content == id || invariants && t.contentInUse(id) {
		return invalid("the content id is in use")
	}
	held, refusal := t.referents(p.Extents, c.Extents)
	if refusal != nil {
		return refusal
	}
	if p.ModifiedMs == 0 {
		p.ModifiedMs = t.cmd.TimeMs
	}
	t.hold(held, keys.Owner{ID: id, Number: 1})
	t.set(keys.AppendPart(t.key(), id, 1), p)
	t.setHead(b, c.Key, v, &old, exists)
	t.tell(b, cmp.Or(c.Event, metapb.EventKind_EVENT_PUT), c.Key, v)
	return &metapb.Result{Version: v}
}

// contentInUse reports whether there is a content of one part, or a dropped one, of that id.
func (t *tx) contentInUse(id keys.ID) bool {
	return t.has(keys.AppendPart(t.key(), id, 1)) || t.has(keys.AppendDropped(t.key(), id))
}

// saltOf returns the part of a content id that nameVersion puts into the id of a version.
func saltOf(content keys.ID) uint64 { return binary.BigEndian.Uint64(content[:]) }

// deleteObjects deletes versions. Each is decided on by itself: if one is refused, the others are
// deleted all the same.
func (t *tx) deleteObjects(c *metapb.DeleteObjects) *metapb.Result {
	b := t.bucket(c.Bucket)
	if b == nil {
		return refuse(metapb.Refusal_REFUSAL_NO_SUCH_BUCKET)
	}
	t.judge(b)
	t.budget += t.perObject * len(c.Objects)
	r := &metapb.Result{Deleted: make([]*metapb.DeleteResult, len(c.Objects))}
	for i := range c.Objects {
		r.Deleted[i] = t.deleteObject(b, c, i)
		t.tellDeleted(b, c.Objects[i], r.Deleted[i], metapb.EventKind_EVENT_DELETE, metapb.EventKind_EVENT_DELETE_MARKER)
	}
	return r
}

// deleteObject deletes the i-th version that the command names. If it names a key alone, and the
// bucket is or was versioned, a delete marker hides the latest version instead.
func (t *tx) deleteObject(b *metapb.Bucket, c *metapb.DeleteObjects, i int) *metapb.DeleteResult {
	o := c.Objects[i]
	if o.VersionId == "" && b.Versioning != metapb.Versioning_VERSIONING_OFF {
		return t.hide(b, c, i)
	}
	h, latest, found := t.find(b, o.Key, o.VersionId)
	r := &metapb.DeleteResult{Existed: found, VersionId: o.VersionId, DeleteMarker: h.deleteMarker}
	switch {
	case !mayDelete(o, &h, found):
		return &metapb.DeleteResult{Refusal: metapb.Refusal_REFUSAL_PRECONDITION_FAILED}
	case found && t.keeps(&h.lock, o.BypassGovernance):
		return &metapb.DeleteResult{Refusal: metapb.Refusal_REFUSAL_LOCKED}
	case latest:
		t.removeLatest(b, o.Key, &h)
	case found:
		t.removeOlder(b, o.Key, &h)
	case o.VersionId != "" && o.VersionId != record.NullVersion:
		r.Refusal = metapb.Refusal_REFUSAL_NO_SUCH_VERSION
	}
	return r
}

// hide makes a delete marker the latest version of a key. If this command has made one there
// already, since it names the key twice, that one serves.
func (t *tx) hide(b *metapb.Bucket, c *metapb.DeleteObjects, i int) *metapb.DeleteResult {
	key := c.Objects[i].Key
	if key == "" {
		return &metapb.DeleteResult{Refusal: metapb.Refusal_REFUSAL_INVALID}
	}
	old, exists := t.head(b, key)
	if exists && old.deleteMarker && old.order == t.position {
		return &metapb.DeleteResult{DeleteMarker: true, VersionId: record.ShownVersionID(old.versionID)}
	}
	if !mayDelete(c.Objects[i], &old, exists) {
		return &metapb.DeleteResult{Refusal: metapb.Refusal_REFUSAL_PRECONDITION_FAILED}
	}
	v := &metapb.Version{DeleteMarker: true, Owner: c.Owner}
	if i < len(c.NewVersionIds) {
		v.VersionId = c.NewVersionIds[i]
	}
	if refusal := t.nameVersion(b, key, v, uint64(i), &old, exists); refusal != nil {
		return &metapb.DeleteResult{Refusal: refusal.Refusal}
	}
	t.setHead(b, key, v, &old, exists)
	return &metapb.DeleteResult{Existed: exists && !old.deleteMarker, DeleteMarker: true,
		VersionId: record.ShownVersionID(v.VersionId)}
}

// checkConditions refuses a write whose conditions the latest version does not meet. As in S3, a
// condition on the tag of an object that is not there has a refusal of its own.
func checkConditions(c *metapb.Conditions, old *head, exists bool) *metapb.Result {
	if c == nil {
		return nil
	}
	exists = exists && !old.deleteMarker
	switch {
	case c.IfMatch != "" && !exists:
		return refuse(metapb.Refusal_REFUSAL_NO_SUCH_KEY)
	case c.IfMatch != "" && !etagListed(c.IfMatch, old.etag),
		c.IfNoneMatch != "" && exists && etagListed(c.IfNoneMatch, old.etag):
		return refuse(metapb.Refusal_REFUSAL_PRECONDITION_FAILED)
	}
	return nil
}

// mayDelete reports whether the version that a deletion would delete or hide meets its conditions.
// As in S3, a condition on the tag is not met by an object that is not there, but one on its size
// or time is.
func mayDelete(o *metapb.ObjectName, h *head, exists bool) bool {
	exists = exists && !h.deleteMarker
	switch {
	case o.IfMatch != "" && !(exists && etagListed(o.IfMatch, h.etag)):
		return false
	case !exists:
		return true
	case o.IfSize != nil && *o.IfSize != h.size:
		return false
	}
	return o.IfModifiedS == nil || *o.IfModifiedS == h.modifiedMS/1000
}

// etagListed reports whether a list of etags, separated by commas, holds etag. "*" stands for any.
// Quotes and the mark of a weak tag do not matter.
func etagListed(list, etag string) bool {
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimPrefix(strings.TrimSpace(item), "W/")
		if item == "*" || strings.Trim(item, `"`) == etag {
			return true
		}
	}
	return false
}

// checkPart refuses a part whose bytes do not add up: see record.PartFault.
func checkPart(p *metapb.Part) *metapb.Result {
	if why := record.PartFault(p); why != "" {
		return invalid(why)
	}
	return nil
}
