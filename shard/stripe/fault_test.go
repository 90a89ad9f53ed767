package stripe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/reedsolomon"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
)

// at returns a fault at the n-th time of a step and ever after.
func at(step string, n int, err error) func(string, int) error {
	return func(s string, i int) error {
		if s == step && i >= n {
			return err
		}
		return nil
	}
}

var errBroken = errs.New("mem", errs.Unavailable, errors.New("broken"))

// A slot that fails or hangs at any step is reported missing; the write and the
// reads go on.
func TestWriteLeavesSlotBehind(t *testing.T) {
	for _, step := range []struct {
		name string
		n    int
	}{{"dial", 0}, {"create", 0}, {"write", 0}, {"write", 1}, {"write", 9}, {"commit", 0}} {
		for _, fault := range []error{errBroken, errHang} {
			if step.name == "dial" && fault == errHang {
				continue // Looking a store up does not wait.
			}
			t.Run(fmt.Sprintf("%s %d %v", step.name, step.n, fault), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, shard.Scheme{K: 4, M: 2}, nil)
					r.store(r.vol, 1).setFault(at(step.name, step.n, fault))
					data := randomBytes(1, 10<<20)
					began := time.Now()
					w := r.writePart(t, data, nil)
					require.Equal(t, shard.SlotSet(0b10), w.Missing())
					require.True(t, w.Quorum())
					require.LessOrEqual(t, time.Since(began), DefaultSlotStallTimeout+2*DefaultStragglerWait)
					synctest.Wait() // Wait does not wait for the event.
					require.Equal(t, 1, r.count("failed 1"))
					r.store(r.vol, 1).setFault(nil)
					r.expect(t, r.request(w.Geometry, nil), data)
				})
			})
		}
	}
}

// Below quorum the write still ends, is told apart, and is saved by Reencode.
func TestSalvage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, shard.Scheme{K: 4, M: 2}, nil)
		r.store(r.vol, 0).setFault(at("write", 3, errBroken))
		r.store(r.vol, 4).setFault(at("commit", 0, errHang))
		data := randomBytes(1, 9<<20)
		w := r.writePart(t, data, xorSealer{t})
		require.Equal(t, shard.SlotSet(0b010001), w.Missing())
		require.False(t, w.Quorum())

		narrow := r.addVolume(2, shard.Scheme{K: 2, M: 2})
		q := r.request(w.Geometry, nil)
		q.Known = w.Missing()
		dst := shard.ExtentID{Volume: 2, Seq: 9}
		moved, err := r.e.Reencode(context.Background(), q, dst, narrow)
		require.NoError(t, err)
		require.Zero(t, moved.Missing())
		q = ReadRequest{Extent: dst, Volume: narrow, Geometry: moved.Geometry, Length: int64(len(data)), Opener: xorSealer{t}}
		r.expect(t, q, data)
	})
}

func TestReencodeBetweenSchemes(t *testing.T) {
	schemes := []shard.Scheme{{K: 1}, {K: 2, M: 1}, {K: 4, M: 2}, {K: 10, M: 2}}
	tried := 0
	for _, from := range schemes {
		for _, to := range schemes {
			for _, n := range []int{1, 100_000, 5*1048320 + 12345, 2_600_000} {
				if tried++; effort.Leaves(tried, 3) {
					continue
				}
				r := newRig(t, from, nil)
				data := randomBytes(uint64(n), n)
				w := r.write(t, data, xorSealer{t})
				dv := r.addVolume(2, to)
				dst := shard.ExtentID{Volume: 2, Seq: 9}
				moved, err := r.e.Reencode(context.Background(), r.request(w.Geometry, nil), dst, dv)
				require.NoError(t, err)
				require.True(t, moved.Geometry.Valid())
				if to.M > 0 {
					delete(r.store(dv, 0).shards, shard.ID{Extent: dst})
				}
				q := ReadRequest{Extent: dst, Volume: dv, Geometry: moved.Geometry, Length: int64(n), Opener: xorSealer{t}}
				r.expect(t, q, data)
				q.Offset = int64(n) / 3
				q.Length = int64(n)/2 - q.Offset
				r.expect(t, q, data)
			}
		}
	}
}

