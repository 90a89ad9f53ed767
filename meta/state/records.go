package state

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/keys"
)

// Records are the records of a state that nothing is applied to, one by one: to see and to
// mend what Apply stops at or refuses to touch. They open where a State does not, since
// none of them is believed.
type Records struct{ db *pebble.DB }

// OpenRecords opens the records of the state in dir, which nothing may have open.
func OpenRecords(fs vfs.FS, dir string) (*Records, error) {
	const op = "state.OpenRecords"
	if d, err := pebble.Peek(dir, fs); err != nil || !d.Exists { // Pebble would make an empty one.
		return nil, errs.New(op, errs.NotFound, errors.Join(fmt.Errorf("%s holds no metadata", dir), err))
	}
	opts := PebbleOptions(Options{FS: fs, Dir: dir})
	defer opts.Cache.Unref()
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return nil, errs.New(op, openKind(err), fmt.Errorf("metadata in %s: %w", dir, err))
	}
	return &Records{db}, nil
}

// Close makes what was changed durable.
func (r *Records) Close() error { return errors.Join(r.db.Flush(), r.db.Close()) }

// Get returns the value of a record.
func (r *Records) Get(key []byte) (value []byte, found bool, err error) {
	found, err = get(r.db, key, func(v []byte) error {
		value = append([]byte{}, v...) // Not nil, where it is empty.
		return nil
	})
	return value, found, err
}

// Set replaces a record, or makes one; nil removes it.
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
	return dbError(err)
}

// Find returns the key of a record by what RecordName calls it, or by its key in hex.
// Errors: NotFound.
func (r *Records) Find(name string) (key []byte, err error) {
	if key, err := hex.DecodeString(name); err == nil {
		return key, nil // It may be one that is to be made.
	}
	err = scan(r.db, nil, nil, func(k, _ []byte) error {
		if RecordName(k) != name {
			return nil
		}
		key = slices.Clone(k)
		return errStop
	})
	if err == nil && key == nil {
		err = errs.Newf("state.Find", errs.NotFound, "no record here is called %s: what it names is missing, or was removed", name)
	}
	return key, err
}

// Fault is something that is wrong with the records.
type Fault struct {
	Key  []byte // Of the record; nil: it is about several.
	What string
}

// Faults looks for what is wrong: records that cannot be decoded, else what Open stops at,
// else what Check finds. It holds what it reads in memory.
func (r *Records) Faults() (out []Fault, err error) {
	err = scan(r.db, nil, nil, func(key, value []byte) error {
		if err := decodes(key, value); err != nil && len(out) < findingsMax {
			out = append(out, Fault{slices.Clone(key), err.Error()})
		}
		return nil
	})
	if err != nil || len(out) > 0 {
		return out, err
	}
	if _, err := loadMemory(r.db); err != nil {
		c := asContradiction(err)
		if c == nil {
			return nil, err
		}
		return []Fault{{c.key, c.cause.Error()}}, nil
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

// records calls f for every record, as of one moment.
func (s *State) records(f func(key, value []byte) error) error {
	snap := s.db.NewSnapshot()
	err := scan(snap, nil, nil, f)
	if cerr := snap.Close(); err == nil && cerr != nil {
		err = dbError(cerr)
	}
	return err
}

// Check proves that the records agree with each other: see checkRecords.
func (s *State) Check() error { return checkRecords(s.records) }

// Dump writes all records in order of their keys: see dumpRecords.
func (s *State) Dump(w io.Writer) error { return dumpRecords(s.records, w) }

// Hash returns a digest of all records: see hashRecords.
func (s *State) Hash() (sum [sha256.Size]byte, err error) { return hashRecords(s.records) }

// decodes returns why a record cannot be decoded.
func decodes(key, value []byte) error {
	k, err := keys.Decode(key)
	if err != nil {
		return err
	}
	if m := newRecord(k.Kind); m != nil {
		return proto.Unmarshal(value, m)
	}
	return nil
}

// Show tells a record in words: its key, its name, and its value as JSON. It shows names
// and inline bytes.
func Show(key, value []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "record  %s\nkey     %x\n", RecordName(key), key)
	k, err := keys.Decode(key)
	if err != nil {
		fmt.Fprintf(&b, "which is no key\nvalue   %x\n", value)
		return b.String()
	}
	fmt.Fprintf(&b, "which is %s\n", k)
	m := newRecord(k.Kind)
	switch {
	case value == nil:
		b.WriteString("value   there is none\n")
	case m == nil:
		fmt.Fprintf(&b, "value   %x\n", value)
	case proto.Unmarshal(value, m) != nil:
		fmt.Fprintf(&b, "value   %x, which is no %s\n", value, m.ProtoReflect().Descriptor().Name())
	default:
		text, err := protojson.MarshalOptions{Multiline: true, UseProtoNames: true}.Marshal(m)
		if err != nil {
			text = []byte(err.Error())
		}
		fmt.Fprintf(&b, "value   %s %s\n", m.ProtoReflect().Descriptor().Name(), text)
	}
	return b.String()
}

// EncodeRecord makes the value of a record from JSON as Show tells it; in hex where the
// kind has no message. Errors: Invalid.
func EncodeRecord(key, text []byte) ([]byte, error) {
	const op = "state.EncodeRecord"
	k, err := keys.Decode(key)
	if err != nil {
		return nil, errs.Newf(op, errs.Invalid, "what has such a key can only be removed: %w", err)
	}
	m := newRecord(k.Kind)
	if m == nil {
		value, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil {
			return nil, errs.Newf(op, errs.Invalid, "the value of such a record is given in hex: %w", err)
		}
		return value, nil
	}
	if err := protojson.Unmarshal(text, m); err != nil {
		return nil, errs.Newf(op, errs.Invalid, "that is no %s in JSON: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if value == nil {
		value = []byte{} // Not one that is to be removed.
	}
	return value, err
}
