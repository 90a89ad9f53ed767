package drive

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// checkFormat reads the format version, or sets it in a new index.
func (x *index) checkFormat() (fresh bool, err error) {
	v, closer, err := x.db.Get([]byte{keyFormat})
	if errors.Is(err, pebble.ErrNotFound) {
		return true, faulty(x.db.Set([]byte{keyFormat}, []byte{formatVersion}, pebble.NoSync))
	}
	if err != nil {
		return false, faulty(err)
	}
	if len(v) != 1 || v[0] != formatVersion {
		err = errBadEntry
	}
	return false, faulty(err, closer.Close())
}

var errFuture = errors.New("a table holds entries that were written after the index's last change")

// checkOrder finds an index whose tables hold sequence numbers that are still to be given out.
// Pebble reads a MANIFEST up to the first damaged record, and the first record lists the tables but
// not the last sequence number. Entries of such tables cannot be seen until that many more were
// written, and then they hide what was written later. checkOrder must be called before anything is
// written.
func (x *index) checkOrder() error {
	b := x.db.NewBatch()
	// This takes the next number, gives it to nothing, and writes nothing.
	err := errors.Join(b.LogData(nil, nil), b.Commit(pebble.NoSync))
	next := b.SeqNum()
	if err = errors.Join(err, b.Close()); err != nil {
		return faulty(err)
	}
	levels, err := x.db.SSTables()
	if err != nil {
		return faulty(err)
	}
	for _, tables := range levels {
		for _, t := range tables {
			if t.LargestSeqNum >= next {
				return faulty(errFuture)
			}
		}
	}
	return nil
}

// probe makes Pebble read what a walk over all entries does not read: the filter of every table. So
// damage shows while the drive is opened, and not when a shard is asked for.
func (x *index) probe() error {
	levels, err := x.db.SSTables()
	if err != nil {
		return faulty(err)
	}
	for _, tables := range levels {
		for _, t := range tables {
			key := t.Smallest.UserKey
			// The second is in no table, so all whose bounds hold it are asked.
			for _, k := range [][]byte{key, append(key[:len(key):len(key)], 0)} {
				_, closer, err := x.db.Get(k)
				if err == nil {
					err = closer.Close()
				}
				if err != nil && !errors.Is(err, pebble.ErrNotFound) {
					return faulty(err)
				}
			}
		}
	}
	return nil
}
