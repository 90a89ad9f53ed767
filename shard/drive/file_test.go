package drive

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/shardtest"
)

// countingFS counts the open files of segments.
type countingFS struct {
	vfs.FS
	open, most atomic.Int64
}

func (fs *countingFS) wrap(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil || !strings.HasSuffix(name, segSuffix) {
		return f, err
	}
	n := fs.open.Add(1)
	for old := fs.most.Load(); n > old && !fs.most.CompareAndSwap(old, n); old = fs.most.Load() {
	}
	return countedFile{f, fs}, nil
}

// Create implements vfs.FS.
func (fs *countingFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, c)
	return fs.wrap(name, f, err)
}

// OpenReadWrite implements vfs.FS.
func (fs *countingFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	f, err := fs.FS.OpenReadWrite(name, c, o...)
	return fs.wrap(name, f, err)
}

type countedFile struct {
	vfs.File
	fs *countingFS
}

// Close implements vfs.File.
func (f countedFile) Close() error {
	f.fs.open.Add(-1)
	return f.File.Close()
}

// fill puts n shards of one segment each.
func fill(t *testing.T, d *Drive, n int) (hs []shard.Header) {
	t.Helper()
	for i := range n {
		h := shardtest.Header(1, uint64(i+1), 0, 1, 0, 0)
		require.NoError(t, shardtest.Put(t.Context(), d, h, shardtest.Frames(h, 1)))
		hs = append(hs, h)
	}
	return hs
}

// TestOpenFilesAreBounded: not more files are open than are used and may be idle,
// while the drive is opened, written, read by many and shrinks.
func TestOpenFilesAreBounded(t *testing.T) {
	const idle, segments, readers = 3, 20, 4
	fs := &countingFS{FS: vfs.NewMem()}
	o := crashOptions(fs)
	o.IdleFiles = idle
	d, err := Open(context.Background(), o)
	require.NoError(t, err)
	hs := fill(t, d, segments)
	require.EqualValues(t, segments, d.nextSeg-1, "each shard fills a segment")
	require.NoError(t, d.Close())
	require.Zero(t, fs.open.Load())

	require.NoError(t, fs.RemoveAll("top/drive/index"), "so that Open reads all segments")
	d, err = Open(context.Background(), o)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for r := range readers {
		wg.Go(func() {
			for i := range hs {
				h := hs[(i*(r+1)+r)%len(hs)]
				b, err := shardtest.Get(t.Context(), d, h)
				if err != nil || shardtest.CheckFrames(h, b) >= 0 || d.Verify(t.Context(), h.ID) != nil {
					t.Errorf("shard %s: %v", h.ID, err)
				}
			}
		})
	}
	wg.Wait()
	d.checkBooks(t, "")
	for _, h := range hs[1:] {
		require.NoError(t, d.Delete(t.Context(), []shard.ID{h.ID}))
	}
	require.EqualValues(t, 1, d.Usage().Shards)
	d.checkBooks(t, "")
	require.NoError(t, d.Close())
	require.Zero(t, fs.open.Load())
	require.LessOrEqual(t, fs.most.Load(), int64(idle+readers+2), "idle, being read, the active one, and one being closed")
}

// TestSegmentCannotBeOpened: of a shard in a file that cannot be opened nothing is
// known, so it is neither damaged nor gone; the drive stays up.
func TestSegmentCannotBeOpened(t *testing.T) {
	var on atomic.Bool
	mem := vfs.NewMem()
	d := mustOpen(t, crashOptions(errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if on.Load() && op.Kind == errorfs.OpOpen && strings.HasSuffix(op.Path, segSuffix) {
			return syscall.EMFILE
		}
		return nil
	}))))
	hs := fill(t, d, 4)
	first := hs[0]
	on.Store(true)
	_, err := shardtest.Get(t.Context(), d, first)
	require.True(t, errs.Is(err, errs.Unavailable), "%v", err)
	require.ErrorIs(t, err, syscall.EMFILE)
	require.True(t, errs.Is(d.Verify(t.Context(), first.ID), errs.Unavailable))
	require.NoError(t, d.Delete(t.Context(), []shard.ID{hs[1].ID}))
	require.NoError(t, d.Failed())
	d.checkBooks(t, "")
	on.Store(false)
	require.NoError(t, d.Verify(t.Context(), first.ID))

	require.NoError(t, mem.Remove("top/drive/seg/"+segmentName(3)))
	err = d.Verify(t.Context(), hs[2].ID)
	require.True(t, errs.Is(err, errs.Corrupt), "a file that is gone: %v", err)
	require.NoError(t, d.Failed())
}
