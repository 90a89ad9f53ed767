package snapshot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/files"
)

// numbers returns the numbers of the snapshots of a store, the newest first.
func numbers(s *Store) (out []uint64) {
	for _, m := range s.metas {
		out = append(out, m.Number)
	}
	return out
}

// TestReopen: a store that is opened again has the snapshots that it had, as they were, and
// gives out numbers beyond theirs. What a crash has left is removed, and nothing else is
// touched.
func TestReopen(t *testing.T) {
	s := openStore(t)
	for i := uint64(1); i <= 4; i++ {
		take(t, s, i, map[string]string{"CURRENT": fmt.Sprint(i), "000001.sst": "table"})
	}
	require.Equal(t, []uint64{4, 3}, numbers(s))
	require.NoError(t, s.fs.MkdirAll(s.statePath(9), 0o755), "a snapshot that never was whole")
	require.NoError(t, s.fs.MkdirAll(s.fs.PathJoin(s.dir, "other"), 0o755))
	again, err := Open(s.fs, s.dir)
	require.NoError(t, err)
	require.Equal(t, s.metas, again.metas)
	names, err := s.fs.List(s.dir)
	require.NoError(t, err)
	slices.Sort(names)
	require.Equal(t, []string{"3", "4", "other"}, names)
	require.Equal(t, uint64(10), take(t, again, 5, map[string]string{"CURRENT": "5"}).Number)
}

// TestReopenDamaged: a meta file that is damaged, or another snapshot's, is told.
func TestReopenDamaged(t *testing.T) {
	s := openStore(t)
	take(t, s, 1, map[string]string{"CURRENT": "1"})
	whole, err := files.Read(s.fs, s.fs.PathJoin(s.path(1), metaName))
	require.NoError(t, err)
	write := func(n uint64, b []byte) {
		require.NoError(t, s.fs.MkdirAll(s.path(n), 0o755))
		require.NoError(t, files.Replace(s.fs, s.path(n), metaName, b))
	}
	for i := range whole {
		bad := slices.Clone(whole)
		bad[i] ^= 0x10
		write(1, bad)
		_, err := Open(s.fs, s.dir)
		require.True(t, errs.Is(err, errs.Corrupt), "byte %d: %v", i, err)
	}
	write(1, whole)
	write(2, whole)
	_, err = Open(s.fs, s.dir)
	require.True(t, errs.Is(err, errs.Corrupt), "%v", err)
}

// TestRework: where the newest snapshot was changed it is the only one, as of the same entry,
// and after a restart too; where it was not, or that failed, all is as it was.
func TestRework(t *testing.T) {
	s := openStore(t)
	require.NoError(t, s.Rework(func(string) (bool, error) { panic("there is none") }))
	take(t, s, 1, map[string]string{"CURRENT": "1"})
	before := take(t, s, 2, map[string]string{"CURRENT": "2", "000001.sst": "table"})
	left := func() []string {
		names, err := s.fs.List(s.dir)
		require.NoError(t, err)
		slices.Sort(names)
		return names
	}
	read := func(dir, name string) string {
		b, err := files.Read(s.fs, s.fs.PathJoin(dir, name))
		require.NoError(t, err)
		return string(b)
	}
	for _, fails := range []error{nil, errorfs.ErrInjected} {
		require.ErrorIs(t, s.Rework(func(dir string) (bool, error) {
			require.Equal(t, "2", read(dir, "CURRENT"))
			require.Equal(t, "table", read(dir, "000001.sst"))
			require.NoError(t, files.Replace(s.fs, dir, "CURRENT", []byte("changed for nothing")))
			return fails != nil, fails
		}), fails)
		require.Equal(t, []string{"1", "2"}, left())
		require.Equal(t, []uint64{2, 1}, numbers(s))
		require.Equal(t, "2", read(s.statePath(2), "CURRENT"))
	}
	require.NoError(t, s.Rework(func(dir string) (bool, error) {
		return true, files.Replace(s.fs, dir, "CURRENT", []byte("changed"))
	}))
	require.Len(t, left(), 1)
	after := s.Latest()
	require.Equal(t, []uint64{after.Number}, numbers(s))
	require.Equal(t, before.Raft.Index, after.Raft.Index)
	require.Equal(t, before.StateIndex, after.StateIndex)
	require.Equal(t, "changed", read(s.statePath(after.Number), "CURRENT"))
	require.Equal(t, "table", read(s.statePath(after.Number), "000001.sst"))
	again, err := Open(s.fs, s.dir)
	require.NoError(t, err)
	require.Equal(t, s.metas, again.metas)
	streamOf(t, again)
}

