package drive

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/shardtest"
)

func memFile(data []byte, pad int) *file {
	b := make([]byte, dataOffset, dataOffset+len(data)+pad)
	return (&files{}).add("", vfs.NewMemFile(append(append(b, data...), make([]byte, pad)...)))
}

func TestIdent(t *testing.T) {
	mem := vfs.NewMem()
	o := testOptions(mem, "a/b/drive")
	d, err := Open(context.Background(), o)
	require.NoError(t, err)
	id := d.ID()
	require.NotZero(t, id)
	require.Empty(t, d.Cluster())
	require.NoError(t, d.SetCluster("c1"))
	require.NoError(t, d.SetCluster("c1"))
	require.True(t, errs.Is(d.SetCluster("c2"), errs.Exists))
	_, err = Open(context.Background(), o)
	require.True(t, errs.Is(err, errs.Unavailable), "in use: %v", err)
	h := shardtest.Header(1, 1, 0, 1, 0, 0)
	require.NoError(t, shardtest.Put(t.Context(), d, h, shardtest.Frames(h, 1)))
	require.NoError(t, d.Close())
	require.NoError(t, d.Close())
	_, err = d.Stat(t.Context(), h.ID)
	require.True(t, errs.Is(err, errs.Unavailable), "closed: %v", err)

	o.ID = id + 1
	_, err = Open(context.Background(), o)
	require.True(t, errs.Is(err, errs.Invalid), "%v", err)
	o.ID = id
	d, err = Open(context.Background(), o)
	require.NoError(t, err)
	require.Equal(t, "c1", d.Cluster())
	require.NoError(t, d.Close())

	require.NoError(t, mem.Remove("a/b/drive/"+identName))
	_, err = Open(context.Background(), o)
	require.True(t, errs.Is(err, errs.Corrupt), "%v", err)
	f, err := mem.Create("a/b/drive/"+identName, vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	_, err = Open(context.Background(), o)
	require.True(t, errs.Is(err, errs.Corrupt), "%v", err)
}

func TestList(t *testing.T) {
	d := mustOpen(t, testOptions(vfs.NewMem(), "d"))
	var want []shard.ID
	for v := range 3 {
		for seq := range 5 {
			for slot := range 2 {
				h := shardtest.Header(shard.VolumeID(v+1), uint64(seq+255), uint8(slot), 0, 1, 64)
				require.NoError(t, shardtest.Put(t.Context(), d, h, shardtest.Frames(h, 1)))
				want = append(want, h.ID)
			}
		}
	}
	var got []shard.ID
	for after := (shard.ID{}); ; {
		page, err := d.List(t.Context(), after, 7)
		require.NoError(t, err)
		for _, e := range page {
			require.Equal(t, e.ID, e.Header.ID)
			require.NotZero(t, e.WrittenMS)
			got = append(got, e.ID)
		}
		if len(page) < 7 {
			break
		}
		after = page[len(page)-1].ID
	}
	require.Equal(t, want, got)
}

func TestDeadSegmentsAreRemoved(t *testing.T) {
	mem := vfs.NewMem()
	d := mustOpen(t, testOptions(mem, "d"))
	var ids []shard.ID
	for i := range 30 {
		h := shardtest.Header(1, uint64(i+1), 0, 2, 0, 0)
		require.NoError(t, shardtest.Put(t.Context(), d, h, shardtest.Frames(h, 1)))
		ids = append(ids, h.ID)
	}
	names, err := mem.List("d/seg")
	require.NoError(t, err)
	require.Greater(t, len(names), 2)
	require.NoError(t, d.Delete(t.Context(), ids))
	names, err = mem.List("d/seg")
	require.NoError(t, err)
	require.Len(t, names, 1, "only the active one is left")
	require.Zero(t, d.Usage().UsedBytes)
	d.checkBooks(t, "")
}

// TestSpaceComesBack deletes on a real file system: holes are punched, but not
// under a reader.
func TestSpaceComesBack(t *testing.T) {
	dir := t.TempDir()
	o := testOptions(vfs.Default, dir)
	o.SegmentBytes = 64 << 20
	d := mustOpen(t, o)
	h := shardtest.Header(1, 1, 0, 64, 0, 0)
	frames := shardtest.Frames(h, 1)
	require.NoError(t, shardtest.Put(t.Context(), d, h, bytes.Clone(frames)))
	r, err := d.Open(t.Context(), h.ID, shard.Span{Len: h.FramedBytes()})
	require.NoError(t, err)
	require.NoError(t, d.Delete(t.Context(), []shard.ID{h.ID}))
	var out bytes.Buffer
	_, err = io.Copy(&out, r) // By WriteTo.
	require.NoError(t, err)
	require.True(t, bytes.Equal(frames, out.Bytes()))
	require.NoError(t, r.Close())

	name := dir + "/seg/" + segmentName(1)
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	if !punches(t, dir) {
		t.Skip("the file system has no holes")
	}
	require.Empty(t, bytes.Trim(b[dataOffset:], "\x00"), "the record has been given back")
}

// punches reports whether holes can be punched in dir.
func punches(t *testing.T, dir string) bool {
	f, err := vfs.Default.OpenReadWrite(dir+"/probe", vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	_, err = f.WriteAt(make([]byte, 3*alignBytes), 0)
	require.NoError(t, err)
	return punch(f, alignBytes, alignBytes)
}

func TestRebuiltEvent(t *testing.T) {
	mem := vfs.NewMem()
	o := testOptions(mem, "d")
	d, err := Open(context.Background(), o)
	require.NoError(t, err)
	for i := range 10 {
		h := shardtest.Header(1, uint64(i+1), 0, 2, 1, 100)
		require.NoError(t, shardtest.Put(t.Context(), d, h, shardtest.Frames(h, 1)))
	}
	require.NoError(t, d.Close())
	require.NoError(t, mem.RemoveAll("d/index"))
	rebuilt := -1
	o.Events.Rebuilt = func(n int) { rebuilt = n }
	d = mustOpen(t, o)
	require.Equal(t, 10, rebuilt)
	require.EqualValues(t, 10, d.Usage().Shards)
	for i := range 10 {
		h := shardtest.Header(1, uint64(i+1), 0, 2, 1, 100)
		require.NoError(t, d.Verify(t.Context(), h.ID))
	}
}

func TestOneSyncForAllThatWait(t *testing.T) {
	o := testOptions(vfs.NewMem(), "d")
	var syncs, waiters atomic.Int64
	o.Events.SyncDone = func(_ time.Duration, n int) { syncs.Add(1); waiters.Add(int64(n)) }
	d := mustOpen(t, o)
	const n = 20
	var batch []commit
	for i := range n {
		h := shardtest.Header(1, uint64(i+1), 0, 0, 1, 64)
		w, err := d.Create(t.Context(), h)
		require.NoError(t, err)
		_, err = w.Write(shardtest.Frames(h, 1))
		require.NoError(t, err)
		require.NoError(t, w.(*writer).finish(t.Context()))
		w.(*writer).state = writerEnded
		batch = append(batch, commit{w: w.(*writer), done: make(chan error, 1)})
	}
	d.commitRound(batch)
	require.EqualValues(t, 1, syncs.Load())
	require.EqualValues(t, n, waiters.Load())
	require.EqualValues(t, n, d.Usage().Shards)
	d.checkBooks(t, "")
}

func TestCommitOutlivesItsContext(t *testing.T) {
	d := mustOpen(t, testOptions(vfs.NewMem(), "d"))
	h := shardtest.Header(1, 1, 0, 0, 1, 64)
	w, err := d.Create(t.Context(), h)
	require.NoError(t, err)
	_, err = w.Write(shardtest.Frames(h, 1))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.True(t, errs.Is(w.Commit(ctx), errs.Canceled))
	_, err = d.Stat(t.Context(), h.ID)
	require.True(t, errs.Is(err, errs.NotFound))
	d.checkBooks(t, "")
}

func benchDrive(b *testing.B, o Options) *Drive {
	o.FS, o.Dir = vfs.Default, b.TempDir()
	d, err := Open(context.Background(), o)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, d.Close()) })
	return d
}

