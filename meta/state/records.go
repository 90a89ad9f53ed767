package state

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/check"
	"github.com/cairnstore/cairn/meta/record"
)

// Records gives access to the records of a state while nothing is applied to it, so that what
// Apply stops at or refuses to touch can be seen and mended. It opens where a State does not,
// since it believes no record.
type Records struct{ db *pebble.DB }

// OpenRecords opens the records of the state in dir, which must not be open. Errors: NotFound
// if there is none, Corrupt if the database itself is damaged, Internal if the file system
// fails.
func OpenRecords(fs vfs.FS, dir string) (*Records, error) {
	const op = "state.OpenRecords"
	if d, err := pebble.Peek(dir, fs); err != nil || !d.Exists { // Open would make an empty one.
		return nil, errs.New(op, errs.NotFound, errors.Join(fmt.Errorf("%s holds no metadata", dir), err))
	}
	opts := PebbleOptions(Options{FS: fs, Dir: dir})
	defer opts.Cache.Unref()
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return nil, errs.New(op, record.OpenKind(err), fmt.Errorf("metadata in %s: %w", dir, err))
	}
	return &Records{db}, nil
}

// Close makes durable what was changed, and closes the database.
func (r *Records) Close() error { return errors.Join(r.db.Flush(), r.db.Close()) }

// Get returns the value of the record under key, not nil, and whether there is one.
func (r *Records) Get(key []byte) (value []byte, found bool, err error) {
	found, err = record.View(r.db, key, func(v []byte) error {
		value = append([]byte{}, v...)
		return nil
	})
	return value, found, err
}

// Set makes or replaces the record under key. A nil value removes it.
func (r *Records) Set(key, value []byte) error {
	if value == nil {
		return dbErrorOf(r.db.Delete(key, pebble.NoSync))
	}
	return dbErrorOf(r.db.Set(key, value, pebble.NoSync))
}

func dbErrorOf(err error) error {
	if err == nil {
		return nil
	}
	return record.DBError(err)
}

// Find returns the key of a record by its name (record.Name). A name in hex is the key itself,
// whether there is such a record or not. Errors: NotFound.
func (r *Records) Find(name string) (key []byte, err error) {
	if key, err := hex.DecodeString(name); err == nil {
		return key, nil
	}
	err = record.Scan(r.db, nil, nil, func(k, _ []byte) error {
		if record.Name(k) != name {
			return nil
		}
		key = slices.Clone(k)
		return record.ErrStop
	})
	if err == nil && key == nil {
		err = errs.Newf("state.Find", errs.NotFound,
			"no record here is called %s: what it names is missing, or was removed", name)
	}
	return key, err
}

// Fault is something that is wrong with the records.
type Fault struct {
	Key  []byte // The key of the record; nil if the fault is about several.
	What string
}

// Faults returns what is wrong with the records: those that cannot be decoded; if there are
// none, what Open would stop at; and if Open would not, what Check finds. The mending of one
// kind of fault shows the next. Faults holds what it reads in memory.
func (r *Records) Faults() (out []Fault, err error) {
	err = record.Scan(r.db, nil, nil, func(key, value []byte) error {
		if err := check.Decodes(key, value); err != nil && len(out) < check.FindingsMax {
			out = append(out, Fault{slices.Clone(key), err.Error()})
		}
		return nil
	})
	if err != nil || len(out) > 0 {
		return out, err
	}
	if _, err := loadMemory(r.db); err != nil {
		c := record.AsContradiction(err)
		if c == nil {
			return nil, err
		}
		return []Fault{{c.Key, c.Cause.Error()}}, nil
	}
	err = (&State{db: r.db}).Check()
	if joined, ok := errors.Unwrap(err).(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			out = append(out, Fault{What: e.Error()})
		}
		return out, nil
	}
	return nil, err
}

// records is the check.Each of s.
func (s *State) records(f func(key, value []byte) error) error {
	snap := s.db.NewSnapshot()
	err := record.Scan(snap, nil, nil, f)
	if cerr := snap.Close(); err == nil && cerr != nil {
		err = record.DBError(cerr)
	}
	return err
}

// Check proves that the records agree with each other: see check.Records.
func (s *State) Check() error { return check.Records(s.records) }

// Dump writes all records as text: see check.Dump.
func (s *State) Dump(w io.Writer) error { return check.Dump(s.records, w) }

// Hash returns a digest of all records: see check.Hash.
func (s *State) Hash() (sum [sha256.Size]byte, err error) { return check.Hash(s.records) }