// TestNewestFirst: the newest snapshot is the one of the latest entry, and of several of one
// entry the one that was made last, whichever order they came in.
func TestNewestFirst(t *testing.T) {
	s := openStore(t)
	for _, index := range []uint64{5, 3, 5, 4, 5} {
		take(t, s, index, map[string]string{"CURRENT": "1"})
	}
	require.Equal(t, []uint64{5, 3}, numbers(s))
	take(t, s, 2, map[string]string{"CURRENT": "1"})
	require.Equal(t, []uint64{5, 3}, numbers(s), "it is older than those that are kept")
	again, err := Open(s.fs, s.dir)
	require.NoError(t, err)
	require.Equal(t, []uint64{5, 3}, numbers(again))
	list, err := again.List()
	require.NoError(t, err)
	require.Equal(t, []string{"5", "3"}, []string{list[0].ID, list[1].ID})
}

// TestUnpackLeavesNothingOpen: a stream that ends early, or is damaged, leaves no file open.
func TestUnpackLeavesNothingOpen(t *testing.T) {
	from := openStore(t)
	take(t, from, testIndex, map[string]string{"MANIFEST-000001": "some bytes", "000002.sst": "the table"})
	stream := streamOf(t, from)
	opened := 0
	fs := countedFS{vfs.NewMem(), &opened}
	s, err := Open(fs, "snapshots")
	require.NoError(t, err)
	unpack := func(b []byte) error {
		_, _, err := s.UnpackInto("snapshots", io.NopCloser(bytes.NewReader(b)))
		return err
	}
	opened = 0
	require.NoError(t, unpack(stream))
	require.Zero(t, opened)
	for i := range stream {
		require.Error(t, unpack(stream[:i]), "cut at %d", i)
		require.Zero(t, opened, "cut at %d", i)
		bad := bytes.Clone(stream)
		bad[i] ^= 0x10
		require.Error(t, unpack(bad), "byte %d", i)
		require.Zero(t, opened, "byte %d", i)
	}
}

// countedFS counts the files that are being written.
type countedFS struct {
	vfs.FS
	opened *int
}

func (c countedFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := c.FS.Create(name, category)
	if err != nil {
		return nil, err
	}
	*c.opened++
	return countedFile{f, c.opened}, nil
}

type countedFile struct {
	vfs.File
	opened *int
}

func (c countedFile) Close() error {
	*c.opened--
	return c.File.Close()
}

// TestNoStreamLeadsOut: a stream whose checksums are right, but of which a file's name is
// none that a database gives, is refused before anything is written.
func TestNoStreamLeadsOut(t *testing.T) {
	stream := func(name string) []byte {
		b := append([]byte(streamMagic), streamVersion)
		b = binary.LittleEndian.AppendUint64(b, testIndex)
		b = binary.LittleEndian.AppendUint64(b, 1)
		b = appendSum(binary.LittleEndian.AppendUint32(b, 1))
		head := binary.LittleEndian.AppendUint16(nil, uint16(len(name)))
		head = binary.LittleEndian.AppendUint64(head, 1)
		b = append(b, appendSum(append(head, name...))...)
		content := appendSum([]byte("x"))
		return append(append(b, content...), appendSum(content[1:])[sumBytes:]...)
	}
	for name, good := range map[string]bool{"000001.sst": true, "../000001.sst": false, "a/b": false, "..": false} {
		s := openStore(t)
		sink, err := s.Create(1, testIndex, 1, raft.Configuration{}, 1, nil)
		require.NoError(t, err)
		_, err = sink.Write(stream(name))
		require.Equal(t, good, err == nil, "%q: %v", name, err)
		if good {
			require.NoError(t, sink.Close())
			continue
		}
		require.True(t, errs.Is(err, errs.Corrupt), "%v", err)
		require.NoError(t, sink.Cancel())
		names, err := s.fs.List(s.dir)
		require.NoError(t, err)
		require.Empty(t, names)
	}
}

