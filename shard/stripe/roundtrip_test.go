package stripe

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/bits"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/minio/crc64nvme"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/buf"
)

// sizes returns every border of the geometry up to three stripes, and its
// neighbours.
func sizes(s shard.Scheme, overhead int) []int {
	k, c := int(s.K), shard.BlockBytes-overhead
	stripe := k * shard.UnitBlocks * c
	borders := []int{1, 64, 64 * k, c, k * c, shard.UnitBlocks * c, stripe - c, stripe, stripe + c, 2 * stripe, 3 * stripe}
	var out []int
	for _, b := range borders {
		for d := -1; d <= 1; d++ {
			if b+d > 0 && b+d <= 3*stripe {
				out = append(out, b+d)
			}
		}
	}
	return out
}

func TestRoundTrip(t *testing.T) {
	for _, s := range []shard.Scheme{{K: 1}, {K: 1, M: 1}, {K: 2, M: 1}, {K: 2, M: 2}, {K: 4, M: 2}, {K: 3, M: 0}} {
		t.Run(s.String(), func(t *testing.T) {
			for _, sealed := range []bool{false, true} {
				var sealer Sealer
				var opener Opener
				overhead := 0
				if sealed {
					sealer, opener, overhead = xorSealer{t}, xorSealer{t}, xorOverhead
				}
				for _, n := range sizes(s, overhead) {
					// In a bubble a hedge fires only when a unit never comes, however busy the machine is.
					synctest.Test(t, func(t *testing.T) {
						r := newRig(t, s, nil)
						data := randomBytes(uint64(n), n)
						w := r.write(t, data, sealer)
						require.Equal(t, SumsOf(data), w.Sums)
						require.Equal(t, crc64nvme.Checksum(data), w.Sums.CRC64)
						r.expect(t, r.request(w.Geometry, opener), data)
						require.Empty(t, r.events)
					})
				}
			}
		})
	}
}

// losses returns all sets of up to m of n slots.
func losses(n, m int) []shard.SlotSet {
	var out []shard.SlotSet
	for set := range uint32(1) << n {
		if bits.OnesCount32(set) <= m {
			out = append(out, shard.SlotSet(set))
		}
	}
	return out
}

// damage loses or corrupts the shards of a set, by turns, and returns an undo.
func (r *rig) damage(set shard.SlotSet, corrupt shard.SlotSet) (undo func()) {
	saved := make(map[int][]byte)
	for slot := range r.vol.Slots {
		if !set.Has(slot) {
			continue
		}
		good := r.shard(slot)
		saved[slot] = good
		if !corrupt.Has(slot) {
			r.setShard(slot, nil)
			continue
		}
		bad := bytes.Clone(good)
		for i := 0; i < len(bad); i += 1000 {
			bad[i] ^= 1
		}
		r.setShard(slot, bad)
	}
	return func() {
		for slot, data := range saved {
			r.setShard(slot, data)
		}
	}
}

// shard returns what a slot holds of extent1.
func (r *rig) shard(slot int) []byte {
	st := r.store(r.vol, slot)
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.shards[shard.ID{Extent: extent1, Slot: uint8(slot)}]
}

// setShard replaces it; nil takes it away. Reads that were given up may be going
// on still, so the bytes of a shard are never changed in place.
func (r *rig) setShard(slot int, data []byte) {
	st := r.store(r.vol, slot)
	st.mu.Lock()
	defer st.mu.Unlock()
	id := shard.ID{Extent: extent1, Slot: uint8(slot)}
	if data == nil {
		delete(st.shards, id)
	} else {
		st.shards[id] = data
	}
}

func TestEveryLossUpToM(t *testing.T) {
	for _, s := range []shard.Scheme{{K: 1, M: 1}, {K: 2, M: 1}, {K: 2, M: 2}, {K: 4, M: 2}} {
		t.Run(s.String(), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, uint64(s.K)))
			all := sizes(s, xorOverhead)
			for i, n := range all {
				if testing.Short() && i%5 != 0 || effort.Leaves(i, 20) {
					continue
				}
				r := newRig(t, s, nil)
				data := randomBytes(uint64(n), n)
				w := r.write(t, data, xorSealer{t})
				q := r.request(w.Geometry, xorSealer{t})
				for _, set := range losses(s.N(), int(s.M)) {
					undo := r.damage(set, shard.SlotSet(rng.Uint32()))
					r.expect(t, q, data)
					part := q
					part.Offset = rng.Int64N(int64(n))
					part.Length = 1 + rng.Int64N(int64(n)-part.Offset)
					if rng.IntN(2) == 0 {
						part.Length = min(part.Length, 100)
					}
					if rng.IntN(4) == 0 {
						part.Known = set
					}
					r.expect(t, part, data)
					undo()
				}
			}
		})
	}
}

