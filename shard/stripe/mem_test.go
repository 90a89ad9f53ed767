package stripe

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/buf"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memStore is a shard.Store in memory whose steps can be made to fail or hang.
type memStore struct {
	mu     sync.Mutex
	shards map[shard.ID][]byte
	opens  []shard.Span
	trust  bool // Do not check frames: for benchmarks.

	// fault is asked before each step: nil to go on, an error to fail with, or
	// errHang to wait for the context.
	fault func(step string, at int) error
}

var _ shard.Store = (*memStore)(nil)

var errHang = fmt.Errorf("hang")

func (m *memStore) step(ctx context.Context, step string, at int) error {
	m.mu.Lock()
	f := m.fault
	m.mu.Unlock()
	if f == nil {
		return nil
	}
	err := f(step, at)
	if err == errHang {
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

func (m *memStore) setFault(f func(step string, at int) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = f
}

func (m *memStore) Create(ctx context.Context, h shard.Header) (shard.Writer, error) {
	if !h.Valid() {
		return nil, errs.Newf("mem.Create", errs.Invalid, "header %+v", h)
	}
	if err := m.step(ctx, "create", 0); err != nil {
		return nil, err
	}
	return &memWriter{m: m, ctx: ctx, h: h, data: make([]byte, 0, h.FramedBytes())}, nil
}

func (m *memStore) Open(ctx context.Context, id shard.ID, span shard.Span) (io.ReadCloser, error) {
	if err := m.step(ctx, "open", 0); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.shards[id]
	if !ok {
		return nil, errs.New("mem.Open", errs.NotFound, nil)
	}
	if span.Off < 0 || span.Len < 1 || span.Off+span.Len > int64(len(data)) {
		return nil, errs.Newf("mem.Open", errs.Invalid, "span %+v of %d", span, len(data))
	}
	m.opens = append(m.opens, span)
	return &memReader{m: m, ctx: ctx, data: data[span.Off : span.Off+span.Len]}, nil
}

func (m *memStore) Stat(context.Context, shard.ID) (shard.Header, error) {
	return shard.Header{}, errs.New("mem.Stat", errs.NotFound, nil)
}

func (m *memStore) Delete(_ context.Context, ids []shard.ID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		delete(m.shards, id)
	}
	return nil
}

type memWriter struct {
	m      *memStore
	ctx    context.Context
	h      shard.Header
	data   []byte
	writes int
	block  int
}

func (w *memWriter) Write(p []byte) (int, error) {
	w.writes++
	if err := w.m.step(w.ctx, "write", w.writes-1); err != nil {
		return 0, err
	}
	for rest := p; len(rest) > 0 && !w.m.trust; w.block++ {
		n := w.h.BlockSpan(w.block).Len
		if int64(len(rest)) < n || !shard.CheckFrame(w.h.ID, w.block, rest[:n]) {
			return 0, errs.Newf("mem.Write", errs.Corrupt, "block %d of %s", w.block, w.h.ID)
		}
		rest = rest[n:]
	}
	w.data = append(w.data, p...)
	return len(p), nil
}

func (w *memWriter) Commit(ctx context.Context) error {
	if err := w.m.step(ctx, "commit", 0); err != nil {
		return err
	}
	if int64(len(w.data)) != w.h.FramedBytes() {
		return errs.Newf("mem.Commit", errs.Invalid, "%d bytes of %d", len(w.data), w.h.FramedBytes())
	}
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	w.m.shards[w.h.ID] = w.data
	return nil
}

func (w *memWriter) Abort() {}

type memReader struct {
	m     *memStore
	ctx   context.Context
	data  []byte
	reads int
}

func (r *memReader) Read(p []byte) (int, error) {
	r.reads++
	if err := r.m.step(r.ctx, "read", r.reads-1); err != nil {
		return 0, err
	}
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.data)
	r.data = r.data[n:]
	return n, nil
}

func (r *memReader) Close() error { return nil }

// rig is an engine over one memStore a slot.
type rig struct {
	e      *Engine
	pool   *buf.Pool
	vol    *shard.Volume
	stores []*memStore

	mu     sync.Mutex
	events map[string]int // "missing 3", "corrupt 3", "hedge 3", "failed 3", "reconstructed".
}

