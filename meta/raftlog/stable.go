package raftlog

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cairnstore/cairn/cluster/errs"
)

// errNotFound has the text by which Raft knows it.
var errNotFound = errors.New("not found")

// setsKey is the key of the number of variables that were set.
var setsKey = []byte{'n'}

// Set writes a variable durably.
func (s *Store) Set(key, value []byte) error {
	s.setMu.Lock()
	defer s.setMu.Unlock()
	return s.gate.write("raftlog.Set", func() error {
		b := s.db.NewBatch()
		defer b.Close()
		n := s.sets + 1
		err := errors.Join(b.Set(stableKey(key), value, nil), b.Set(setsKey, binary.BigEndian.AppendUint64(nil, n), nil))
		if err == nil {
			err = b.Commit(pebble.Sync)
		}
		if err != nil {
			return err
		}
		s.sets = n
		s.mark.note(true, func(_, sets *uint64) { *sets = n })
		return nil
	})
}

// readSets returns how many variables were set.
func (s *Store) readSets() (uint64, error) {
	v, closer, err := s.db.Get(setsKey)
	if err == pebble.ErrNotFound {
		return 0, nil
	}
	if err != nil {
		return 0, corrupt("raftlog.Open", s.dir, err)
	}
	defer closer.Close()
	if len(v) != 8 {
		return 0, corrupt("raftlog.Open", s.dir, fmt.Errorf("a number has %d bytes", len(v)))
	}
	return binary.BigEndian.Uint64(v), nil
}

// Get reads a variable; the error's text is "not found" where it was never set.
func (s *Store) Get(key []byte) ([]byte, error) {
	v, closer, err := s.db.Get(stableKey(key))
	if err == pebble.ErrNotFound {
		return nil, errNotFound
	}
	if err != nil {
		return nil, errs.New("raftlog.Get", errs.Corrupt, err)
	}
	defer closer.Close()
	return append([]byte(nil), v...), nil
}

// SetUint64 writes a number durably.
func (s *Store) SetUint64(key []byte, value uint64) error {
	return s.Set(key, binary.BigEndian.AppendUint64(nil, value))
}

// GetUint64 reads a number; the error's text is "not found" where it was never set.
func (s *Store) GetUint64(key []byte) (uint64, error) {
	v, err := s.Get(key)
	if err != nil {
		return 0, err
	}
	if len(v) != 8 {
		return 0, corrupt("raftlog.GetUint64", s.dir, fmt.Errorf("a number has %d bytes", len(v)))
	}
	return binary.BigEndian.Uint64(v), nil
}
