package check

import (
	"encoding/binary"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// object names an object by its bucket and key.
type object struct {
	bucket uint64
	key    string
}

// keepVersion files a version, and proves that it follows the one before it as I10 says: keys
// are in such an order that the latest version of an object is read first and then the older
// ones, newest first.
func (c *checker) keepVersion(k keys.Key, v *metapb.Version) {
	name := object{k.Bucket, k.Name}
	switch {
	case c.buckets[k.Bucket] == "":
		c.wrong("a version lies in bucket %d, which does not exist", k.Bucket)
	case !k.Older:
	case c.last.name != name:
		c.wrong("bucket %d has an older version of order %d without a latest", k.Bucket, v.Order)
	case v.Order != k.Order || v.Order >= c.last.order:
		c.wrong("the older version of bucket %d, order %d is not in order", k.Bucket, v.Order)
	}
	c.last.name, c.last.order = name, v.Order
	c.versionKeys = append(c.versionKeys, versionKey{k, v})
	if (v.Retention != nil || v.LegalHold) && !c.locked[k.Bucket] {
		c.wrong("the version of bucket %d, order %d is locked, and the bucket has no object lock", k.Bucket, v.Order)
	}
	if v.DeleteMarker {
		if len(v.ContentId) != 0 || v.Restore != nil || v.Transition != nil || v.Retention != nil || v.LegalHold {
			c.wrong("the delete marker of bucket %d, order %d has a content", k.Bucket, v.Order)
		}
		return
	}
	counted := c.count(k.Bucket)
	counted.Versions++
	counted.Bytes += v.Size
	c.keepContent(c.versions, v.ContentId, k, v)
	if r := v.Restore; len(r.GetContentId()) != 0 {
		c.keepContent(c.copies, r.ContentId, k, v)
	}
	if r := v.Transition; r != nil {
		if !r.Ongoing || r.Parts != v.Parts || v.Restore != nil {
			c.wrong("the transition of bucket %d, order %d is not one under way", k.Bucket, v.Order)
		}
		c.keepContent(c.copies, r.ContentId, k, v)
	}
}

// keepContent files a version under a content, which no other version may have.
func (c *checker) keepContent(in map[keys.ID]*metapb.Version, content []byte, k keys.Key, v *metapb.Version) {
	id, ok := keys.ParseID(content)
	if !ok || c.versions[id] != nil || c.copies[id] != nil {
		c.wrong("the version of bucket %d, order %d has no content of its own", k.Bucket, v.Order)
	}
	in[id] = v
}

// versionKey is a version and the key that its record lies under.
type versionKey struct {
	key keys.Key
	rec *metapb.Version
}

// checkListed proves the second halves of I10 and I11: it ticks off the keys that list
// versions by their ids and by the times of their restores.
func (c *checker) checkListed() {
	for _, v := range c.versionKeys {
		k, rec := v.key, v.rec
		if k.Older {
			key := keys.AppendVersionID(nil, k.Bucket, k.Name, rec.VersionId)
			if !c.takeValue(key, string(binary.BigEndian.AppendUint64(nil, rec.Order))) {
				c.wrong("the older version of bucket %d, order %d is not found by its id", k.Bucket, rec.Order)
			}
		}
		if at, due := record.RestoreTime(rec.Restore); due {
			key := keys.AppendRestore(nil, at, k.Bucket, k.Name, rec.Order)
			if !c.takeValue(key, c.buckets[k.Bucket]) {
				c.wrong("the restore of bucket %d, order %d is not listed under %d", k.Bucket, rec.Order, at)
			}
		}
	}
}
