package drive

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/shardtest"
)

// A segment is sealed once, and read once: an open after a clean end writes to none, and
// reads little more than headers.
func TestSealedSegmentsAreLeftAlone(t *testing.T) {
	mem := vfs.NewMem()
	var writes, reads atomic.Int64
	o := crashOptions(errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileWriteAt && strings.HasSuffix(op.Path, segSuffix) {
			writes.Add(1)
		}
		if op.Kind == errorfs.OpFileReadAt && strings.HasSuffix(op.Path, segSuffix) {
			reads.Add(1)
		}
		return nil
	})))
	d, err := Open(context.Background(), o)
	require.NoError(t, err)
	for i := range 30 { // More than one segment.
		h := shardtest.Header(1, uint64(i+1), 0, 0, 3, 1024)
		require.NoError(t, shardtest.Put(t.Context(), d, h, shardtest.Frames(h, 1)))
	}
	require.Greater(t, len(d.segments), 1)
	require.NoError(t, d.Close())
	d, err = Open(context.Background(), o) // Seals what was active.
	require.NoError(t, err)
	require.NoError(t, d.Close())
	writes.Store(0)
	reads.Store(0)
	d = mustOpen(t, o)
	require.Zero(t, writes.Load())
	require.LessOrEqual(t, reads.Load(), int64(3*len(d.segments)))
	d.checkBooks(t, "")
}

// An entry of the index that leads to no place where a record can be is refused, whatever
// is wrong with it.
func TestDecodeEntry(t *testing.T) {
	h := shardtest.Header(1, 1, 0, 2, 1, 100)
	good := location{seg: 3, off: dataOffset + alignBytes, header: h, writtenMS: 5}
	for name, c := range map[string]struct {
		change func(l *location)
		ok     bool
	}{
		"good":                  {func(*location) {}, true},
		"the first":             {func(l *location) { l.off = dataOffset }, true},
		"no shard":              {func(l *location) { l.header.FullBlocks, l.header.TailBlocks = 0, 0 }, false},
		"in the header":         {func(l *location) { l.off = dataOffset - alignBytes }, false},
		"negative":              {func(l *location) { l.off = -alignBytes }, false},
		"between two places":    {func(l *location) { l.off++ }, false},
		"beyond all":            {func(l *location) { l.off = 1 << 62 }, false},
		"no shard, and between": {func(l *location) { l.header.Scheme.K = 0; l.off++ }, false},
	} {
		l := good
		c.change(&l)
		v := encodeEntry(l)
		got, err := decodeEntry(h.ID, v[:])
		if !c.ok {
			require.ErrorIs(t, err, errBadEntry, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, l, got)
	}
	v := encodeEntry(good)
	_, err := decodeEntry(h.ID, v[:len(v)-1])
	require.ErrorIs(t, err, errBadEntry)
}

// A span is read whole by either way, down to its last byte.
func TestReadSpans(t *testing.T) {
	d := mustOpen(t, testOptions(vfs.NewMem(), "d"))
	h := shardtest.Header(1, 1, 0, 2*shard.UnitBlocks, 0, 0)
	frames := shardtest.Frames(h, 1)
	require.NoError(t, shardtest.Put(t.Context(), d, h, bytes.Clone(frames)))
	for _, n := range []int64{0, 1, 2, ioBytes - 1, ioBytes, ioBytes + 1, int64(len(frames))} {
		for _, off := range []int64{0, 1, int64(len(frames)) - n} {
			if off < 0 || off+n > int64(len(frames)) {
				continue
			}
			for name, read := range map[string]func(r io.ReadCloser, w *bytes.Buffer) error{
				"WriteTo": func(r io.ReadCloser, w *bytes.Buffer) error { _, err := r.(io.WriterTo).WriteTo(w); return err },
				"Read":    func(r io.ReadCloser, w *bytes.Buffer) error { _, err := w.ReadFrom(r); return err },
			} {
				r, err := d.Open(t.Context(), h.ID, shard.Span{Off: off, Len: n})
				require.NoError(t, err)
				var out bytes.Buffer
				require.NoError(t, read(r, &out))
				require.NoError(t, r.Close())
				require.True(t, bytes.Equal(frames[off:off+n], out.Bytes()), "%s of %d bytes at %d", name, n, off)
			}
		}
	}
}

// The header of a segment is known by itself: its first record may have been given back.
func TestSegmentHeaderIsEnough(t *testing.T) {
	b := encodeSegmentHeader(7, 3, secret{1, 2})
	got, err := decodeSegmentHeader(b[:segmentHeaderBytes], 7, 3)
	require.NoError(t, err)
	require.Equal(t, secret{1, 2}, got)
	_, err = decodeSegmentHeader(b[:segmentHeaderBytes-1], 7, 3)
	require.ErrorIs(t, err, errNotSegment)

	mem := vfs.NewMem()
	o := testOptions(mem, "d")
	d, err := Open(context.Background(), o)
	require.NoError(t, err)
	first, second := shardtest.Header(1, 1, 0, 1, 0, 0), shardtest.Header(1, 2, 0, 1, 0, 0)
	for _, h := range []shard.Header{first, second} {
		require.NoError(t, shardtest.Put(t.Context(), d, h, shardtest.Frames(h, 1)))
	}
	_, err = d.segments[1].file.WriteAt(make([]byte, recordBytes(first)), dataOffset) // As a hole reads.
	require.NoError(t, err)
	require.NoError(t, d.Close())
	o.Events.SegmentDamaged = func(n uint64) { t.Errorf("segment %d is taken for damaged", n) }
	requireFrames(t, mustOpen(t, o), second, 1)
}

// Frames that are not the shard's are refused when they are written, and leave nothing.
func TestWrongFramesAreRefused(t *testing.T) {
	d := mustOpen(t, testOptions(vfs.NewMem(), "d"))
	h := shardtest.Header(1, 1, 0, 2, 0, 0)
	frames := shardtest.Frames(h, 1)
	frames[shard.FrameBytes+9] ^= 1
	w, err := d.Create(t.Context(), h)
	require.NoError(t, err)
	_, err = w.Write(frames)
	require.Error(t, err)
	require.Error(t, w.Commit(t.Context()))
	w.Abort()
	_, err = d.Stat(t.Context(), h.ID)
	require.Equal(t, errs.NotFound, errs.KindOf(err), "%v", err)
	d.checkBooks(t, "")
}

// A writer that was open when its drive was fenced writes no more.
func TestFencedWriterWritesNoMore(t *testing.T) {
	d := mustOpen(t, testOptions(vfs.NewMem(), "d"))
	h := shardtest.Header(1, 1, 0, 2, 0, 0)
	w, err := d.Create(t.Context(), h)
	require.NoError(t, err)
	d.fence(errorfs.ErrInjected)
	n, err := w.Write(shardtest.Frames(h, 1))
	require.Zero(t, n)
	require.Equal(t, errs.Unavailable, errs.KindOf(err), "%v", err)
	require.ErrorIs(t, err, errorfs.ErrInjected)
	w.Abort()
}
