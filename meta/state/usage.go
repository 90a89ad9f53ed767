package state

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
)

// bucketUsage is what a bucket holds, as of the commands of a batch so far. It is read
// and written once a batch.
type bucketUsage struct {
	metapb.BucketUsage
	bucket uint64
}

// usage returns what a bucket holds.
func (t *tx) usage(bucket uint64) *bucketUsage {
	if u := t.usages[bucket]; u != nil {
		return u
	}
	u := &bucketUsage{bucket: bucket}
	t.get(keys.AppendUsage(t.key(), bucket), &u.BucketUsage)
	if t.usages == nil {
		t.usages = make(map[uint64]*bucketUsage)
	}
	t.usages[bucket] = u
	t.usageOrder = append(t.usageOrder, u)
	return u
}

// use counts a version in, or out again (sign -1). Delete markers do not count.
func (t *tx) use(b *metapb.Bucket, deleteMarker bool, size uint64, sign int64) {
	if deleteMarker {
		return
	}
	u := t.usage(b.Id)
	u.Versions += uint64(sign)
	u.Bytes += uint64(sign) * size
}

// storeUsage puts the sums that changed into the batch, once for all its commands.
func (t *tx) storeUsage() {
	for _, u := range t.usageOrder {
		if proto.Size(&u.BucketUsage) == 0 {
			t.del(keys.AppendUsage(t.key(), u.bucket))
			continue
		}
		t.set(keys.AppendUsage(t.key(), u.bucket), &u.BucketUsage)
	}
}

// checkQuota refuses a version, which has its id, that would make a bucket hold more
// than it may. The null version that it replaces makes room.
func (t *tx) checkQuota(b *metapb.Bucket, key string, v *metapb.Version, old *head, exists bool) *metapb.Result {
	if b.QuotaBytes == 0 {
		return nil
	}
	var freed uint64
	switch {
	case !exists || v.VersionId != "":
	case old.versionID == "":
		freed = old.size
	case b.Versioning != metapb.Versioning_VERSIONING_OFF:
		null, _ := t.older(b, key, "")
		freed = null.size
	}
	held := t.usage(b.Id).Bytes
	if after := held - freed + v.Size; v.Size > freed && (after > b.QuotaBytes || after < v.Size) {
		return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_QUOTA,
			Detail: fmt.Sprintf("the bucket holds %d bytes and may hold %d", held, b.QuotaBytes)}
	}
	return nil
}

// setBucketQuota bounds what a bucket may hold.
func (t *tx) setBucketQuota(c *metapb.SetBucketQuota) *metapb.Result {
	b := t.bucket(c.Bucket)
	if b == nil {
		return refuse(metapb.Refusal_REFUSAL_NO_SUCH_BUCKET)
	}
	b = proto.CloneOf(b)
	b.QuotaBytes = c.Bytes
	t.set(keys.AppendBucket(t.key(), b.Name), b)
	t.rememberBucket(b)
	return t.changesConfig(&metapb.Result{Bucket: b})
}

// usage answers what a bucket holds.
func (v *view) usage(bucket uint64) (*metapb.BucketUsage, error) {
	u := new(metapb.BucketUsage)
	_, err := v.get(keys.AppendUsage(v.key(), bucket), u)
	return u, err
}