// With fewer than k slots the source is untouched.
func TestWriteRefusedBeforeItReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, shard.Scheme{K: 4, M: 2}, nil)
		for slot, fault := range []error{errBroken, errHang, errBroken} {
			r.store(r.vol, slot).setFault(at("create", 0, fault))
		}
		src := bytes.NewReader(randomBytes(1, 1<<20))
		p, err := r.e.Write(context.Background(), WriteRequest{Extent: extent1, Volume: r.vol, PlainBytes: 1 << 20, Source: src})
		require.Equal(t, errs.Unavailable, errs.KindOf(err), "%v", err)
		require.Zero(t, p.Consumed())
		require.Equal(t, 1<<20, src.Len())
		_, waitErr := p.Wait()
		require.Equal(t, err, waitErr)
	})
}

// When too many slots are lost on the way, the write fails and can be discarded.
func TestWriteFailsBelowK(t *testing.T) {
	for _, step := range []string{"write", "commit"} {
		for _, fault := range []error{errBroken, errHang} {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, shard.Scheme{K: 4, M: 2}, nil)
				for slot := range 3 {
					r.store(r.vol, slot).setFault(at(step, 0, fault))
				}
				began := time.Now()
				p, err := r.e.Write(context.Background(), WriteRequest{
					Extent: extent1, Volume: r.vol, PlainBytes: 9 << 20, Source: bytes.NewReader(randomBytes(1, 9<<20))})
				if err == nil {
					_, err = p.Wait()
				}
				require.Equal(t, errs.Unavailable, errs.KindOf(err), "%v", err)
				require.LessOrEqual(t, time.Since(began), 2*patience*DefaultSlotStallTimeout)
				p.Discard(context.Background())
				for _, st := range r.stores {
					require.Empty(t, st.shards)
				}
			})
		}
	}
}

// A write that fails while its shards become durable leaves nothing running, also where it
// is not discarded: slots that hang are let go, and the engine can close.
func TestFailedWriteLetsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, shard.Scheme{K: 4, M: 2}, nil)
		for slot := range r.vol.Slots {
			fault := errBroken
			if slot >= 3 {
				fault = errHang
			}
			r.store(r.vol, slot).setFault(at("commit", 0, fault))
		}
		p, err := r.e.Write(context.Background(), WriteRequest{
			Extent: extent1, Volume: r.vol, PlainBytes: 1000, Source: bytes.NewReader(make([]byte, 1000))})
		require.NoError(t, err)
		_, err = p.Wait()
		require.Equal(t, errs.Unavailable, errs.KindOf(err), "%v", err)
		r.e.Close() // It hangs here if a slot does.
	})
}

// Stragglers at commit get StragglerWait and what the quorum took, not more.
func TestStraggler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, shard.Scheme{K: 4, M: 2}, nil)
		for slot := range r.vol.Slots {
			wait := time.Second
			if slot == 3 {
				wait = time.Hour
			}
			r.store(r.vol, slot).setFault(func(step string, _ int) error {
				if step == "commit" && wait == time.Hour {
					return errHang
				} else if step == "commit" {
					time.Sleep(wait)
				}
				return nil
			})
		}
		began := time.Now()
		w := r.writePart(t, randomBytes(1, 1000), nil)
		require.Equal(t, shard.SlotSet(0b1000), w.Missing())
		require.Equal(t, time.Second+DefaultStragglerWait+time.Second, time.Since(began))
	})
}

func TestDiscard(t *testing.T) {
	r := newRig(t, shard.Scheme{K: 2, M: 1}, nil)
	p, err := r.e.Write(context.Background(), WriteRequest{
		Extent: extent1, Volume: r.vol, PlainBytes: 1000, Source: bytes.NewReader(make([]byte, 1000))})
	require.NoError(t, err)
	_, err = p.Wait()
	require.NoError(t, err)
	p.Discard(context.Background())
	for _, st := range r.stores {
		require.Empty(t, st.shards)
	}
}

func TestRemove(t *testing.T) {
	r := newRig(t, shard.Scheme{K: 2, M: 1}, nil)
	p, err := r.e.Write(context.Background(), WriteRequest{
		Extent: extent1, Volume: r.vol, PlainBytes: 1000, Source: bytes.NewReader(make([]byte, 1000))})
	require.NoError(t, err)
	_, err = p.Wait()
	require.NoError(t, err)
	r.e.Remove(context.Background(), extent1, r.vol)
	for _, st := range r.stores {
		require.Empty(t, st.shards)
	}
}

