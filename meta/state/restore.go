package state

import (
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// listRestore lists a version by the time of its restore. Bucket, key and order
// name the version wherever it lies, so it stays listed when it becomes older or
// the latest again.
func (t *tx) listRestore(b *metapb.Bucket, key string, order uint64, r *metapb.Restore) {
	if at, due := record.RestoreTime(r); due {
		t.setBytes(keys.AppendRestore(t.key(), at, b.Id, key, order), []byte(b.Name))
	}
}

func (t *tx) unlistRestore(b *metapb.Bucket, key string, order uint64, r *metapb.Restore) {
	if at, due := record.RestoreTime(r); due {
		t.del(keys.AppendRestore(t.key(), at, b.Id, key, order))
	}
}

// dropRestore drops what belongs to the restore of a version.
func (t *tx) dropRestore(b *metapb.Bucket, key string, order uint64, r *metapb.Restore) {
	t.unlistRestore(b, key, order, r)
	t.dropCopy(r)
}

// dropCopy drops the warm copy of a restore, if there is one.
func (t *tx) dropCopy(r *metapb.Restore) {
	if id, ok := keys.ParseID(r.GetContentId()); ok {
		t.dropContent(id, r.Parts > 0)
	}
}