// TestCheckpointIsReleased: of a checkpoint that failed, or that nobody persisted, nothing
// stays; one that became a snapshot stays.
func TestCheckpointIsReleased(t *testing.T) {
	s := openStore(t)
	left := func() []string {
		names, err := s.fs.List(s.dir)
		require.NoError(t, err)
		return names
	}
	_, err := s.Checkpoint(1, 1, func(dir string) error {
		return errors.Join(files.MkdirSynced(s.fs, dir), errorfs.ErrInjected)
	})
	require.ErrorIs(t, err, errorfs.ErrInjected)
	require.Empty(t, left())
	c, err := s.Checkpoint(1, 1, func(dir string) error { return files.MkdirSynced(s.fs, dir) })
	require.NoError(t, err)
	c.Release()
	require.Empty(t, left())
	m := take(t, s, 1, map[string]string{"CURRENT": "1"})
	require.Equal(t, []string{strconv.FormatUint(m.Number, 10)}, left())
}

// TestReadersCount: a snapshot that is read twice is kept until the last reader is closed,
// and the others are not.
func TestReadersCount(t *testing.T) {
	s := openStore(t)
	first := take(t, s, 1, map[string]string{"CURRENT": "1"})
	var readers []io.Closer
	for range 2 {
		_, source, err := s.Open(first.Raft.ID)
		require.NoError(t, err)
		readers = append(readers, source)
	}
	for i := uint64(2); i <= 4; i++ {
		take(t, s, i, map[string]string{"CURRENT": "1"})
	}
	require.Equal(t, []uint64{4, 3, 1}, numbers(s))
	require.NoError(t, readers[0].Close())
	require.NoError(t, readers[0].Close(), "closed twice")
	require.Equal(t, []uint64{4, 3, 1}, numbers(s))
	require.NoError(t, readers[1].Close())
	require.Equal(t, []uint64{4, 3}, numbers(s))
	require.Empty(t, s.reads)
	_, _, err := s.Open(first.Raft.ID)
	require.True(t, errs.Is(err, errs.NotFound), "%v", err)
}

// TestOnlySnapshotsOfItsFilesAreSent: where a file is not what the meta file says, whether it
// was damaged, cut short or lost, its stream does not end well.
func TestOnlySnapshotsOfItsFilesAreSent(t *testing.T) {
	for name, spoil := range map[string]func(fs vfs.FS, dir string) error{
		"damaged": func(fs vfs.FS, dir string) error { return files.Replace(fs, dir, "CURRENT", []byte("1.34")) },
		"cut short": func(fs vfs.FS, dir string) error {
			return files.Replace(fs, dir, "000001.sst", []byte("tab"))
		},
		"empty": func(fs vfs.FS, dir string) error { return files.Replace(fs, dir, "000001.sst", nil) },
		"lost":  func(fs vfs.FS, dir string) error { return fs.Remove(fs.PathJoin(dir, "000001.sst")) },
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			m := take(t, s, 1, map[string]string{"CURRENT": "1234", "000001.sst": "table"})
			require.NoError(t, spoil(s.fs, s.statePath(m.Number)))
			_, source, err := s.Open(m.Raft.ID)
			require.NoError(t, err)
			n, err := io.Copy(io.Discard, source)
			require.Error(t, err)
			require.Less(t, n, m.Raft.Size)
			require.NoError(t, source.Close())
		})
	}
}

