package stripe

import (
	"context"
	"io"
	"math/bits"
	"sync"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
)

// WriteRequest says what to write where.
type WriteRequest struct {
	Extent     shard.ExtentID
	Volume     *shard.Volume
	PlainBytes int64  // 1 to MaxPlainBytes.
	Sealer     Sealer // Nil: plain.
	Source     io.Reader

	// Digest is called with every plaintext byte in order, from one goroutine, and not after Write
	// has returned. It must not keep plain. It may be nil.
	Digest func(plain []byte)
}

// Written is how a write ended.
type Written struct {
	Geometry Geometry
	Durable  shard.SlotSet // Slots whose shard is on stable storage.
	Sums     Sums          // Of the plaintext; zero if sealed packages were re-encoded.
}

// Missing returns the slots whose shard is not known to be durable.
func (w Written) Missing() shard.SlotSet {
	return allSlots(w.Geometry.Scheme) &^ w.Durable
}

// Quorum reports whether enough shards are durable to acknowledge the write.
func (w Written) Quorum() bool {
	return bits.OnesCount32(uint32(w.Durable)) >= w.Geometry.Scheme.Quorum()
}

func allSlots(s shard.Scheme) shard.SlotSet { return shard.SlotSet(uint64(1)<<s.N() - 1) }

// Pending is a write whose bytes were handed on and whose shards are becoming durable. The caller
// calls Wait or Discard; one goroutine calls both.
type Pending struct {
	f        *fanout // Nil where the write was refused before it began.
	g        Geometry
	sums     Sums
	consumed int64

	once    sync.Once
	durable shard.SlotSet
	err     error
}

// Write consumes exactly PlainBytes of the source and returns when the last byte has been handed on
// to the slots' senders and to Digest; Wait tells the outcome. ctx governs both. It fails
//
//   - with the source's error, unchanged, where that fails, io.ErrUnexpectedEOF
//     where it ends early;
//   - with Unavailable where fewer than k slots are left. If Consumed is 0 then,
//     the source is untouched and another volume may be tried;
//   - with Canceled where ctx ends, and with Invalid.
//
// On failure nothing is kept and neither Wait nor Discard need be called. The result is never nil.
func (e *Engine) Write(ctx context.Context, r WriteRequest) (*Pending, error) {
	const op = "stripe.Write"
	p := &Pending{}
	if p.err = e.begin(ctx, op, r, p); p.err != nil {
		return p, p.err
	}
	coder, err := e.coder(p.g.Scheme)
	if err == nil {
		err = p.f.ready()
	}
	if err == nil {
		line := pipeline{
			e: e, f: p.f, id: r.Extent, g: p.g, coder: coder,
			seal: r.Sealer, digest: r.Digest, crc: true,
			fill: func(block int, payload []byte) error {
				n, err := io.ReadFull(r.Source, payload[:p.g.BlockPlain(block)])
				p.consumed += int64(n)
				if err == io.EOF {
					err = io.ErrUnexpectedEOF
				}
				return err
			},
		}
		err = line.run()
		p.sums = line.sums
	}
	if err != nil {
		p.f.abort()
		p.err = err
		return p, err
	}
	p.f.finish()
	return p, nil
}

// begin checks the request and starts the senders.
func (e *Engine) begin(ctx context.Context, op string, r WriteRequest, p *Pending) error {
	if err := checkVolume(op, r.Extent, r.Volume); err != nil {
		return err
	}
	overhead := 0
	if r.Sealer != nil {
		overhead = r.Sealer.Overhead()
	}
	if r.PlainBytes < 1 || r.PlainBytes > MaxPlainBytes(r.Volume.Scheme, overhead) {
		return errs.Newf(op, errs.Invalid, "extent %s: %d bytes do not fit one extent of scheme %s",
			r.Extent, r.PlainBytes, r.Volume.Scheme)
	}
	p.g = NewGeometry(r.Volume.Scheme, r.PlainBytes, overhead)
	if r.Extent.Volume == 0 || r.Extent.Seq == 0 || !p.g.Valid() {
		return errs.Newf(op, errs.Invalid, "extent %s with %d bytes and %d overhead cannot exist",
			r.Extent, r.PlainBytes, overhead)
	}
	p.f = newFanout(ctx, e, op, wholeOrder(r.Extent, r.Volume, p.g))
	return nil
}

// wholeOrder is the order for a new extent: all slots of its volume.
func wholeOrder(id shard.ExtentID, v *shard.Volume, g Geometry) order {
	return order{
		extent: id, volume: v, g: g, slots: allSlots(g.Scheme),
		need: int(g.Scheme.K), quorum: g.Scheme.Quorum(),
	}
}

// Consumed returns how many bytes were read from the source.
func (p *Pending) Consumed() int64 {
	if p == nil {
		return 0
	}
	return p.consumed
}

// Wait returns when each shard is durable or given up. The error is nil if at least k shards are
// durable. If these are no quorum, the caller may save the extent with Reencode, with Missing as
// Known. If the write has failed, Discard deletes what was written, or else the sweep for orphans
// does.
func (p *Pending) Wait() (Written, error) {
	p.once.Do(func() {
		if p.err == nil {
			p.durable, p.err = p.f.wait()
			if p.err != nil {
				p.f.abort()
			}
		}
	})
	return Written{Geometry: p.g, Durable: p.durable, Sums: p.sums}, p.err
}

// Discard gives the write up and deletes what was written, as far as it can.
func (p *Pending) Discard(ctx context.Context) {
	if p.f != nil {
		p.f.remove(ctx)
	}
}
