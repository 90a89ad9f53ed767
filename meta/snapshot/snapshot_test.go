package snapshot

import (
	"bytes"
	"io"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/files"
)

const testIndex = 7

// take makes a snapshot of a state as of an entry, which is the given files.
func take(t *testing.T, s *Store, index uint64, state map[string]string) *Meta {
	t.Helper()
	c, err := s.Checkpoint(index, 1, func(dir string) error {
		if err := s.fs.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		for name, text := range state {
			if err := files.Replace(s.fs, dir, name, []byte(text)); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, err)
	defer c.Release()
	sink, err := s.Create(1, index, 1, raft.Configuration{}, 1, nil)
	require.NoError(t, err)
	require.NoError(t, c.Persist(sink))
	return s.Latest()
}

// streamOf returns the stream of the newest snapshot.
func streamOf(t *testing.T, s *Store) []byte {
	t.Helper()
	meta, source, err := s.Open(s.Latest().Raft.ID)
	require.NoError(t, err)
	b, err := io.ReadAll(source)
	require.NoError(t, err)
	require.NoError(t, source.Close())
	require.Equal(t, meta.Size, int64(len(b)), "the size is not what was told")
	return b
}

func openStore(t *testing.T) *Store {
	t.Helper()
	s, err := Open(vfs.NewMem(), "snapshots")
	require.NoError(t, err)
	return s
}

// TestStreamBringsTheState sends a snapshot to another store, in pieces of several sizes:
// what is received is the same state, and says that a leader sent it.
func TestStreamBringsTheState(t *testing.T) {
	state := map[string]string{"MANIFEST-000001": "a", "000002.sst": "the table", "OPTIONS-000003": ""}
	from := openStore(t)
	take(t, from, testIndex, state)
	for _, piece := range []int{1, 7, 1 << 20} {
		to := openStore(t)
		sink, err := to.Create(1, testIndex, 1, raft.Configuration{}, 1, nil)
		require.NoError(t, err)
		_, err = io.CopyBuffer(struct{ io.Writer }{sink}, bytes.NewReader(streamOf(t, from)), make([]byte, piece))
		require.NoError(t, err)
		require.NoError(t, sink.Close())
		m := to.Latest()
		require.True(t, m.Received)
		require.Equal(t, uint64(testIndex), m.StateIndex)
		require.Len(t, m.Files, len(state))
		for name, text := range state {
			b, err := files.Read(to.fs, to.fs.PathJoin(to.statePath(m.Number), name))
			require.NoError(t, err)
			require.Equal(t, text, string(b), name)
		}
	}
}

// TestReadWhileReaped: a snapshot that is being sent is not removed.
func TestReadWhileReaped(t *testing.T) {
	s := openStore(t)
	first := take(t, s, 1, map[string]string{"CURRENT": "1"})
	_, source, err := s.Open(first.Raft.ID)
	require.NoError(t, err)
	for i := uint64(2); i <= 4; i++ {
		take(t, s, i, map[string]string{"CURRENT": "1"})
	}
	require.Len(t, s.metas, kept+1)
	_, err = io.Copy(io.Discard, source)
	require.NoError(t, err)
	require.NoError(t, source.Close())
	require.Len(t, s.metas, kept)
}

// TestStreamDamage flips each byte of a stream and cuts it at each: it is refused.
func TestStreamDamage(t *testing.T) {
	s := openStore(t)
	take(t, s, 3, map[string]string{"MANIFEST-000001": "some bytes", "000002.sst": "a table", "CURRENT": ""})
	stream := streamOf(t, s)
	unpack := func(b []byte, piece int) error {
		fs := vfs.NewMem()
		require.NoError(t, fs.MkdirAll("d", 0o755))
		u := newUnpacker(fs, "d")
		for len(b) > 0 {
			n := min(piece, len(b))
			if _, err := u.Write(bytes.Clone(b[:n])); err != nil {
				u.abort()
				return err
			}
			b = b[n:]
		}
		return u.finish()
	}
	for _, piece := range []int{1, 7, len(stream)} {
		require.NoError(t, unpack(stream, piece))
	}
	for i := range stream {
		bad := bytes.Clone(stream)
		bad[i] ^= 0x10
		require.Error(t, unpack(bad, len(bad)), "byte %d", i)
		require.Error(t, unpack(stream[:i], len(bad)), "cut at %d", i)
	}
	require.Error(t, unpack(append(bytes.Clone(stream), 0), len(stream)+1))
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte(streamMagic))
	f.Add(appendSum(append([]byte(streamMagic), make([]byte, 21)...)))
	f.Fuzz(func(t *testing.T, b []byte) {
		fs := vfs.NewMem()
		require.NoError(t, fs.MkdirAll("d", 0o755))
		u := newUnpacker(fs, "d")
		if _, err := u.Write(b); err == nil {
			_ = u.finish()
		}
		u.abort()
	})
}
