package state

import (
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// completeUpload makes an upload a version. The parts stay where they are, and nothing is done
// for each of them, since there may be ten thousand: the layout lists them. A repeat that lists
// the same parts is answered with the same version, so the upload is remembered until
// ForgetUploads.
func (t *tx) completeUpload(c *metapb.CompleteUpload) *metapb.Result {
	id, u, refusal := t.upload(c.UploadId, c.Bucket, c.Key)
	switch {
	case refusal != nil:
		return refusal
	case c.Initiator != "" && c.Initiator != u.Initiator:
		return refuse(metapb.Refusal_REFUSAL_NOT_INITIATOR)
	case u.Completed != nil && sameList(u, c.ListDigest):
		return &metapb.Result{Version: u.Completed.Version}
	case u.Completed != nil:
		return refuse(metapb.Refusal_REFUSAL_NO_SUCH_UPLOAD)
	}
	state := new(metapb.UploadState)
	if !t.get(keys.AppendUploadState(t.key(), id), state) {
		t.fail(t.corrupt("an open upload has no state"))
		return invalid("")
	}
	if state.Revision != c.Revision {
		return refuse(metapb.Refusal_REFUSAL_UPLOAD_CHANGED)
	}
	if why := checkLayout(c, state); why != "" {
		return invalid(why)
	}
	b := t.bucket(c.Bucket)
	t.judge(b)
	old, exists := t.head(b, c.Key)
	if refusal := checkConditions(c.Conditions, &old, exists); refusal != nil {
		return refusal
	}
	inherit(c.Version, u)
	if refusal := t.lockNew(b, c.Version); refusal != nil {
		return refusal
	}
	if refusal := t.nameVersion(b, c.Key, c.Version, saltOf(id), &old, exists); refusal != nil {
		return refusal
	}
	if refusal := t.checkQuota(b, c.Key, c.Version, &old, exists, state.Bytes); refusal != nil {
		return refusal
	}
	c.Version.ContentId = id[:]
	t.setHead(b, c.Key, c.Version, &old, exists)
	t.set(keys.AppendLayout(t.key(), id), c.Layout)
	u.Completed = &metapb.CompletedUpload{ListDigest: c.ListDigest, Version: c.Version, Index: t.position}
	t.closeUpload(id, u, state)
	t.set(keys.AppendUpload(t.key(), id), u)
	t.setBytes(keys.AppendCompleted(t.key(), t.position, id), nil)
	if int(state.Parts) != len(c.Layout.Numbers) {
		t.dropUnlisted(id)
	}
	t.tell(b, metapb.EventKind_EVENT_COMPLETE, c.Key, c.Version)
	return &metapb.Result{Version: c.Version}
}

// inherit gives a version what was said when its upload was begun, unless the completion says
// otherwise.
func inherit(v *metapb.Version, u *metapb.Upload) {
	if v.Acl == nil {
		v.Acl = u.Acl
	}
	if len(v.Tags) == 0 {
		v.Tags = u.Tags
	}
	if v.Retention == nil {
		v.Retention = u.Retention
	}
	v.LegalHold = v.LegalHold || u.LegalHold
}

// checkLayout says what is wrong with the version and the layout of a completion; it returns ""
// if nothing is. That each part exists and has its size is the proposer's word: it has read the
// parts at the revision that Apply has compared.
func checkLayout(c *metapb.CompleteUpload, state *metapb.UploadState) string {
	l, v := c.Layout, c.Version
	if v == nil || v.DeleteMarker || len(l.GetNumbers()) == 0 || len(l.Numbers) != len(l.Sizes) ||
		int(v.Parts) != len(l.Numbers) {
		return "a completion needs a version and a layout of all its parts"
	}
	if len(l.Numbers) > int(state.Parts) {
		return "a layout names more parts than there are"
	}
	var last uint32
	var sum uint64
	for i, n := range l.Numbers {
		if n <= last || n > record.PartNumberMax {
			return "the numbers of a layout do not ascend"
		}
		last = n
		sum += l.Sizes[i]
	}
	if sum != v.Size {
		return "a version is not of its layout's size"
	}
	return ""
}
