package raftlog

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
)

// TestNoRoom: where there is no room no command is written and no end is cut off, and the
// store goes on; entries of Raft itself, and its variables, are written all the same.
func TestNoRoom(t *testing.T) {
	var full error
	s, err := Open(Options{FS: vfs.NewMem(), Dir: "log", Admit: func(int64) error { return full }})
	require.NoError(t, err)
	entry := func(index uint64, of raft.LogType) *raft.Log {
		return &raft.Log{Index: index, Term: 1, Type: of, Data: []byte("data")}
	}
	last := func(want uint64) {
		t.Helper()
		got, err := s.LastIndex()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	require.NoError(t, s.StoreLogs([]*raft.Log{entry(1, raft.LogCommand), entry(2, raft.LogCommand)}))

	full = errs.Newf("test", errs.NoSpace, "full")
	require.ErrorIs(t, s.StoreLogs([]*raft.Log{entry(3, raft.LogNoop), entry(4, raft.LogCommand)}), full)
	require.ErrorIs(t, s.DeleteRange(2, 2), full)
	last(2)
	require.NoError(t, s.StoreLog(entry(3, raft.LogNoop)))
	require.NoError(t, s.SetUint64([]byte("CurrentTerm"), 7))
	require.NoError(t, s.DeleteRange(1, 1), "the beginning is only let go")
	last(3)

	full = nil
	require.NoError(t, s.StoreLog(entry(4, raft.LogCommand)))
	require.NoError(t, s.DeleteRange(4, 4))
	full = errs.Newf("test", errs.NoSpace, "full")
	require.NoError(t, s.StoreLog(entry(4, raft.LogCommand)), "Raft counts on what follows a cut")
	require.ErrorIs(t, s.StoreLog(entry(5, raft.LogCommand)), full)
	last(4)
	require.NoError(t, s.Close())
}
