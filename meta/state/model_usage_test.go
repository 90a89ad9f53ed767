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
	for name, p := range m.parts {
		if m.states[name.content] != nil && m.uploads[name.content].BucketId == bucket {
			u.UploadBytes += p.Size
		}
	}
	return u
}

// overQuota reports whether a version, which has its id, makes its bucket hold more than
// it may, and more than it did. Parts are those that an upload makes it of.
func (m *model) overQuota(b *metapb.Bucket, key string, v *metapb.Version, parts uint64) bool {
	list := m.versions[objectName{b.Id, key}]
	freed := parts
	if i := indexOfVersion(list, v.VersionId); i >= 0 {
		freed += list[i].Size
	}
	return m.grows(b, freed, v.Size)
}

// grows reports whether something makes a bucket hold more than it may, and more than it
// did.
func (m *model) grows(b *metapb.Bucket, freed, taken uint64) bool {
	u := m.usage(b.Id)
	return b.QuotaBytes > 0 && taken > freed && u.Bytes+u.UploadBytes-freed+taken > b.QuotaBytes
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
	for _, b := range m.buckets {
		if u := m.usage(b.Id); u.Versions+u.UploadBytes > 0 {
			add(keys.Key{Kind: keys.KindUsage, Bucket: b.Id}, u)
		}
	}
}