// failingReader gives n bytes, then an error.
type failingReader struct {
	n   int
	err error
}

func (r *failingReader) Read(p []byte) (int, error) {
	if r.n == 0 {
		return 0, r.err
	}
	n := min(len(p), r.n)
	r.n -= n
	return n, nil
}

func TestSourceFails(t *testing.T) {
	sentinel := errors.New("the client went away")
	for _, n := range []int{0, 1, 65536, 3_000_000, 9<<20 - 1} {
		for _, c := range []struct{ give, want error }{{sentinel, sentinel}, {io.EOF, io.ErrUnexpectedEOF}} {
			r := newRig(t, shard.Scheme{K: 4, M: 2}, nil)
			p, err := r.e.Write(context.Background(), WriteRequest{
				Extent: extent1, Volume: r.vol, PlainBytes: 9 << 20, Source: &failingReader{n, c.give}})
			require.True(t, err == c.want, "%v", err) // Unchanged: not even wrapped.
			require.EqualValues(t, n, p.Consumed())
			r.e.Close()
			require.Empty(t, r.events)
			for _, st := range r.stores {
				require.Empty(t, st.shards)
			}
		}
	}
}

func TestWriteCanceled(t *testing.T) {
	for _, step := range []string{"create", "write", "commit"} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, shard.Scheme{K: 4, M: 2}, nil)
			for _, st := range r.stores {
				st.setFault(at(step, 0, errHang))
			}
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			p, err := r.e.Write(ctx, WriteRequest{
				Extent: extent1, Volume: r.vol, PlainBytes: 9 << 20, Source: bytes.NewReader(make([]byte, 9<<20))})
			if err == nil {
				_, err = p.Wait()
			}
			require.Equal(t, errs.Canceled, errs.KindOf(err), "%v", err)
			require.Empty(t, r.events)
		})
	}
}

// Digest sees every byte in order, across extents that overlap in time.
func TestDigestInOrder(t *testing.T) {
	r := newRig(t, shard.Scheme{K: 2, M: 1}, nil)
	data := randomBytes(1, 3_000_001)
	src := bytes.NewReader(data)
	var seen []byte
	var pending []*Pending
	for seq, n := range []int64{1_500_000, 1, 1_500_000} {
		p, err := r.e.Write(context.Background(), WriteRequest{
			Extent: shard.ExtentID{Volume: 1, Seq: uint64(seq + 1)}, Volume: r.vol, PlainBytes: n,
			Sealer: xorSealer{t}, Source: src, Digest: func(p []byte) { seen = append(seen, p...) }})
		require.NoError(t, err)
		require.Equal(t, n, p.Consumed())
		pending = append(pending, p)
	}
	require.True(t, bytes.Equal(data, seen))
	for _, p := range pending {
		_, err := p.Wait()
		require.NoError(t, err)
	}
}

// A write holds no more than its window, however slow a slot is.
func TestWriteMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, shard.Scheme{K: 4, M: 2}, nil)
		var most int64
		r.store(r.vol, 5).setFault(func(step string, _ int) error {
			if step == "write" {
				time.Sleep(100 * time.Millisecond)
				most = max(most, r.pool.Live())
			}
			return nil
		})
		w := r.writePart(t, randomBytes(1, 20<<20), nil)
		require.Zero(t, w.Missing())
		require.LessOrEqual(t, most, int64(WindowStripes*6))
		require.Greater(t, most, int64(WindowStripes-1))
	})
}

// A slot that hangs costs the hedge delay, once; others stand in to the end.
func TestHedge(t *testing.T) {
	for _, step := range []struct {
		name string
		n    int
	}{{"open", 0}, {"read", 0}, {"read", 3}} {
		for hung := 1; hung <= 2; hung++ {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, shard.Scheme{K: 4, M: 2}, nil)
				data := randomBytes(1, 10<<20)
				w := r.write(t, data, xorSealer{t})
				for slot := range hung {
					r.store(r.vol, slot).setFault(at(step.name, step.n, errHang))
				}
				began := time.Now()
				r.expect(t, r.request(w.Geometry, xorSealer{t}), data)
				require.Equal(t, DefaultHedgeDelay, time.Since(began))
				for slot := range 6 {
					require.Equal(t, slot < hung, r.count(fmt.Sprintf("hedge %d", slot)) == 1)
				}
			})
		}
	}
}

