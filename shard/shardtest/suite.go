package shardtest

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
)

// Run checks that what open returns is a shard.Store. Every subtest opens an
// empty store of its own; open registers its end with t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) shard.Store) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*testing.T, shard.Store)
	}{
		{"Sizes", testSizes},
		{"WriteUnits", testWriteUnits},
		{"NotFound", testNotFound},
		{"InvalidHeader", testInvalidHeader},
		{"Spans", testSpans},
		{"NotVisibleBeforeCommit", testNotVisibleBeforeCommit},
		{"Abort", testAbort},
		{"CorruptRefused", testCorruptRefused},
		{"WrongLength", testWrongLength},
		{"Delete", testDelete},
		{"Replace", testReplace},
		{"ReadWhileDeleted", testReadWhileDeleted},
		{"EarlyClose", testEarlyClose},
		{"Canceled", testCanceled},
		{"Concurrent", testConcurrent},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

// Put writes one shard in one Write and commits it.
func Put(ctx context.Context, s shard.Store, h shard.Header, frames []byte) error {
	w, err := s.Create(ctx, h)
	if err != nil {
		return err
	}
	if _, err := w.Write(frames); err != nil {
		w.Abort()
		return err
	}
	return w.Commit(ctx)
}

// Get reads all frames of a shard.
func Get(ctx context.Context, s shard.Store, h shard.Header) ([]byte, error) {
	return GetSpan(ctx, s, h.ID, shard.Span{Len: h.FramedBytes()})
}

// GetSpan reads one span of a shard's frames.
func GetSpan(ctx context.Context, s shard.Store, id shard.ID, span shard.Span) ([]byte, error) {
	r, err := s.Open(ctx, id, span)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	return b, err
}

func requireKind(t *testing.T, kind errs.Kind, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, kind, errs.KindOf(err), "%v", err)
}

func mustPut(t *testing.T, s shard.Store, h shard.Header, seed uint64) []byte {
	t.Helper()
	frames := Frames(h, seed)
	require.NoError(t, Put(t.Context(), s, h, bytes.Clone(frames)))
	return frames
}

func requireShard(t *testing.T, s shard.Store, h shard.Header, frames []byte) {
	t.Helper()
	got, err := s.Stat(t.Context(), h.ID)
	require.NoError(t, err)
	require.Equal(t, h, got)
	b, err := Get(t.Context(), s, h)
	require.NoError(t, err)
	require.True(t, bytes.Equal(frames, b), "the frames of shard %s differ", h.ID)
}

func requireAbsent(t *testing.T, s shard.Store, id shard.ID) {
	t.Helper()
	_, err := s.Stat(t.Context(), id)
	requireKind(t, errs.NotFound, err)
	_, err = s.Open(t.Context(), id, shard.Span{Len: 1})
	requireKind(t, errs.NotFound, err)
}

var sizes = []struct {
	name             string
	full, tail, size int
}{
	{"one byte", 0, 1, 1},
	{"small", 0, 1, 2112},
	{"three small", 0, 3, 4096},
	{"one block", 1, 0, 0},
	{"a unit", 4, 0, 0},
	{"unit and tail", 4, 2, 64},
	{"stripes and a full tail block", 8, 1, shard.BlockBytes},
	{"many", 21, 3, 1000},
}

func testSizes(t *testing.T, s shard.Store) {
	for i, c := range sizes {
		t.Run(c.name, func(t *testing.T) {
			h := Header(1, uint64(i+1), uint8(i%6), c.full, c.tail, c.size)
			requireShard(t, s, h, mustPut(t, s, h, uint64(i)))
		})
	}
}

func testWriteUnits(t *testing.T, s shard.Store) {
	h := Header(2, 1, 0, 9, 3, 640)
	frames := Frames(h, 1)
	w, err := s.Create(t.Context(), h)
	require.NoError(t, err)
	scratch := make([]byte, len(frames))
	for from := 0; from < h.Blocks(); from += 2 {
		last := h.BlockSpan(min(from+1, h.Blocks()-1))
		p := scratch[:copy(scratch, frames[h.BlockSpan(from).Off:last.Off+last.Len])]
		n, err := w.Write(p)
		require.NoError(t, err)
		require.Len(t, p, n)
		clear(p) // It was borrowed only.
	}
	require.NoError(t, w.Commit(t.Context()))
	w.Abort() // Does nothing.
	requireShard(t, s, h, frames)
}

