package state

import (
	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/query"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// tx is one batch of entries while it is applied. Commands read and write through an indexed
// batch over the database, so each sees what those before it did.
//
// The first error sticks (fail): it ends the batch, which is thrown away. So a command need not
// look for an error after each access, and may go on with whatever it got. It must not loop
// until an answer comes that an error may keep from coming.
type tx struct {
	mem          *memory
	batch        *pebble.Batch
	refs         *pebble.Iterator // Over reference keys; made when it is first needed.
	err          error
	applied      *metapb.Applied  // As of the commands so far.
	touched      []*session       // Sessions that are to be stored with the batch.
	touchedStats []shard.VolumeID // Volumes whose sums are to be stored with the batch.

	usages     map[uint64]*bucketUsage // By bucket: to find one, and never to range over.
	usageOrder []*bucketUsage          // The same, in the order in which they are stored.

	directory       []query.EntryChange // How this batch changes the directory,
	views           []query.ViewChange  // and nodes and volumes.
	bucketsRevision uint64

	dropLimits
	keyBuf, valueBuf []byte
	advanced         bool // Something was applied: see advance.

	// Of the command being applied.
	position uint64 // See nextPosition.
	cmd      *metapb.Command
	session  *session
	budget   int    // How many references and parts it may still drop: see dropInline.
	events   uint32 // How many events it has queued.
}

// begin begins a batch. The caller must close it.
func (s *State) begin() *tx {
	return &tx{mem: s.mem, batch: s.db.NewIndexedBatch(), dropLimits: s.limits,
		applied: proto.Clone(s.applied).(*metapb.Applied), bucketsRevision: s.bucketsRevision}
}

// dropLimits bounds what one command or query does: how many references and parts a command
// may drop itself, how many bytes of owners it rewrites, how many events may wait for a
// target, how far a list goes. They must be the same on all replicas, so they are constants;
// only tests choose others.
type dropLimits struct {
	inline, perObject, listSteps int
	replaceBytes                 int // 0 means the constant of that name.
	eventsMax                    uint64
}

// close frees what t holds. If the batch was not committed, it has no effect on the database.
func (t *tx) close() error {
	t.closeRefs()
	return t.batch.Close()
}

// closeRefs closes the iterator over references, which must not outlive the batch.
func (t *tx) closeRefs() {
	if t.refs != nil {
		if err := t.refs.Close(); err != nil {
			t.fail(record.DBError(err))
		}
		t.refs = nil
	}
}

// fail makes err the error of the batch, unless it has one or err is nil.
func (t *tx) fail(err error) {
	if t.err == nil && err != nil {
		t.err = err
	}
}

// key returns an empty buffer for the next key. Its bytes are valid until key is called again.
// The key that was used last stays in keyBuf, so that corrupt can name its record.
func (t *tx) key() []byte { return t.keyBuf[:0] }

// set writes a record and returns the size of its value. Marshalling is deterministic: all
// replicas write the same bytes.
func (t *tx) set(key []byte, m proto.Message) int {
	t.keyBuf = key
	v, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(t.valueBuf[:0], m)
	t.fail(err)
	t.valueBuf = v
	t.setBytes(key, v)
	return len(v)
}

func (t *tx) setBytes(key, value []byte) {
	t.keyBuf = key
	t.fail(t.batch.Set(key, value, nil))
}

func (t *tx) del(key []byte) {
	t.keyBuf = key
	t.fail(t.batch.Delete(key, nil))
}

// get reads the record under key into m and reports whether there is one.
func (t *tx) get(key []byte, m proto.Message) bool {
	t.keyBuf = key
	ok, err := record.Get(t.batch, key, m)
	t.fail(err)
	return ok
}

// view calls f with the value under key and reports whether there is one.
func (t *tx) view(key []byte, f func(v []byte) error) bool {
	t.keyBuf = key
	ok, err := record.View(t.batch, key, f)
	t.fail(err)
	return ok
}

func (t *tx) has(key []byte) bool {
	return t.view(key, func([]byte) error { return nil })
}

// hasAny reports whether any key begins with prefix.
func (t *tx) hasAny(prefix []byte) bool {
	found := false
	end := keys.PrefixEnd(append([]byte(nil), prefix...))
	t.fail(record.Scan(t.batch, prefix, end, func(_, _ []byte) error {
		found = true
		return record.ErrStop
	}))
	return found
}

// referenced reports whether an extent has any reference. It seeks by the prefix of keys that
// the database's bloom filters hold, so mostly it reads no table to learn that there is none.
func (t *tx) referenced(e shard.ExtentID) bool {
	prefix := keys.AppendRefs(make([]byte, 0, 16), e)
	end := keys.PrefixEnd(append(make([]byte, 0, 16), prefix...))
	o := pebble.IterOptions{LowerBound: prefix, UpperBound: end, UseL6Filters: true}
	if t.refs == nil {
		it, err := t.batch.NewIter(&o)
		if err != nil {
			t.fail(record.DBError(err))
			return true
		}
		t.refs = it
	} else {
		t.refs.SetOptions(&o) // Makes it see the batch as it is now, too.
	}
	found := t.refs.SeekPrefixGE(prefix)
	if err := t.refs.Error(); err != nil {
		t.fail(record.DBError(err))
	}
	return found
}

// bucket returns the bucket of a name; nil if there is none, or only one that is not what the
// command was decided on. It must not be changed.
func (t *tx) bucket(name string) *metapb.Bucket {
	if b := t.anyBucket(name); b != nil && record.IsDecidedOn(t.cmd.GetDecided(), b) {
		return b
	}
	return nil
}

// anyBucket returns the bucket of a name, whatever the command was decided on; nil if there is
// none. It must not be changed.
func (t *tx) anyBucket(name string) *metapb.Bucket {
	if b := t.mem.buckets[name]; b != nil {
		return b
	}
	b := new(metapb.Bucket)
	if !t.get(keys.AppendBucket(t.key(), name), b) {
		return nil
	}
	t.rememberBucket(b)
	return b
}

// rememberBucket keeps the record of a bucket decoded in memory. When the cache is full it is
// emptied first.
func (t *tx) rememberBucket(b *metapb.Bucket) {
	if len(t.mem.buckets) >= bucketsCached {
		clear(t.mem.buckets)
	}
	t.mem.buckets[b.Name] = b
}

// refuse returns the result of a command that is refused.
func refuse(r metapb.Refusal) *metapb.Result { return &metapb.Result{Refusal: r} }

// invalid returns the result of a command that no proposer without a fault sends. detail says
// what is wrong with it.
func invalid(detail string) *metapb.Result {
	return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_INVALID, Detail: detail}
}