// A slot that is slow, catches up and is slow again is told once a read; one that nobody
// can stand in for is not told.
func TestHedgeIsToldOnce(t *testing.T) {
	for _, c := range []struct {
		scheme shard.Scheme
		told   int
	}{{shard.Scheme{K: 2, M: 1}, 1}, {shard.Scheme{K: 2}, 0}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, c.scheme, nil)
			data := randomBytes(1, 20*2*shard.UnitBytes)
			w := r.write(t, data, nil)
			slow := 0
			r.store(r.vol, 0).setFault(func(step string, n int) error {
				if step == "read" && n%8 == 7 {
					slow++
					time.Sleep(3 * DefaultHedgeDelay)
				}
				return nil
			})
			rd := r.e.NewReader(context.Background(), r.request(w.Geometry, nil))
			for stripe := range 20 {
				_, err := io.ReadFull(rd, make([]byte, 2*shard.UnitBytes))
				require.NoError(t, err)
				if stripe%8 == 3 {
					time.Sleep(10 * DefaultHedgeDelay) // The slow slot catches up.
				}
			}
			require.NoError(t, rd.Close())
			require.Greater(t, slow, 1)
			require.Equal(t, c.told, r.count("hedge 0"))
		})
	}
}

// A read that fails before its first byte writes nothing: an empty write would begin the
// answer of a server that can still tell of the failure.
func TestReadThatFailsWritesNothing(t *testing.T) {
	r := newRig(t, shard.Scheme{K: 2, M: 1}, nil)
	w := r.write(t, randomBytes(1, 1000), nil)
	for _, st := range r.stores {
		st.setFault(at("open", 0, errBroken))
	}
	var out countingWriter
	_, err := r.e.WriteTo(context.Background(), &out, r.request(w.Geometry, nil))
	require.Equal(t, errs.Unavailable, errs.KindOf(err), "%v", err)
	require.Zero(t, out.calls)
}

// countingWriter counts calls, empty ones too.
type countingWriter struct{ calls int }

func (w *countingWriter) Write(p []byte) (int, error) {
	w.calls++
	return len(p), nil
}

// A write whose parity cannot be computed fails: nothing of it is acknowledged.
func TestCoderFails(t *testing.T) {
	for _, n := range []int{1000, 9 << 20} {
		r := newRig(t, shard.Scheme{K: 4, M: 2}, nil)
		broken := errors.New("no parity today")
		r.e.coders[r.vol.Scheme] = brokenCoder{err: broken}
		_, err := r.e.Write(context.Background(), WriteRequest{
			Extent: extent1, Volume: r.vol, PlainBytes: int64(n), Source: bytes.NewReader(randomBytes(1, n))})
		require.ErrorIs(t, err, broken)
		r.e.Close()
		for _, st := range r.stores {
			require.Empty(t, st.shards)
		}
	}
}

type brokenCoder struct {
	reedsolomon.Encoder
	err error
}

func (c brokenCoder) Encode([][]byte) error { return c.err }

// Where too many hang, the read gives up instead of hanging too; without parity
// there is nobody to hedge with.
func TestReadGivesUp(t *testing.T) {
	for _, s := range []shard.Scheme{{K: 4, M: 2}, {K: 1}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, s, nil)
			w := r.write(t, randomBytes(1, 5<<20), nil)
			for slot := range int(s.M) + 1 {
				r.store(r.vol, slot).setFault(at("read", 1, errHang))
			}
			began := time.Now()
			_, err := r.e.WriteTo(context.Background(), io.Discard, r.request(w.Geometry, nil))
			require.Equal(t, errs.Unavailable, errs.KindOf(err), "%v", err)
			require.LessOrEqual(t, time.Since(began), patience*DefaultSlotStallTimeout+3*DefaultHedgeDelay)
		})
	}
}

// A slow slot that catches up is used again; nothing is lost either way.
func TestSlowSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, shard.Scheme{K: 4, M: 2}, nil)
		data := randomBytes(1, 20<<20)
		w := r.write(t, data, nil)
		for slot := range r.vol.Slots {
			r.store(r.vol, slot).setFault(func(step string, n int) error {
				if step == "read" {
					time.Sleep(time.Duration((n*7+slot*13)%5) * 70 * time.Millisecond)
				}
				return nil
			})
		}
		r.expect(t, r.request(w.Geometry, nil), data)
	})
}

