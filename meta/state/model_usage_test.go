package state

import (
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
)

// usage recounts what a bucket holds.
func (m *model) usage(bucket uint64) *metapb.BucketUsage {
	u := &metapb.BucketUsage{}
	for name, list := range m.versions {
		for _, v := range list {
			if name.bucket == bucket && !v.DeleteMarker {
				u.Versions++
				u.Bytes += v.Size
			}
		}
	}
	return u
}

// overQuota reports whether a version, which has its id, makes its bucket hold more than
// it may, and more than it did.
func (m *model) overQuota(b *metapb.Bucket, key string, v *metapb.Version) bool {
	list := m.versions[objectName{b.Id, key}]
	var freed uint64
	if i := indexOfVersion(list, v.VersionId); i >= 0 {
		freed = list[i].Size
	}
	return b.QuotaBytes > 0 && v.Size > freed && m.usage(b.Id).Bytes-freed+v.Size > b.QuotaBytes
}

func (m *model) setBucketQuota(op *metapb.SetBucketQuota) *metapb.Result {
	b := m.buckets[op.Bucket]
	if b == nil {
		return no(metapb.Refusal_REFUSAL_NO_SUCH_BUCKET)
	}
	b = proto.Clone(b).(*metapb.Bucket) // Answers hold the old one.
	b.QuotaBytes = op.Bytes
	m.buckets[b.Name] = b
	return m.changed(&metapb.Result{Bucket: b})
}

// dumpUsage adds the records of what buckets hold, counted anew.
func (m *model) dumpUsage(add func(keys.Key, proto.Message)) {
	seen := map[uint64]bool{}
	for name := range m.versions {
		if u := m.usage(name.bucket); u.Versions > 0 && !seen[name.bucket] {
			seen[name.bucket] = true
			add(keys.Key{Kind: keys.KindUsage, Bucket: name.bucket}, u)
		}
	}
}
