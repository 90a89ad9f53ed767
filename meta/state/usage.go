package state

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
)

// bucketUsage is what a bucket holds, as of the commands of the batch so far. It is read and
// written once a batch.
type bucketUsage struct {
	metapb.BucketUsage
	bucket uint64
}

// usage returns what a bucket holds, for a change: it is stored with the batch.
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

// use counts a version in what its bucket holds, or out again (sign -1). Delete markers do not
// count.
func (t *tx) use(b *metapb.Bucket, deleteMarker bool, size uint64, sign int64) {
	if deleteMarker {
		return
	}
	u := t.usage(b.Id)
	u.Versions += uint64(sign)
	u.Bytes += uint64(sign) * size
}

// storeUsage writes what buckets hold, once for all commands of the batch. A bucket that holds
// nothing has no record of it.
func (t *tx) storeUsage() {
	for _, u := range t.usageOrder {
		if proto.Size(&u.BucketUsage) == 0 {
			t.del(keys.AppendUsage(t.key(), u.bucket))
			continue
		}
		t.set(keys.AppendUsage(t.key(), u.bucket), &u.BucketUsage)
	}
}

// useParts counts bytes that the parts of open uploads take more, or less.
func (t *tx) useParts(bucket, more, less uint64) {
	u := t.usage(bucket)
	u.UploadBytes = u.UploadBytes + more - less
}

// checkQuota refuses a version that would make a bucket hold more than it may. v must have its id
// already (nameVersion): if it is the null version, the one that it replaces makes room. So do the
// parts of the upload that it is made of, which are counted as those (parts).
func (t *tx) checkQuota(
	b *metapb.Bucket, key string, v *metapb.Version, old *head, exists bool, parts uint64,
) *metapb.Result {
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
	return t.checkGrowth(b, freed+parts, v.Size)
}

// checkGrowth refuses to take bytes, in the place of those that are freed, if the bucket would hold
// more than it may. What does not make it hold more than it does is let in, even if that is too
// much already.
func (t *tx) checkGrowth(b *metapb.Bucket, freed, taken uint64) *metapb.Result {
	u := t.usage(b.Id)
	held := u.Bytes + u.UploadBytes
	if after := held - freed + taken; b.QuotaBytes > 0 && taken > freed && (after > b.QuotaBytes || after < taken) {
		return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_QUOTA,
			Detail: fmt.Sprintf("the bucket holds %d bytes, %d of them in parts of uploads, and may hold %d",
				held, u.UploadBytes, b.QuotaBytes)}
	}
	return nil
}

// setBucketQuota sets how many bytes a bucket may hold; 0 means any number. It may hold more
// already.
func (t *tx) setBucketQuota(c *metapb.SetBucketQuota) *metapb.Result {
	b := t.bucket(c.Bucket)
	if b == nil {
		return refuse(metapb.Refusal_REFUSAL_NO_SUCH_BUCKET)
	}
	b = proto.CloneOf(b)
	b.QuotaBytes = c.Bytes
	t.set(keys.AppendBucket(t.key(), b.Name), b)
	t.rememberBucket(b)
	return t.changesBuckets(&metapb.Result{Bucket: b})
}