// A stream that breaks after it gave something is opened again: a slow client is
// no verdict on a slot.
func TestBrokenStreamsResume(t *testing.T) {
	r := newRig(t, shard.Scheme{K: 2, M: 0}, nil)
	data := randomBytes(1, 10<<20)
	w := r.write(t, data, nil)
	for _, st := range r.stores {
		st.setFault(at("read", 5, errBroken))
	}
	r.expect(t, r.request(w.Geometry, nil), data)
	require.Empty(t, r.events)
}

func TestReadCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, shard.Scheme{K: 4, M: 2}, nil)
		w := r.write(t, randomBytes(1, 10<<20), nil)
		for slot := range 4 {
			r.store(r.vol, slot).setFault(at("read", 1, errHang))
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := r.e.WriteTo(ctx, io.Discard, r.request(w.Geometry, nil))
		require.Equal(t, errs.Canceled, errs.KindOf(err), "%v", err)
	})
}

// A client that stops taking bytes keeps a bounded number of buffers.
func TestReadMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, shard.Scheme{K: 4, M: 2}, nil)
		w := r.write(t, randomBytes(1, 20<<20), nil)
		rd := r.e.NewReader(context.Background(), r.request(w.Geometry, nil))
		defer rd.Close()
		for range 5 {
			_, err := io.ReadFull(rd, make([]byte, 1<<20))
			require.NoError(t, err)
			synctest.Wait()
			require.LessOrEqual(t, r.pool.Live(), int64(WindowStripes*4))
			require.GreaterOrEqual(t, r.pool.Live(), int64((WindowStripes-1)*4))
		}
	})
}

func TestRebuildEverySet(t *testing.T) {
	for _, s := range []shard.Scheme{{K: 1, M: 1}, {K: 2, M: 2}, {K: 4, M: 2}} {
		r := newRig(t, s, nil)
		data := randomBytes(1, 2_500_000)
		w := r.write(t, data, xorSealer{t})
		for i, set := range losses(s.N(), int(s.M)) {
			if set == 0 || effort.Leaves(i, 3) {
				continue
			}
			undo := r.damage(set, 0b10)
			bad, err := r.e.Verify(context.Background(), extent1, r.vol, w.Geometry)
			require.NoError(t, err)
			require.Equal(t, set, bad)
			got, err := r.e.Rebuild(context.Background(), extent1, r.vol, w.Geometry, set)
			require.NoError(t, err)
			require.Equal(t, set, got)
			rebuilt := make([][]byte, s.N())
			for slot := range rebuilt {
				rebuilt[slot] = r.shard(slot)
			}
			undo() // Now the original again: they must be the same bytes.
			for slot := range rebuilt {
				require.True(t, bytes.Equal(rebuilt[slot], r.shard(slot)))
			}
			bad, err = r.e.Verify(context.Background(), extent1, r.vol, w.Geometry)
			require.NoError(t, err)
			require.Zero(t, bad)
		}
	}
}

func TestRebuildPartly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, shard.Scheme{K: 4, M: 2}, nil)
		w := r.write(t, randomBytes(1, 9<<20), nil)
		r.damage(0b1001, 0)
		r.store(r.vol, 3).setFault(at("write", 2, errHang))
		got, err := r.e.Rebuild(context.Background(), extent1, r.vol, w.Geometry, 0b1001)
		require.Equal(t, shard.SlotSet(1), got)
		require.Equal(t, errs.Unavailable, errs.KindOf(err), "%v", err)

		r.damage(0b10110, 0)
		_, err = r.e.Rebuild(context.Background(), extent1, r.vol, w.Geometry, 0b1)
		require.Equal(t, errs.Corrupt, errs.KindOf(err), "%v", err)
	})
}

func TestVerifySaysWhatItCouldNotReach(t *testing.T) {
	r := newRig(t, shard.Scheme{K: 4, M: 2}, nil)
	w := r.write(t, randomBytes(1, 2<<20), nil)
	r.damage(0b11, 0b10)
	r.store(r.vol, 5).setFault(at("open", 0, errBroken))
	bad, err := r.e.Verify(context.Background(), extent1, r.vol, w.Geometry)
	require.Equal(t, shard.SlotSet(0b11), bad)
	require.Equal(t, errs.Unavailable, errs.KindOf(err), "%v", err)
	require.Equal(t, 1, r.count("missing 0"))
	require.Equal(t, 1, r.count("corrupt 1"))
}