// Blocks of more than m slots may be bad as long as no row has more than m.
func TestDamageIsCountedByRow(t *testing.T) {
	r := newRig(t, shard.Scheme{K: 4, M: 2}, nil)
	data := randomBytes(1, 2<<20)
	w := r.write(t, data, nil)
	for slot := range r.vol.Slots {
		bad := bytes.Clone(r.shard(slot))
		bad[(slot/2+4*(slot%2))*shard.FrameBytes+7] ^= 1
		r.setShard(slot, bad)
	}
	r.expect(t, r.request(w.Geometry, nil), data)
	for slot := range 4 {
		require.Equal(t, 1, r.count(fmt.Sprintf("corrupt %d", slot)))
	}
	require.Equal(t, 4, r.count("reconstructed"))
}

func TestRangesAtEveryBorder(t *testing.T) {
	s := shard.Scheme{K: 4, M: 2}
	for _, lost := range []shard.SlotSet{0, 0b1, 0b001010} {
		r := newRig(t, s, nil)
		n := 2*4*shard.UnitBytes + 700_000
		data := randomBytes(3, n)
		g := r.write(t, data, nil).Geometry
		r.damage(lost, 0b10)
		var marks []int64
		for b := 0; b <= g.Blocks(); b += 3 {
			off := int64(n)
			if b < g.Blocks() {
				off = g.BlockOffset(b)
			}
			for d := int64(-1); d <= 1; d++ {
				if off+d >= 0 && off+d <= int64(n) {
					marks = append(marks, off+d)
				}
			}
		}
		rng := rand.New(rand.NewPCG(2, 3))
		for _, from := range marks {
			q := r.request(g, nil)
			q.Offset = from
			q.Length = max(0, marks[rng.IntN(len(marks))]-from)
			r.expect(t, q, data)
			q.Length = min(1, int64(n)-from)
			r.expect(t, q, data)
		}
	}
}

// A range inside one block fetches that block and nothing else.
func TestRangeFetchesOnlyWhatItNeeds(t *testing.T) {
	r := newRig(t, shard.Scheme{K: 4, M: 2}, nil)
	data := randomBytes(1, 3<<20)
	q := r.request(r.write(t, data, nil).Geometry, nil)
	q.Offset, q.Length = 6*shard.BlockBytes+5, 100 // Unit 1, row 2.
	r.expect(t, q, data)
	for slot := range r.vol.Slots {
		opens := r.store(r.vol, slot).opens
		if slot == 1 {
			require.Equal(t, []shard.Span{{Off: 2 * shard.FrameBytes, Len: shard.FrameBytes}}, opens)
		} else {
			require.Empty(t, opens)
		}
	}
}

// A long read is one request a slot, also when a slot is lost.
func TestReadOpensEachSlotOnce(t *testing.T) {
	r := newRig(t, shard.Scheme{K: 4, M: 2}, nil)
	data := randomBytes(1, 6<<20)
	g := r.write(t, data, nil).Geometry
	r.damage(0b10, 0)
	r.expect(t, r.request(g, nil), data)
	for slot, want := range []int{1, 0, 1, 1, 1, 0} {
		require.Len(t, r.store(r.vol, slot).opens, want, "slot %d", slot)
	}
	require.Equal(t, 1, r.count("missing 1"))
}

func TestReaderPulls(t *testing.T) {
	r := newRig(t, shard.Scheme{K: 2, M: 1}, nil)
	data := randomBytes(1, 2<<20)
	q := r.request(r.write(t, data, xorSealer{t}).Geometry, xorSealer{t})
	q.Offset, q.Length = 1000, 1<<20
	rd := r.e.NewReader(context.Background(), q)
	head := make([]byte, 777)
	_, err := io.ReadFull(rd, head)
	require.NoError(t, err)
	var rest bytes.Buffer
	_, err = io.Copy(&rest, rd)
	require.NoError(t, err)
	require.NoError(t, rd.Close())
	require.True(t, bytes.Equal(data[1000:1000+1<<20], append(head, rest.Bytes()...)))
	_, err = rd.Read(head)
	require.Error(t, err)

	// One that is closed half way leaves nothing behind (the rig checks), and gives nothing
	// more: what it had of its block is in a buffer that others may have by now.
	rd = r.e.NewReader(context.Background(), q)
	_, err = io.ReadFull(rd, head)
	require.NoError(t, err)
	require.NoError(t, rd.Close())
	n, err := rd.Read(head)
	require.Zero(t, n)
	require.Equal(t, errs.Invalid, errs.KindOf(err), "%v", err)
}

func TestTooManyLosses(t *testing.T) {
	r := newRig(t, shard.Scheme{K: 4, M: 2}, nil)
	data := randomBytes(1, 5<<20)
	q := r.request(r.write(t, data, nil).Geometry, nil)
	undo := r.damage(0b10101, 0b100)
	n, err := r.e.WriteTo(context.Background(), io.Discard, q)
	require.Equal(t, errs.Corrupt, errs.KindOf(err), "%v", err)
	require.Zero(t, n)
	r.store(r.vol, 1).setFault(func(string, int) error { return errs.New("mem", errs.Unavailable, nil) })
	_, err = r.e.WriteTo(context.Background(), io.Discard, q)
	require.Equal(t, errs.Unavailable, errs.KindOf(err), "%v", err)
	undo()
	r.expect(t, q, data)
}

