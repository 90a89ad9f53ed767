package state

import (
	"bytes"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// createUpload makes an upload known.
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
	u.BucketId, u.Order = b.Id, t.index
	if u.InitiatedMs == 0 {
		u.InitiatedMs = t.cmd.TimeMs
	}
	t.set(keys.AppendUpload(t.key(), id), u)
	t.set(keys.AppendUploadState(t.key(), id), &metapb.UploadState{})
	t.setBytes(keys.AppendOpenUpload(t.key(), b.Id, u.Key, u.Order, id), nil)
	return &metapb.Result{}
}

// upload finds an upload, open or completed, and checks that it is the one of
// that bucket and key.
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

// putPart makes or replaces a part of an open upload.
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
	claims, refusal := t.claim(c.Part.Extents, c.Extents)
	if refusal != nil {
		return refusal
	}
	if c.Part.ModifiedMs == 0 {
		c.Part.ModifiedMs = t.cmd.TimeMs
	}
	t.replacePart(id, c.Part, old, claims)
	t.bumpRevision(id, u, c.Part.Size, old, replaces)
	t.dropPin(c.Pin)
	return &metapb.Result{}
}

// part returns size and references of a part, and whether there is one.
func (t *tx) part(id keys.ID, number uint32) (*metapb.Part, bool) {
	p := new(metapb.Part)
	found := t.view(keys.AppendPart(t.key(), id, number), func(v []byte) error { return unmarshalPartExtents(v, p) })
	return p, found
}

// replacePart writes a part and releases what the one of its number before it, if there
// was one, had and it has not.
func (t *tx) replacePart(id keys.ID, p, old *metapb.Part, claims []claim) {
	owner := keys.Owner{ID: id, Number: p.Number}
	t.hold(claims, owner)
	t.set(keys.AppendPart(t.key(), id, p.Number), p)
	if len(old.Extents) > 0 {
		t.release(without(record.ExtentsOf(old.Extents), record.ExtentsOf(p.Extents)), owner)
	}
}

// bumpRevision notes a part of a size in the state of its upload, in the place of an old
// one if it replaces one.
func (t *tx) bumpRevision(id keys.ID, u *metapb.Upload, size uint64, old *metapb.Part, replaces bool) {
	state := new(metapb.UploadState)
	if !t.get(keys.AppendUploadState(t.key(), id), state) {
		t.fail(t.corrupt("an open upload has no state"))
	}
	state.Revision++
	if !replaces {
		state.Parts++
	}
	less := min(old.Size, state.Bytes) // A part of before bytes were counted is not in them.
	state.Bytes += size - less
	t.useParts(u.BucketId, size, less)
	t.set(keys.AppendUploadState(t.key(), id), state)
}

// abortUpload drops an open upload and its parts.
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

// closeUpload removes what only an open upload has; its parts are no parts of one any
// more.
func (t *tx) closeUpload(id keys.ID, u *metapb.Upload, state *metapb.UploadState) {
	t.useParts(u.BucketId, 0, state.Bytes)
	t.del(keys.AppendUploadState(t.key(), id))
	t.del(keys.AppendOpenUpload(t.key(), u.BucketId, u.Key, u.Order, id))
}

// forgetUploads drops the memory of completions; uploads that are not completed
// are passed over.
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

// sameList reports whether a repeat of a completion names the same parts.
func sameList(u *metapb.Upload, digest []byte) bool {
	return len(digest) > 0 && bytes.Equal(u.Completed.ListDigest, digest)
}
