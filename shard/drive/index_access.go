package drive

import (
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cairnstore/cairn/shard"
)

func (x *index) get(id shard.ID) (location, bool, error) {
	key := entryKey(id)
	v, closer, err := x.db.Get(key[:])
	if errors.Is(err, pebble.ErrNotFound) {
		return location{}, false, nil
	}
	if err != nil {
		return location{}, false, faulty(err)
	}
	l, err := decodeEntry(id, v)
	return l, err == nil, faulty(err, closer.Close())
}

// entries calls fn for each entry with an id greater than after, in ascending order, until fn
// returns false.
func (x *index) entries(after shard.ID, fn func(location) bool) error {
	lower := entryKey(after)
	it, err := x.db.NewIter(&pebble.IterOptions{
		LowerBound: append(lower[:], 0), // The key right after.
		UpperBound: []byte{keyEntry + 1},
	})
	if err != nil {
		return faulty(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		id, err := decodeEntryKey(it.Key())
		if err != nil {
			return faulty(err, it.Close())
		}
		l, err := decodeEntry(id, it.Value())
		if err != nil {
			return faulty(err, it.Close())
		}
		if !fn(l) {
			break
		}
	}
	return faulty(it.Close())
}

func (x *index) marks() (map[uint64]mark, error) {
	it, err := x.db.NewIter(&pebble.IterOptions{LowerBound: []byte{keyMark}, UpperBound: []byte{keyMark + 1}})
	if err != nil {
		return nil, faulty(err)
	}
	out := make(map[uint64]mark)
	for ok := it.First(); ok; ok = it.Next() {
		k, v := it.Key(), it.Value()
		if len(k) != 9 || len(v) != markBytes {
			return nil, faulty(errBadEntry, it.Close())
		}
		out[binary.BigEndian.Uint64(k[1:])] = mark{
			secret: secret(v[:secretBytes]), settled: int64(binary.LittleEndian.Uint64(v[secretBytes:])),
		}
	}
	return out, faulty(it.Close())
}

// indexBatch is a set of changes that become visible, and durable, together.
type indexBatch struct{ b *pebble.Batch }

func (x *index) newBatch() indexBatch { return indexBatch{x.db.NewBatch()} }

func (b indexBatch) put(l location) error {
	k, v := entryKey(l.header.ID), encodeEntry(l)
	return b.b.Set(k[:], v[:], nil)
}

func (b indexBatch) remove(id shard.ID) error {
	k := entryKey(id)
	return b.b.Delete(k[:], nil)
}

func (b indexBatch) setMark(seg uint64, m mark) error {
	var v [markBytes]byte
	copy(v[:], m.secret[:])
	binary.LittleEndian.PutUint64(v[secretBytes:], uint64(m.settled))
	return b.b.Set(markKey(seg), v[:], nil)
}

func (b indexBatch) removeMark(seg uint64) error { return b.b.Delete(markKey(seg), nil) }

// commit applies the batch and ends it.
func (b indexBatch) commit() error { return faulty(b.b.Commit(pebble.NoSync), b.b.Close()) }
