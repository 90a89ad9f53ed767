package state

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// VersionIDMaxBytes is how long a version id may be.
const VersionIDMaxBytes = 128

// head returns what commands need of the latest version of a key, and whether there is one.
func (t *tx) head(b *metapb.Bucket, key string) (h head, exists bool) {
	h.keepRaw = b.Versioning != metapb.Versioning_VERSIONING_OFF
	t.keyBuf = keys.AppendObject(t.key(), b.Id, key)
	exists = t.view(t.keyBuf, h.unmarshal)
	return h, exists
}

// find returns the version of a key that a client names, or the latest one if it names none, with
// whether it is the latest and whether it was found.
func (t *tx) find(b *metapb.Bucket, key, named string) (h head, latest, found bool) {
	if h, found = t.head(b, key); !found {
		return head{}, false, false
	}
	id := record.StoredVersionID(named)
	if named == "" || h.versionID == id {
		return h, true, true
	}
	if b.Versioning == metapb.Versioning_VERSIONING_OFF {
		return head{}, false, false
	}
	h, found = t.older(b, key, id)
	return h, false, found
}

// older finds an older version by its id, as records have it.
func (t *tx) older(b *metapb.Bucket, key, id string) (h head, found bool) {
	var order uint64
	found = t.view(keys.AppendVersionID(t.key(), b.Id, key, id), func(v []byte) error {
		if len(v) != 8 {
			return record.Corrupt("a version id has no order")
		}
		order = binary.BigEndian.Uint64(v)
		return nil
	})
	if found && !t.view(keys.AppendOlder(t.key(), b.Id, key, order), h.unmarshal) {
		t.fail(t.corrupt("an older version is listed by its id and does not exist"))
	}
	return h, found
}

// nameVersion gives a new version its id. If the bucket is versioned, that is the id that came with
// the command, or one that is made of the index and salt; it is refused if the key has a version
// of that id. Else it is the null version.
func (t *tx) nameVersion(
	b *metapb.Bucket, key string, v *metapb.Version, salt uint64, old *head, exists bool,
) *metapb.Result {
	if b.Versioning != metapb.Versioning_VERSIONING_ENABLED {
		v.VersionId = ""
		return nil
	}
	if v.VersionId == "" {
		v.VersionId = fmt.Sprintf("%016x%016x", t.position, salt)
	}
	if v.VersionId == record.NullVersion || len(v.VersionId) > VersionIDMaxBytes {
		return invalid(fmt.Sprintf("a version id has at most %d bytes and is not %q", VersionIDMaxBytes, record.NullVersion))
	}
	if exists && (old.versionID == v.VersionId || t.has(keys.AppendVersionID(t.key(), b.Id, key, v.VersionId))) {
		return invalid("the version id is in use")
	}
	return nil
}

// setHead makes v, which has its id, the latest version of a key. old is the latest one so far, if
// there is one (exists). It is kept as an older version. But a key has one null version at most: if
// v is one, the null version that was there is dropped, be it the latest or an older one.
func (t *tx) setHead(b *metapb.Bucket, key string, v *metapb.Version, old *head, exists bool) {
	v.Order, v.Restore, v.Transition = t.position, nil, nil
	if v.ModifiedMs == 0 {
		v.ModifiedMs = t.cmd.TimeMs
	}
	t.set(keys.AppendObject(t.key(), b.Id, key), v)
	t.use(b, v.DeleteMarker, v.Size, 1)
	switch {
	case !exists:
	case v.VersionId == "" && old.versionID == "":
		t.dropVersion(b, key, old)
	default:
		t.keepAsOlder(b, key, old)
		if v.VersionId == "" {
			t.removeOlderNull(b, key)
		}
	}
}

// keepAsOlder writes the version that was the latest as an older one.
func (t *tx) keepAsOlder(b *metapb.Bucket, key string, h *head) {
	t.setBytes(keys.AppendOlder(t.key(), b.Id, key, h.order), h.raw)
	t.setBytes(keys.AppendVersionID(t.key(), b.Id, key, h.versionID), binary.BigEndian.AppendUint64(nil, h.order))
}

// removeOlderNull removes the null version of a key, if there is one among the older ones.
func (t *tx) removeOlderNull(b *metapb.Bucket, key string) {
	if null, found := t.older(b, key, ""); found {
		t.removeOlder(b, key, &null)
	}
}

// removeOlder removes an older version.
func (t *tx) removeOlder(b *metapb.Bucket, key string, h *head) {
	t.del(keys.AppendOlder(t.key(), b.Id, key, h.order))
	t.del(keys.AppendVersionID(t.key(), b.Id, key, h.versionID))
	t.dropVersion(b, key, h)
}

// removeLatest removes the latest version of a key. The newest of the older ones, if there are any,
// becomes the latest.
func (t *tx) removeLatest(b *metapb.Bucket, key string, h *head) {
	if b.Versioning == metapb.Versioning_VERSIONING_OFF || !t.promote(b, key) {
		t.del(keys.AppendObject(t.key(), b.Id, key))
	}
	t.dropVersion(b, key, h)
}

// promote makes the newest of the older versions of a key the latest one, and reports whether there
// was any.
func (t *tx) promote(b *metapb.Bucket, key string) bool {
	var next head
	next.keepRaw = true
	var at []byte
	prefix := keys.AppendOlderVersions(nil, b.Id, key)
	t.fail(record.Scan(t.batch, prefix, keys.PrefixEnd(slices.Clone(prefix)), func(k, v []byte) error {
		at = slices.Clone(k)
		if err := next.unmarshal(v); err != nil {
			return err
		}
		return record.ErrStop
	}))
	if at == nil || t.err != nil {
		return false
	}
	t.setBytes(keys.AppendObject(t.key(), b.Id, key), next.raw)
	t.del(at)
	t.del(keys.AppendVersionID(t.key(), b.Id, key, next.versionID))
	return true
}

// dropVersion drops what belongs to a version whose record was removed: its content, its restore,
// and a content that was being made for another class. The bucket then holds so much less.
func (t *tx) dropVersion(b *metapb.Bucket, key string, h *head) {
	t.use(b, h.deleteMarker, h.size, -1)
	if !h.deleteMarker {
		t.dropContent(h.content, h.multipart)
	}
	t.dropRestore(b, key, h.order, h.restore)
	t.dropCopy(h.transition)
}