// TestEveryIOFails takes a snapshot, sends it to a store that has two already, and reworks it
// there, with another I/O failing each time. Whoever asked is told, or it was done; what is
// found afterwards is whole snapshots, and those that were there unless newer ones are.
func TestEveryIOFails(t *testing.T) {
	state := map[string]string{"MANIFEST-000001": "a", "000002.sst": "the table"}
	told := 0
	for n, more := 0, true; more; n++ {
		mem := vfs.NewMem()
		to, err := Open(mem, "to")
		require.NoError(t, err)
		take(t, to, 1, state)
		take(t, to, 2, state)
		left := n
		err = sendAndRework(errorfs.Wrap(mem, errorfs.InjectorFunc(func(errorfs.Op) error {
			if left--; left == -1 {
				return errorfs.ErrInjected
			}
			return nil
		})), state)
		if more = left < 0; !more {
			require.NoError(t, err)
		}
		again, openErr := Open(mem, "to")
		require.NoError(t, openErr, "I/O %d", n)
		wholeSnapshots(t, again, n)
		switch m := again.Latest(); {
		case err == nil:
			require.Equal(t, uint64(7), m.Raft.Index, "I/O %d", n)
			b, err := files.Read(mem, mem.PathJoin(again.statePath(m.Number), "MANIFEST-000001"))
			require.NoError(t, err)
			require.Equal(t, "b", string(b), "I/O %d", n)
		default:
			told++
			require.ErrorIs(t, err, errorfs.ErrInjected, "I/O %d", n)
			require.GreaterOrEqual(t, m.Raft.Index, uint64(2), "I/O %d", n)
		}
	}
	require.Greater(t, told, 50)
}

// wholeSnapshots proves that every snapshot of a store can be sent.
func wholeSnapshots(t *testing.T, s *Store, n int) {
	t.Helper()
	require.NotEmpty(t, s.metas, "I/O %d", n)
	for _, m := range slices.Clone(s.metas) {
		_, source, err := s.Open(m.Raft.ID)
		require.NoError(t, err)
		sent, err := io.Copy(io.Discard, source)
		require.NoError(t, err, "I/O %d: snapshot %d", n, m.Number)
		require.Equal(t, m.Raft.Size, sent)
		require.NoError(t, source.Close())
	}
}

