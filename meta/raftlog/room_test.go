package raftlog

import (
	"sync/atomic"
	"syscall"
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

// fullFS is a file system on which files cannot grow by WriteAt while it is full, and, where
// it copies on writing, cannot be overwritten either.
type fullFS struct {
	vfs.FS
	full, copies atomic.Bool
}

func (f *fullFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.OpenReadWrite(name, c, o...)
	return fullFile{file, f}, err
}

type fullFile struct {
	vfs.File
	fs *fullFS
}

func (f fullFile) WriteAt(p []byte, off int64) (int, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if f.fs.full.Load() && (f.fs.copies.Load() || off+int64(len(p)) > info.Size()) {
		return 0, syscall.ENOSPC
	}
	return f.File.WriteAt(p, off)
}

// TestMarkOnFullDisk: the mark has its room from the start; where overwriting needs room
// all the same, a note is made up for by the next one.
func TestMarkOnFullDisk(t *testing.T) {
	fs := &fullFS{FS: vfs.NewMem()}
	var failed []error
	m, err := openMark(fs, "", func(err error) { failed = append(failed, err) })
	require.NoError(t, err)
	note := func(n uint64) { m.note(true, func(last, sets *uint64) { *last, *sets = n, n }) }
	says := func(want uint64) {
		t.Helper()
		f, err := fs.OpenReadWrite(markName, vfs.WriteCategoryUnspecified)
		require.NoError(t, err)
		defer f.Close()
		r := &mark{file: f}
		require.NoError(t, r.read())
		require.Equal(t, want, r.last)
		require.Equal(t, want, r.sets)
	}
	fs.full.Store(true)
	for n := uint64(1); n <= 3; n++ {
		note(n)
		says(n)
	}
	fs.copies.Store(true)
	note(4)
	says(3)
	fs.full.Store(false)
	note(5)
	says(5)
	require.Empty(t, failed)
	require.NoError(t, m.close())
}
