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

// Set writes a variable durably.
func (s *Store) Set(key, value []byte) error {
	return s.gate.write("raftlog.Set", func() error {
		return s.db.Set(stableKey(key), value, pebble.Sync)
	})
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
