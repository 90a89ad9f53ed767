package shardtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
)

// Memory is a Store in memory: the smallest thing that passes Run.
type Memory struct {
	mu     sync.Mutex
	shards map[shard.ID]memoryShard
}

type memoryShard struct {
	header shard.Header
	frames []byte // Never changed once it is in the map.
}

var _ shard.Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{shards: make(map[shard.ID]memoryShard)} }

// Create implements shard.Store.
func (m *Memory) Create(ctx context.Context, h shard.Header) (shard.Writer, error) {
	const op = "memory.Create"
	if err := ctx.Err(); err != nil {
		return nil, errs.New(op, errs.Canceled, err)
	}
	if !h.Valid() {
		return nil, errs.Newf(op, errs.Invalid, "header of shard %s describes no shard", h.ID)
	}
	return &memoryWriter{m: m, h: h}, nil
}

// Open implements shard.Store.
func (m *Memory) Open(ctx context.Context, id shard.ID, span shard.Span) (io.ReadCloser, error) {
	const op = "memory.Open"
	if err := ctx.Err(); err != nil {
		return nil, errs.New(op, errs.Canceled, err)
	}
	m.mu.Lock()
	s, ok := m.shards[id]
	m.mu.Unlock()
	switch {
	case !ok:
		return nil, errs.Newf(op, errs.NotFound, "shard %s", id)
	case span.Off < 0 || span.Len < 0 || span.Off > int64(len(s.frames)) || span.Len > int64(len(s.frames))-span.Off:
		return nil, errs.Newf(op, errs.Invalid, "span %d+%d of %d bytes", span.Off, span.Len, len(s.frames))
	}
	return &memoryReader{ctx: ctx, r: bytes.NewReader(s.frames[span.Off : span.Off+span.Len])}, nil
}

// Stat implements shard.Store.
func (m *Memory) Stat(ctx context.Context, id shard.ID) (shard.Header, error) {
	const op = "memory.Stat"
	if err := ctx.Err(); err != nil {
		return shard.Header{}, errs.New(op, errs.Canceled, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.shards[id]
	if !ok {
		return shard.Header{}, errs.Newf(op, errs.NotFound, "shard %s", id)
	}
	return s.header, nil
}

// Delete implements shard.Store.
func (m *Memory) Delete(ctx context.Context, ids []shard.ID) error {
	if err := ctx.Err(); err != nil {
		return errs.New("memory.Delete", errs.Canceled, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		delete(m.shards, id)
	}
	return nil
}

// Corrupt flips one bit of a stored shard's frames, at byte off; it reports
// whether the shard is there.
func (m *Memory) Corrupt(id shard.ID, off int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.shards[id]
	if !ok {
		return false
	}
	s.frames = bytes.Clone(s.frames)
	s.frames[off] ^= 1
	m.shards[id] = s
	return true
}

// Len returns the number of shards.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.shards)
}

// IDs returns the ids of all shards, in no order.
func (m *Memory) IDs() []shard.ID {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := make([]shard.ID, 0, len(m.shards))
	for id := range m.shards {
		ids = append(ids, id)
	}
	return ids
}

type memoryWriter struct {
	m      *Memory
	h      shard.Header
	frames []byte
	block  int
	ended  bool
}

var errEnded = errors.New("the writer has ended")

func (w *memoryWriter) Write(p []byte) (int, error) {
	const op = "memory.Write"
	if w.ended {
		return 0, errs.New(op, errs.Invalid, errEnded)
	}
	block := w.block
	for rest := p; len(rest) > 0; block++ {
		if block >= w.h.Blocks() {
			return 0, errs.Newf(op, errs.Invalid, "more frames than the header says")
		}
		n := w.h.BlockSpan(block).Len
		if int64(len(rest)) < n {
			return 0, errs.Newf(op, errs.Invalid, "a part of frame %d", block)
		}
		if !shard.CheckFrame(w.h.ID, block, rest[:n]) {
			return 0, errs.Newf(op, errs.Corrupt, "shard %s block %d", w.h.ID, block)
		}
		rest = rest[n:]
	}
	w.block = block
	w.frames = append(w.frames, p...)
	return len(p), nil
}

func (w *memoryWriter) Commit(ctx context.Context) error {
	const op = "memory.Commit"
	if w.ended {
		return errs.New(op, errs.Invalid, errEnded)
	}
	w.ended = true
	if err := ctx.Err(); err != nil {
		return errs.New(op, errs.Canceled, err)
	}
	if w.block != w.h.Blocks() {
		return errs.Newf(op, errs.Invalid, "shard %s has %d of %d blocks", w.h.ID, w.block, w.h.Blocks())
	}
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	w.m.shards[w.h.ID] = memoryShard{header: w.h, frames: w.frames}
	return nil
}

func (w *memoryWriter) Abort() { w.ended, w.frames = true, nil }

type memoryReader struct {
	ctx context.Context // Governs the reading, as Store.Open says.
	r   *bytes.Reader
}

func (r *memoryReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, errs.New("memory.Read", errs.Canceled, err)
	}
	return r.r.Read(p)
}

func (r *memoryReader) Close() error { return nil }