func TestBadWriteRequests(t *testing.T) {
	r := newRig(t, shard.Scheme{K: 2, M: 1}, nil)
	for name, change := range map[string]func(*WriteRequest){
		"no volume": func(q *WriteRequest) { q.Extent.Volume = 0 },
		"no number": func(q *WriteRequest) { q.Extent.Seq = 0 },
		"neither":   func(q *WriteRequest) { q.Extent = shard.ExtentID{} },
		"nothing":   func(q *WriteRequest) { q.PlainBytes = 0 },
		"negative":  func(q *WriteRequest) { q.PlainBytes = -1 },
		"too much":  func(q *WriteRequest) { q.PlainBytes = MaxPlainBytes(r.vol.Scheme, 0) + 1 },
		"no slots":  func(q *WriteRequest) { q.Volume = &shard.Volume{} },
		"too few slots": func(q *WriteRequest) {
			q.Volume = &shard.Volume{ID: 1, Scheme: r.vol.Scheme, Slots: r.vol.Slots[:2]}
		},
		"volume unknown": func(q *WriteRequest) { q.Volume = nil },
	} {
		src := bytes.NewReader(make([]byte, 1000))
		q := WriteRequest{Extent: extent1, Volume: r.vol, PlainBytes: 1000, Source: src}
		change(&q)
		p, err := r.e.Write(context.Background(), q)
		require.Equal(t, errs.Invalid, errs.KindOf(err), "%s: %v", name, err)
		require.Zero(t, p.Consumed(), name)
		require.Equal(t, 1000, src.Len(), name)
	}
}

func TestBadReadRequests(t *testing.T) {
	r := newRig(t, shard.Scheme{K: 2, M: 1}, nil)
	data := randomBytes(1, 1000)
	q := r.request(r.write(t, data, nil).Geometry, nil)
	for name, change := range map[string]func(*ReadRequest){
		"past the end": func(q *ReadRequest) { q.Offset = 1 },
		"negative":     func(q *ReadRequest) { q.Offset = -1 },
		"opener":       func(q *ReadRequest) { q.Opener = xorSealer{t} },
		"scheme":       func(q *ReadRequest) { q.Geometry.Scheme.M = 2 },
		"geometry":     func(q *ReadRequest) { q.Geometry.TailBlockBytes = 0 },
		"volume":       func(q *ReadRequest) { q.Volume = &shard.Volume{} },
	} {
		bad := q
		change(&bad)
		_, err := r.e.WriteTo(context.Background(), io.Discard, bad)
		require.Equal(t, errs.Invalid, errs.KindOf(err), "%s: %v", name, err)
	}
}

// A right block of another extent in the right place is not taken for it.
func TestForeignShardIsRefused(t *testing.T) {
	r := newRig(t, shard.Scheme{K: 2, M: 1}, nil)
	data := randomBytes(1, 300_000)
	w := r.write(t, data, nil)
	id := shard.ID{Extent: extent1}
	foreign := bytes.Clone(r.shard(0))
	for b := range 3 {
		span := w.Geometry.Header(id, 1).BlockSpan(b)
		if span.Off+span.Len <= int64(len(foreign)) {
			shard.SealFrame(shard.ID{Extent: shard.ExtentID{Volume: 1, Seq: 2}}, b, foreign[span.Off:span.Off+span.Len])
		}
	}
	r.setShard(0, foreign)
	r.expect(t, r.request(w.Geometry, nil), data)
	require.Equal(t, 1, r.count("corrupt 0"))
}

// What pads a block is zeros, never what a buffer held before: that may be another
// client's plaintext.
func TestPaddingIsZero(t *testing.T) {
	for _, n := range []int{1, 1000, 65519, 300_000, 1_300_000} {
		r := newRig(t, shard.Scheme{K: 4, M: 2}, nil)
		var dirty []*buf.Buf
		for i := range 60 { // Some of each size class.
			b := r.pool.Get([]int{100, 5000, 20_000, 2 * shard.FrameBytes, 4 * shard.FrameBytes}[i%5])
			copy(b.Bytes(), bytes.Repeat([]byte("secret"), 1<<16))
			dirty = append(dirty, b)
		}
		for _, b := range dirty {
			b.Release()
		}
		g := r.write(t, bytes.Repeat([]byte{1}, n), xorSealer{t}).Geometry
		for slot := range int(g.Scheme.K) {
			h := g.Header(shard.ID{Extent: extent1, Slot: uint8(slot)}, 1)
			for at := range h.Blocks() {
				used := 0
				if b, ok := g.BlockAt(Place{at / shard.UnitBlocks, slot, at % shard.UnitBlocks}); ok {
					used = g.BlockPlain(b) + g.Overhead
				}
				span := h.BlockSpan(at)
				pad := r.shard(slot)[span.Off+int64(used) : span.Off+span.Len-shard.CRCBytes]
				require.Empty(t, bytes.Trim(pad, "\x00"), "block %d of slot %d", at, slot)
			}
		}
	}
}
