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

// tx is one Apply in progress: an indexed batch over the database, through which
// each command sees what those before it did.
//
// Errors stick: the first one fails the whole Apply, the batch is thrown away and
// the State applies nothing more, so commands need not look after each access.
// They must not loop on an answer that an error could keep from coming.
type tx struct {
	mem          *memory
	batch        *pebble.Batch
	refs         *pebble.Iterator // Over references; made when first needed.
	err          error
	applied      *metapb.Applied // As of this batch.
	touched      []*session
	touchedStats []shard.VolumeID // Whose sums are to be stored.

	usages     map[uint64]*bucketUsage // By bucket, to find them; written in usageOrder.
	usageOrder []*bucketUsage

	directory       []query.EntryChange // Of this batch.
	bucketsRevision uint64

	dropLimits
	keyBuf, valueBuf []byte

	// Of the command being applied.
	index   uint64
	cmd     *metapb.Command
	session *session
	budget  int    // References and parts it may still drop; see content.go.
	events  uint32 // Queued so far.
}

func (s *State) begin() *tx {
	return &tx{mem: s.mem, batch: s.db.NewIndexedBatch(), dropLimits: s.limits,
		applied: proto.Clone(s.applied).(*metapb.Applied), bucketsRevision: s.bucketsRevision}
}

// dropLimits is how many references and parts a command may drop itself, how far a
// list goes, and how many events may wait for a target. The same on all replicas:
// only tests choose others.
type dropLimits struct {
	inline, perObject, listSteps int
	replaceBytes                 int // 0: the constant of that name.
	eventsMax                    uint64
}

// close frees what a tx holds; a batch that was not committed has no effect.
func (t *tx) close() error {
	t.closeRefs()
	return t.batch.Close()
}

func (t *tx) closeRefs() {
	if t.refs != nil {
		if err := t.refs.Close(); err != nil {
			t.fail(record.DBError(err))
		}
		t.refs = nil
	}
}

func (t *tx) fail(err error) {
	if t.err == nil && err != nil {
		t.err = err
	}
}

// key returns an empty buffer for the next key. Its bytes are valid until key is
// called again.
func (t *tx) key() []byte { return t.keyBuf[:0] }

// set writes a record and returns its size.
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

// hasAny reports whether any key begins with prefix, of which it takes hold.
func (t *tx) hasAny(prefix []byte) bool {
	found := false
	end := keys.PrefixEnd(append([]byte(nil), prefix...))
	t.fail(record.Scan(t.batch, prefix, end, func(_, _ []byte) error {
		found = true
		return record.ErrStop
	}))
	return found
}

// referenced reports whether any reference to an extent exists. It seeks by the
// prefix that the bloom filters know.
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
		t.refs.SetOptions(&o) // Also shows it the batch as it is now.
	}
	found := t.refs.SeekPrefixGE(prefix)
	if err := t.refs.Error(); err != nil {
		t.fail(record.DBError(err))
	}
	return found
}

// bucket returns a bucket by name; nil where there is none that the command was
// decided on.
func (t *tx) bucket(name string) *metapb.Bucket {
	if b := t.anyBucket(name); b != nil && record.IsDecidedOn(t.cmd.GetDecided(), b) {
		return b
	}
	return nil
}

// anyBucket returns a bucket by name, whoever asks.
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

func (t *tx) rememberBucket(b *metapb.Bucket) {
	if len(t.mem.buckets) >= bucketsCached {
		clear(t.mem.buckets)
	}
	t.mem.buckets[b.Name] = b
}

func refuse(r metapb.Refusal) *metapb.Result { return &metapb.Result{Refusal: r} }

// invalid refuses what no proposer without a bug sends.
func invalid(detail string) *metapb.Result {
	return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_INVALID, Detail: detail}
}
