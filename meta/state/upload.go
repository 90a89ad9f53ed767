package state

import (
	"bytes"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// createUpload begins an upload, under the id that the proposer has chosen.
func (t *tx) createUpload(c *metapb.CreateUpload) *metapb.Result {
	u := c.Upload
	id, ok := keys.ParseID(u.GetId())
	if !ok || u.Key == "" || u.Completed != nil {
		return invalid("an upload needs an id of 16 bytes and a key")
	}
	b := t.bucket(u.Bucket)
	if b == nil {
		return refuse(metapb.Refusal_REFUSAL_NO_SUCH_BUCKET)
	}
	if t.has(keys.AppendUpload(t.key(), id)) || t.has(keys.AppendLayout(t.key(), id)) ||
		t.has(keys.AppendDropped(t.key(), id)) || t.has(keys.AppendPart(t.key(), id, 1)) {
		return invalid("the upload id is in use")
	}
	u.BucketId, u.Order = b.Id, t.position
	if u.InitiatedMs == 0 {
		u.InitiatedMs = t.cmd.TimeMs
	}
	t.set(keys.AppendUpload(t.key(), id), u)
	t.set(keys.AppendUploadState(t.key(), id), &metapb.UploadState{})
	t.setBytes(keys.AppendOpenUpload(t.key(), b.Id, u.Key, u.Order, id), nil)
	return &metapb.Result{}
}

// upload returns an upload, open or completed, and its id. It refuses if there is none of that id
// in that bucket and under that key.
func (t *tx) upload(uploadID []byte, bucket, key string) (keys.ID, *metapb.Upload, *metapb.Result) {
	b := t.bucket(bucket)
	if b == nil {
		return keys.ID{}, nil, refuse(metapb.Refusal_REFUSAL_NO_SUCH_BUCKET)
	}
	u := new(metapb.Upload)
	id, ok := keys.ParseID(uploadID)
	if !ok || !t.get(keys.AppendUpload(t.key(), id), u) || u.BucketId != b.Id || u.Key != key {
		return id, nil, refuse(metapb.Refusal_REFUSAL_NO_SUCH_UPLOAD)
	}
	return id, u, nil
}

// putPart makes a part of an open upload, or replaces the part of the same number.
func (t *tx) putPart(c *metapb.PutPart) *metapb.Result {
	id, u, refusal := t.upload(c.UploadId, c.Bucket, c.Key)
	switch p := c.Part; {
	case refusal != nil:
		return refusal
	case u.Completed != nil:
		return refuse(metapb.Refusal_REFUSAL_NO_SUCH_UPLOAD)
	case c.Initiator != "" && c.Initiator != u.Initiator:
		return refuse(metapb.Refusal_REFUSAL_NOT_INITIATOR)
	case p.GetNumber() < 1 || p.Number > record.PartNumberMax:
		return invalid("a part needs a number from 1 to 10000")
	}
	if refusal := checkPart(c.Part); refusal != nil {
		return refusal
	}
	old, replaces := t.part(id, c.Part.Number)
	if refusal := t.checkGrowth(t.bucket(c.Bucket), old.Size, c.Part.Size); refusal != nil {
		return refusal
	}
	held, refusal := t.referents(c.Part.Extents, c.Extents)
	if refusal != nil {
		return refusal
	}
	if c.Part.ModifiedMs == 0 {
		c.Part.ModifiedMs = t.cmd.TimeMs
	}
	t.replacePart(id, c.Part, old, held)
	t.bumpRevision(id, u, c.Part.Size, old, replaces)
	t.dropPin(c.Pin)
	return &metapb.Result{}
}

// part returns the size and the references of a part, and whether there is one. If there is none
// the part is empty.
func (t *tx) part(id keys.ID, number uint32) (*metapb.Part, bool) {
	p := new(metapb.Part)
	found := t.view(keys.AppendPart(t.key(), id, number), func(v []byte) error { return unmarshalPartExtents(v, p) })
	return p, found
}

// replacePart writes p, whose extents are those of held. If it replaces a part with the same number, old,
// the references that only the old part held are released.
func (t *tx) replacePart(id keys.ID, p, old *metapb.Part, held []referent) {
	owner := keys.Owner{ID: id, Number: p.Number}
	t.hold(held, owner)
	t.set(keys.AppendPart(t.key(), id, p.Number), p)
	if len(old.Extents) > 0 {
		t.release(without(record.ExtentsOf(old.Extents), record.ExtentsOf(p.Extents)), owner)
	}
}

// bumpRevision counts a part of that size in the state of its upload and in what the bucket holds,
// in the place of old if it replaces that. The revision tells a proposer that completes the upload
// whether the parts are still those that it has read.
func (t *tx) bumpRevision(id keys.ID, u *metapb.Upload, size uint64, old *metapb.Part, replaces bool) {
	state := new(metapb.UploadState)
	if !t.get(keys.AppendUploadState(t.key(), id), state) {
		t.fail(t.corrupt("an open upload has no state"))
	}
	state.Revision++
	if !replaces {
		state.Parts++
	}
	less := min(old.Size, state.Bytes) // An old part may be of a release that did not count bytes.
	state.Bytes += size - less
	t.useParts(u.BucketId, size, less)
	t.set(keys.AppendUploadState(t.key(), id), state)
}

// abortUpload removes an open upload and drops its parts.
func (t *tx) abortUpload(c *metapb.AbortUpload) *metapb.Result {
	id, u, refusal := t.upload(c.UploadId, c.Bucket, c.Key)
	if refusal != nil {
		return refusal
	}
	if u.Completed != nil {
		return refuse(metapb.Refusal_REFUSAL_NO_SUCH_UPLOAD)
	}
	state := new(metapb.UploadState)
	if !t.get(keys.AppendUploadState(t.key(), id), state) {
		t.fail(t.corrupt("an open upload has no state"))
	}
	t.del(keys.AppendUpload(t.key(), id))
	t.closeUpload(id, u, state)
	t.dropContent(id, true)
	return &metapb.Result{}
}

// closeUpload removes the records that only an open upload has, and no longer counts its parts as
// those of one.
func (t *tx) closeUpload(id keys.ID, u *metapb.Upload, state *metapb.UploadState) {
	t.useParts(u.BucketId, 0, state.Bytes)
	t.del(keys.AppendUploadState(t.key(), id))
	t.del(keys.AppendOpenUpload(t.key(), u.BucketId, u.Key, u.Order, id))
}

// forgetUploads forgets uploads that were completed, so that a repeat of the completion finds
// nothing any more. It passes over those that were not.
func (t *tx) forgetUploads(c *metapb.ForgetUploads) *metapb.Result {
	for _, b := range c.UploadIds {
		id, ok := keys.ParseID(b)
		u := new(metapb.Upload)
		if !ok || !t.get(keys.AppendUpload(t.key(), id), u) || u.Completed == nil {
			continue
		}
		t.del(keys.AppendUpload(t.key(), id))
		t.del(keys.AppendCompleted(t.key(), u.Completed.Index, id))
	}
	return &metapb.Result{}
}

// sameList reports whether a completion lists the same parts as the one that u was completed by.
func sameList(u *metapb.Upload, digest []byte) bool {
	return len(digest) > 0 && bytes.Equal(u.Completed.ListDigest, digest)
}