func testNotFound(t *testing.T, s shard.Store) {
	h := Header(3, 1, 2, 1, 0, 0)
	requireAbsent(t, s, h.ID)
	mustPut(t, s, h, 1)
	for _, id := range []shard.ID{
		{Extent: h.ID.Extent, Slot: 1},
		{Extent: shard.ExtentID{Volume: 3, Seq: 2}, Slot: 2},
		{Extent: shard.ExtentID{Volume: 4, Seq: 1}, Slot: 2},
	} {
		requireAbsent(t, s, id)
	}
}

func testInvalidHeader(t *testing.T, s shard.Store) {
	for _, h := range []shard.Header{
		{},
		Header(0, 1, 0, 1, 0, 0),
		Header(1, 0, 0, 1, 0, 0),
		Header(1, 1, 6, 1, 0, 0),
		Header(1, 1, 0, 0, 0, 0),
		Header(1, 1, 0, 0, 1, shard.BlockBytes+1),
		Header(1, 1, 0, 5000, 0, 0),
	} {
		_, err := s.Create(t.Context(), h)
		requireKind(t, errs.Invalid, err)
	}
}

func testSpans(t *testing.T, s shard.Store) {
	h := Header(4, 1, 0, 5, 2, 320)
	frames := mustPut(t, s, h, 7)
	n := int64(len(frames))
	for _, sp := range []shard.Span{
		{Off: 0, Len: 0}, {Off: 0, Len: 1}, {Off: n - 1, Len: 1}, {Off: n, Len: 0},
		h.BlockSpan(0), h.BlockSpan(3), h.BlockSpan(4), h.BlockSpan(5), h.BlockSpan(6),
		{Off: shard.FrameBytes - 1, Len: 2}, {Off: 5, Len: n - 10},
	} {
		b, err := GetSpan(t.Context(), s, h.ID, sp)
		require.NoError(t, err)
		require.True(t, bytes.Equal(frames[sp.Off:sp.Off+sp.Len], b), "%+v", sp)
	}
	for _, sp := range []shard.Span{
		{Off: 0, Len: n + 1}, {Off: n, Len: 1}, {Off: n + 1, Len: 0}, {Off: -1, Len: 1}, {Off: 0, Len: -1},
		{Off: 1, Len: 1<<63 - 1}, {Off: 1<<63 - 1, Len: 1},
	} {
		_, err := s.Open(t.Context(), h.ID, sp)
		requireKind(t, errs.Invalid, err)
	}
}

func testNotVisibleBeforeCommit(t *testing.T, s shard.Store) {
	h := Header(5, 1, 0, 2, 0, 0)
	w, err := s.Create(t.Context(), h)
	require.NoError(t, err)
	_, err = w.Write(Frames(h, 1))
	require.NoError(t, err)
	requireAbsent(t, s, h.ID)
	require.NoError(t, w.Commit(t.Context()))
	requireShard(t, s, h, Frames(h, 1))
}

func testAbort(t *testing.T, s shard.Store) {
	h := Header(6, 1, 0, 6, 0, 0)
	frames := Frames(h, 1)
	for _, n := range []int64{0, shard.FrameBytes, 5 * shard.FrameBytes, h.FramedBytes()} {
		w, err := s.Create(t.Context(), h)
		require.NoError(t, err)
		if n > 0 {
			_, err = w.Write(frames[:n])
			require.NoError(t, err)
		}
		w.Abort()
		w.Abort()
		requireAbsent(t, s, h.ID)
	}
	requireShard(t, s, h, mustPut(t, s, h, 2))
}

// streamTo writes frames and commits: where a store checks late, the refusal
// may come with the commit.
func streamTo(t *testing.T, s shard.Store, h shard.Header, frames []byte) error {
	w, err := s.Create(t.Context(), h)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(frames); err != nil {
		return err
	}
	return w.Commit(t.Context())
}

func testCorruptRefused(t *testing.T, s shard.Store) {
	h := Header(7, 1, 0, 5, 1, 100)
	for _, off := range []int64{0, shard.BlockBytes, 3*shard.FrameBytes + 77, h.FramedBytes() - 1} {
		bad := Frames(h, 1)
		bad[off] ^= 0x10
		requireKind(t, errs.Corrupt, streamTo(t, s, h, bad))
		requireAbsent(t, s, h.ID)
	}
	other := h
	other.ID.Slot = 1 // Right frames of another shard.
	requireKind(t, errs.Corrupt, streamTo(t, s, h, Frames(other, 1)))
	requireAbsent(t, s, h.ID)
}

