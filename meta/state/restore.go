package state

import (
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// listRestore lists a version by the time at which its restore begins or its warm copy expires, if
// either is to come. The list names it by bucket, key and order. So it need not change when the
// version becomes an older one, or the latest again.
func (t *tx) listRestore(b *metapb.Bucket, key string, order uint64, r *metapb.Restore) {
	if at, due := record.RestoreTime(r); due {
		t.setBytes(keys.AppendRestore(t.key(), at, b.Id, key, order), []byte(b.Name))
	}
}

// unlistRestore is the reverse of listRestore. r must be what the version was listed with.
func (t *tx) unlistRestore(b *metapb.Bucket, key string, order uint64, r *metapb.Restore) {
	if at, due := record.RestoreTime(r); due {
		t.del(keys.AppendRestore(t.key(), at, b.Id, key, order))
	}
}

// dropRestore drops what belongs to the restore of a version, if it has one: its place in the list
// and its warm copy.
func (t *tx) dropRestore(b *metapb.Bucket, key string, order uint64, r *metapb.Restore) {
	t.unlistRestore(b, key, order, r)
	t.dropCopy(r)
}

// dropCopy drops the content that a restore or a transition has made, if there is one.
func (t *tx) dropCopy(r *metapb.Restore) {
	if id, ok := keys.ParseID(r.GetContentId()); ok {
		t.dropContent(id, r.Parts > 0)
	}
}
