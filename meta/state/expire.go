package state

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
)

// expireVersions ends versions of which a lifecycle rule says that their time has come. Each of
// them is decided on by itself: one that is no longer what the rule has judged stays.
func (t *tx) expireVersions(c *metapb.ExpireVersions) *metapb.Result {
	b := t.bucket(c.Bucket)
	if b == nil {
		return refuse(metapb.Refusal_REFUSAL_NO_SUCH_BUCKET)
	}
	t.judge(b)
	t.budget += t.perObject * len(c.Items)
	r := &metapb.Result{Deleted: make([]*metapb.DeleteResult, len(c.Items))}
	for i, it := range c.Items {
		if !t.stands(b, it) {
			r.Deleted[i] = &metapb.DeleteResult{Refusal: metapb.Refusal_REFUSAL_PRECONDITION_FAILED, VersionId: it.VersionId}
			continue
		}
		r.Deleted[i] = t.expire(b, c, it)
	}
	return r
}

// expire ends a version by deleteObject, as a client's deletion does. So what keeps a version
// from a client, such as object lock, keeps it from a rule too.
func (t *tx) expire(b *metapb.Bucket, c *metapb.ExpireVersions, it *metapb.ExpireItem) *metapb.DeleteResult {
	name := &metapb.ObjectName{Key: it.Key, VersionId: it.VersionId}
	if it.Expiry == metapb.Expiry_EXPIRY_CURRENT {
		name.VersionId = ""
	}
	r := t.deleteObject(b, &metapb.DeleteObjects{Objects: []*metapb.ObjectName{name}, Owner: c.Owner,
		NewVersionIds: []string{it.NewVersionId}}, 0)
	t.tellDeleted(b, name, r, metapb.EventKind_EVENT_EXPIRATION_DELETE, metapb.EventKind_EVENT_EXPIRATION_MARKER)
	return r
}

// stands reports whether a version is still what a rule has judged. It is the same version if its
// order is the same, since an order is given once. But it may have become the latest or an older
// one since, and its tags may have changed.
func (t *tx) stands(b *metapb.Bucket, it *metapb.ExpireItem) bool {
	h, latest, found := t.find(b, it.Key, it.VersionId)
	if !found || h.order != it.Order || it.VersionId == "" {
		return false
	}
	switch it.Expiry {
	case metapb.Expiry_EXPIRY_CURRENT:
		found = latest && !h.deleteMarker
	case metapb.Expiry_EXPIRY_OLDER:
		found = !latest
	case metapb.Expiry_EXPIRY_MARKER:
		found = latest && h.deleteMarker && !t.hasOlder(b, it.Key)
	default:
		found = false
	}
	if !found || !it.CheckTags {
		return found
	}
	v := new(metapb.Version)
	return t.get(t.keyOf(b, it.Key, &h, latest), v) && sameTags(v.Tags, it.Tags)
}

func sameTags(a, b []*metapb.Pair) bool {
	return slices.EqualFunc(a, b, func(x, y *metapb.Pair) bool { return proto.Equal(x, y) })
}