func testWrongLength(t *testing.T, s shard.Store) {
	h := Header(8, 1, 0, 3, 0, 0)
	frames := Frames(h, 1)
	requireKind(t, errs.Invalid, streamTo(t, s, h, frames[:2*shard.FrameBytes]))
	requireKind(t, errs.Invalid, streamTo(t, s, h, frames[:2*shard.FrameBytes+5]))
	requireKind(t, errs.Invalid, streamTo(t, s, h, append(frames, frames[:shard.FrameBytes]...)))
	requireAbsent(t, s, h.ID)
}

func testDelete(t *testing.T, s shard.Store) {
	var ids []shard.ID
	for i := range 20 {
		h := Header(9, uint64(i+1), 0, i%3, 1, 64)
		mustPut(t, s, h, uint64(i))
		ids = append(ids, h.ID)
	}
	require.NoError(t, s.Delete(t.Context(), nil))
	require.NoError(t, s.Delete(t.Context(), append(ids[:10:10], ids[0], shard.ID{Extent: shard.ExtentID{Volume: 99, Seq: 1}})))
	for i, id := range ids {
		if i < 10 {
			requireAbsent(t, s, id)
			continue
		}
		h := Header(9, uint64(i+1), 0, i%3, 1, 64)
		requireShard(t, s, h, Frames(h, uint64(i)))
	}
	require.NoError(t, s.Delete(t.Context(), ids))
	h := Header(9, 1, 0, 2, 1, 64)
	requireShard(t, s, h, mustPut(t, s, h, 50))
}

func testReplace(t *testing.T, s shard.Store) {
	for i := range 5 {
		h := Header(10, 1, 3, 1+i%2, 1, 64*(i+1))
		h.Epoch = uint32(i + 1)
		frames := mustPut(t, s, h, uint64(i))
		requireShard(t, s, h, frames)
	}
}

func testReadWhileDeleted(t *testing.T, s shard.Store) {
	h := Header(11, 1, 0, 12, 0, 0)
	frames := mustPut(t, s, h, 1)
	r, err := s.Open(t.Context(), h.ID, shard.Span{Len: h.FramedBytes()})
	require.NoError(t, err)
	head := make([]byte, 100)
	_, err = io.ReadFull(r, head)
	require.NoError(t, err)
	require.NoError(t, s.Delete(t.Context(), []shard.ID{h.ID}))
	requireAbsent(t, s, h.ID)
	rest, err := io.ReadAll(r)
	require.NoError(t, err)
	require.True(t, bytes.Equal(frames, append(head, rest...)))
	require.NoError(t, r.Close())
	requireAbsent(t, s, h.ID)
}

func testEarlyClose(t *testing.T, s shard.Store) {
	h := Header(12, 1, 0, 40, 0, 0)
	frames := mustPut(t, s, h, 1)
	for _, n := range []int64{0, 1, 1000, h.FramedBytes() - 10, h.FramedBytes()} {
		r, err := s.Open(t.Context(), h.ID, shard.Span{Len: h.FramedBytes()})
		require.NoError(t, err)
		_, err = io.CopyN(io.Discard, r, n)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		requireShard(t, s, h, frames)
	}
}

func testCanceled(t *testing.T, s shard.Store) {
	h := Header(13, 1, 0, 1, 0, 0)
	mustPut(t, s, h, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Create(ctx, h)
	requireKind(t, errs.Canceled, err)
	_, err = s.Open(ctx, h.ID, h.BlockSpan(0))
	requireKind(t, errs.Canceled, err)
	_, err = s.Stat(ctx, h.ID)
	requireKind(t, errs.Canceled, err)
	requireKind(t, errs.Canceled, s.Delete(ctx, []shard.ID{h.ID}))
}

func testConcurrent(t *testing.T, s shard.Store) {
	const writers, rounds = 8, 6
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range rounds {
				h := Header(14, uint64(w*rounds+i+1), 0, i, 1, 64+w)
				frames := Frames(h, uint64(i))
				if err := Put(t.Context(), s, h, bytes.Clone(frames)); err != nil {
					t.Errorf("put: %v", err)
					return
				}
				if b, err := Get(t.Context(), s, h); err != nil || !bytes.Equal(b, frames) {
					t.Errorf("get: %v", err)
				}
				if i%2 == 0 {
					if err := s.Delete(t.Context(), []shard.ID{h.ID}); err != nil {
						t.Errorf("delete: %v", err)
					}
				}
			}
		})
	}
	wg.Wait()
	for w := range writers {
		for i := range rounds {
			h := Header(14, uint64(w*rounds+i+1), 0, i, 1, 64+w)
			if i%2 == 0 {
				requireAbsent(t, s, h.ID)
			} else {
				requireShard(t, s, h, Frames(h, uint64(i)))
			}
		}
	}
}