// sendAndRework takes a snapshot of the state in the store "from", sends it to the store
// "to", and reworks it there.
func sendAndRework(fs vfs.FS, state map[string]string) error {
	from, err := Open(fs, "from")
	if err != nil {
		return err
	}
	c, err := from.Checkpoint(7, 1, func(dir string) error {
		if err := files.MkdirSynced(fs, dir); err != nil {
			return err
		}
		for name, text := range state {
			if err := files.Replace(fs, dir, name, []byte(text)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	defer c.Release()
	taken, err := from.Create(1, 7, 1, raft.Configuration{}, 1, nil)
	if err != nil {
		return err
	}
	if err := c.Persist(taken); err != nil {
		return err
	}
	to, err := Open(fs, "to")
	if err != nil {
		return err
	}
	sink, err := to.Create(1, 7, 1, raft.Configuration{}, 1, nil)
	if err != nil {
		return err
	}
	if err := send(from, sink); err != nil {
		return err
	}
	return to.Rework(func(dir string) (bool, error) {
		return true, files.Replace(fs, dir, "MANIFEST-000001", []byte("b"))
	})
}

// send streams the newest snapshot of a store into a sink, as a leader and a voter do.
func send(from *Store, sink raft.SnapshotSink) error {
	_, source, err := from.Open(from.Latest().Raft.ID)
	if err != nil {
		return err
	}
	defer source.Close()
	if _, err := io.Copy(sink, source); err != nil {
		_ = sink.Cancel()
		return err
	}
	return sink.Close()
}

// TestBackupEndsWithItsContext: a backup that is cancelled ends with the reason, and what was
// written is none.
func TestBackupEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out strings.Builder
	stream := readerFunc(func(p []byte) (int, error) {
		require.NoError(t, ctx.Err(), "read on after the end")
		cancel()
		return copy(p, "some"), nil
	})
	require.ErrorIs(t, WriteBackup(ctx, &out, BackupHead{}, []byte("key"), stream), context.Canceled)
	_, err := VerifyBackup(strings.NewReader(out.String()), nil)
	require.True(t, errs.Is(err, errs.Corrupt), "%v", err)
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestBackupOfAnyKind: a backup is verified and unpacked with its key and without one. One
// that was changed anywhere, cut short, goes on, or was made with another key is refused;
// without a key, what was changed in the proof alone is not seen.
func TestBackupOfAnyKind(t *testing.T) {
	s := openStore(t)
	state := map[string]string{"MANIFEST-000001": "a", "000002.sst": strings.Repeat("table", 14_000), "CURRENT": ""}
	take(t, s, testIndex, state)
	stream := streamOf(t, s)
	key, head := []byte("key"), BackupHead{ClusterID: "c", Era: 2, Index: testIndex, Node: "n", Version: "v"}
	var out bytes.Buffer
	require.NoError(t, WriteBackup(t.Context(), &out, head, key, bytes.NewReader(stream)))
	whole := out.Bytes()
	verify := func(b []byte, mac []byte) error {
		_, err := VerifyBackup(bytes.NewReader(b), mac)
		return err
	}
	for _, mac := range [][]byte{nil, key} {
		got, err := VerifyBackup(bytes.NewReader(whole), mac)
		require.NoError(t, err)
		require.Equal(t, head, got)
		b, err := OpenBackup(iotest.OneByteReader(bytes.NewReader(whole)), mac)
		require.NoError(t, err)
		require.Equal(t, head, b.Head)
		fs := vfs.NewMem()
		index, term, err := b.Unpack(fs, "")
		require.NoError(t, err)
		require.Equal(t, []uint64{testIndex, 1}, []uint64{index, term})
		table, err := files.Read(fs, "000002.sst")
		require.NoError(t, err)
		require.Len(t, table, 70_000)
	}
	require.True(t, errs.Is(verify(whole, []byte("other")), errs.Corrupt))
	require.True(t, errs.Is(verify(append(bytes.Clone(whole), 0), nil), errs.Corrupt))
	step := 1
	for i := 0; i < len(whole); i += step {
		if step = 1; i > 300 && i < len(whole)-100 { // In the middle of the table.
			step = 997
		}
		bad := bytes.Clone(whole)
		bad[i] ^= 0x10
		kind := errs.Corrupt
		if i == len(backupMagic) { // It says another version.
			kind = errs.Invalid
		}
		require.True(t, errs.Is(verify(bad, key), kind), "byte %d", i)
		require.Equal(t, i >= len(whole)-sha256.Size, verify(bad, nil) == nil, "byte %d without a key", i)
		require.True(t, errs.Is(verify(whole[:i], nil), errs.Corrupt), "cut at %d", i)
	}
	// Nobody is made to keep a head of any length in memory.
	long := binary.LittleEndian.AppendUint32(append([]byte(backupMagic), backupVersion), backupHeadMax+1)
	require.ErrorContains(t, verify(append(long, make([]byte, backupHeadMax+100)...), nil), fmt.Sprint(backupHeadMax+1))
}

// TestFileNames: a name of a stream cannot lead out of its directory.
func TestFileNames(t *testing.T) {
	longest := strings.Repeat("a", maxFileName)
	for name, valid := range map[string]bool{
		"": false, ".": false, "..": false, "a/b": false, `a\b`: false, "/": false, "a b": false, "\x00": false, "é": false,
		"`": false, "{": false, "@": false, "[": false, ":": false, longest + "a": false,
		"a": true, "...": true, "000001.sst": true, "MANIFEST-000001": true, "azAZ09._-": true, longest: true,
	} {
		require.Equal(t, valid, validFileName(name), "%q", name)
	}
}