func BenchmarkCommit(b *testing.B) {
	for _, size := range []struct {
		name string
		h    shard.Header
	}{
		{"4KiB", shardtest.Header(1, 1, 0, 0, 1, 4096)},
		{"1MiB", shardtest.Header(1, 1, 0, 16, 0, 0)},
	} {
		for _, writers := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/%dwriters", size.name, writers), func(b *testing.B) {
				var syncs atomic.Int64
				d := benchDrive(b, Options{Events: Events{SyncDone: func(time.Duration, int) { syncs.Add(1) }}})
				var seq atomic.Uint64
				b.SetBytes(size.h.FramedBytes())
				b.ReportAllocs()
				b.ResetTimer()
				var wg sync.WaitGroup
				for range writers {
					wg.Go(func() {
						h := size.h
						frames := shardtest.Frames(h, 1)
						for n := seq.Add(1); n <= uint64(b.N); n = seq.Add(1) {
							h.ID.Extent.Seq = n
							for i := range h.Blocks() {
								s := h.BlockSpan(i)
								shard.SealFrame(h.ID, i, frames[s.Off:s.Off+s.Len])
							}
							if err := shardtest.Put(context.Background(), d, h, frames); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(syncs.Load())/float64(b.N), "syncs/commit")
			})
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func BenchmarkRead16MiB(b *testing.B) {
	d := benchDrive(b, Options{})
	h := shardtest.Header(1, 1, 0, 256, 0, 0)
	require.NoError(b, shardtest.Put(context.Background(), d, h, shardtest.Frames(h, 1)))
	b.SetBytes(h.FramedBytes())
	b.ReportAllocs()
	for b.Loop() {
		r, err := d.Open(context.Background(), h.ID, shard.Span{Len: h.FramedBytes()})
		require.NoError(b, err)
		_, err = r.(*reader).WriteTo(discard{})
		require.NoError(b, err)
		require.NoError(b, r.Close())
	}
}