// newRig returns a rig whose end checks that no buffer is left.
func newRig(t testing.TB, s shard.Scheme, tune func(*Config)) *rig {
	r := &rig{events: make(map[string]int), pool: buf.New(buf.Config{})}
	r.vol = r.addVolume(1, s)
	count := func(what string, id shard.ID) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events[fmt.Sprintf("%s %d", what, id.Slot)]++
	}
	c := Config{
		Pool: r.pool,
		Stores: func(id cluster.DriveID) (shard.Store, error) {
			st := r.stores[id-1]
			if err := st.step(context.Background(), "dial", 0); err != nil {
				return nil, err
			}
			return st, nil
		},
		Events: Events{
			ShardMissing: func(id shard.ID, _ error) { count("missing", id) },
			BlockCorrupt: func(id shard.ID, _ int) { count("corrupt", id) },
			HedgeFired:   func(id shard.ID) { count("hedge", id) },
			SlotFailed:   func(id shard.ID, _ error) { count("failed", id) },
			Reconstructed: func(_ shard.ExtentID, n int) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.events["reconstructed"] += n
			},
		},
	}
	if tune != nil {
		tune(&c)
	}
	r.e = New(c)
	t.Cleanup(func() {
		r.e.Close()
		require.Zero(t, r.pool.Live(), "buffers in use after the test")
	})
	return r
}

func (r *rig) addVolume(id shard.VolumeID, s shard.Scheme) *shard.Volume {
	v := &shard.Volume{ID: id, Epoch: 1, Scheme: s}
	for range s.N() {
		r.stores = append(r.stores, &memStore{shards: make(map[shard.ID][]byte)})
		v.Slots = append(v.Slots, cluster.DriveID(len(r.stores)))
	}
	return v
}

func (r *rig) store(v *shard.Volume, slot int) *memStore { return r.stores[v.Slots[slot]-1] }

func (r *rig) count(event string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[event]
}

var extent1 = shard.ExtentID{Volume: 1, Seq: 1}

// write writes data and expects it durable in all slots.
func (r *rig) write(t testing.TB, data []byte, sealer Sealer) Written {
	w := r.writePart(t, data, sealer)
	require.Zero(t, w.Missing())
	require.True(t, w.Quorum())
	return w
}

func (r *rig) writePart(t testing.TB, data []byte, sealer Sealer) Written {
	p, err := r.e.Write(context.Background(), WriteRequest{
		Extent: extent1, Volume: r.vol, PlainBytes: int64(len(data)), Sealer: sealer, Source: bytes.NewReader(data),
	})
	require.NoError(t, err)
	w, err := p.Wait()
	require.NoError(t, err)
	return w
}

func (r *rig) request(g Geometry, opener Opener) ReadRequest {
	return ReadRequest{Extent: extent1, Volume: r.vol, Geometry: g, Length: g.PlainBytes, Opener: opener}
}

// expect reads the request's range and compares.
func (r *rig) expect(t testing.TB, q ReadRequest, data []byte) {
	t.Helper()
	var out bytes.Buffer
	n, err := r.e.WriteTo(context.Background(), &out, q)
	require.NoError(t, err)
	require.Equal(t, q.Length, n)
	// Not require.Equal: its report of two megabytes helps nobody.
	require.True(t, bytes.Equal(out.Bytes(), data[q.Offset:q.Offset+q.Length]), "wrong bytes")
}

func randomBytes(seed uint64, n int) []byte {
	b := make([]byte, n)
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

// xorSealer is a sealer for tests: it flips bits and appends a tag that depends on
// the block's index and content.
type xorSealer struct{ t testing.TB }

const xorOverhead = 16

func (xorSealer) Overhead() int { return xorOverhead }

func (s xorSealer) Seal(frame []byte, n, block int) {
	if len(frame) != n+xorOverhead {
		s.t.Errorf("Seal of %d bytes for %d plain", len(frame), n)
	}
	copy(frame[n:], xorTag(frame[:n], block))
	xorFront(frame[:n])
}

// xorFront flips enough to tell sealed from plain, and little enough to be quick
// under the race detector.
func xorFront(p []byte) {
	for i := range p[:min(len(p), 32)] {
		p[i] ^= 0x5a
	}
}

func (s xorSealer) Open(sealed []byte, block int) ([]byte, error) {
	n := len(sealed) - xorOverhead
	xorFront(sealed[:n])
	if !bytes.Equal(sealed[n:], xorTag(sealed[:n], block)) {
		return nil, errs.Newf("xor.Open", errs.Corrupt, "block %d", block)
	}
	return sealed[:n], nil
}

func xorTag(plain []byte, block int) []byte {
	crc := shard.BlockCRC(shard.ID{}, block, plain)
	return fmt.Appendf(nil, "%08x%08x", crc, len(plain))
}
