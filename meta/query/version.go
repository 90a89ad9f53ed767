package query

import (
	"encoding/binary"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// version returns the version of a key that a client names, or the latest one if it names
// none; nil if there is no such version.
func (v *View) version(b *metapb.Bucket, key, named string) (*metapb.Version, error) {
	ver := new(metapb.Version)
	ok, err := v.get(keys.AppendObject(v.key(), b.Id, key), ver)
	if !ok || err != nil {
		return nil, err
	}
	id := record.StoredVersionID(named)
	if named == "" || ver.VersionId == id {
		return ver, nil
	}
	if b.Versioning == metapb.Versioning_VERSIONING_OFF {
		return nil, nil
	}
	order, ok, err := v.olderOrder(b.Id, key, id)
	if !ok || err != nil {
		return nil, err
	}
	older := new(metapb.Version)
	if ok, err = v.get(keys.AppendOlder(v.key(), b.Id, key, order), older); !ok || err != nil {
		return nil, orCorrupt(err, "an older version is listed by its id and does not exist")
	}
	return older, nil
}

// olderOrder returns the order of an older version, and whether there is one of that id.
func (v *View) olderOrder(bucket uint64, key, id string) (order uint64, ok bool, err error) {
	ok, err = record.View(v.Records, keys.AppendVersionID(v.key(), bucket, key, id), func(value []byte) error {
		if len(value) != 8 {
			return record.Corrupt("a version id has no order")
		}
		order = binary.BigEndian.Uint64(value)
		return nil
	})
	return order, ok, err
}

// listVersions answers a page of the versions and delete markers of a bucket, in the order of
// their keys, and for one key the newest first.
func (v *View) listVersions(q *metapb.ListVersions, a *metapb.Answer) (*metapb.VersionsAnswer, error) {
	b, err := v.bucket(q.Bucket, a)
	if b == nil || err != nil {
		return nil, err
	}
	l := &metapb.VersionsAnswer{Bucket: b}
	limit := int(min(q.MaxKeys, PageMax))
	if limit == 0 {
		return l, nil
	}
	w := walk{kind: keys.KindObject, bucket: b.Id, prefix: q.Prefix, delimiter: q.Delimiter,
		after: q.KeyMarker, versions: true}
	if w.from, err = v.versionMarker(b, q); err != nil {
		return nil, err
	}
	err = w.run(v.Records, func(name, value, key []byte) error {
		if len(l.Entries) == limit {
			l.Truncated = true
			return record.ErrStop
		}
		e := &metapb.VersionEntry{Key: string(name), Prefix: key == nil, Latest: w.latest && key != nil}
		l.Entries = append(l.Entries, e)
		if e.Prefix {
			return nil
		}
		e.Version = new(metapb.Version)
		return unmarshalVersionListing(value, e.Version)
	})
	return l, err
}

// versionMarker returns the least key after the version that the markers name; nil if they
// name none. If that version is gone, all of its key are listed again, as uploadMarker has it.
func (v *View) versionMarker(b *metapb.Bucket, q *metapb.ListVersions) ([]byte, error) {
	if q.KeyMarker == "" || q.VersionMarker == "" {
		return nil, nil
	}
	ver, err := v.version(b, q.KeyMarker, q.VersionMarker)
	if err != nil {
		return nil, err
	}
	if ver == nil {
		return keys.AppendName(nil, keys.KindObject, b.Id, q.KeyMarker), nil
	}
	latest := keys.AppendObject(nil, b.Id, q.KeyMarker)
	head := new(metapb.Version)
	if _, err := v.get(latest, head); err != nil {
		return nil, err
	}
	if head.Order == ver.Order {
		return append(latest, 0), nil
	}
	return append(keys.AppendOlder(nil, b.Id, q.KeyMarker, ver.Order), 0), nil
}
