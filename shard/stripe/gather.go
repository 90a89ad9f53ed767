package stripe

import (
	"context"
	"math/bits"
	"slices"
	"time"

	"github.com/klauspost/reedsolomon"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/buf"
)

// rowSet is a set of rows of one stripe, as bits.
type rowSet = uint8

// gatherer brings the wanted blocks of an extent together, stripe after stripe: from the slots they
// lie in, or else from the same rows of k other slots. It belongs to one goroutine; the streams
// that work for it have goroutines of their own.
type gatherer struct {
	fetcher
	op    string
	coder reedsolomon.Encoder
	slots []slotView

	streams []*stream
	shards  [][]byte // Scratch of reconstruct.
	needed  []bool

	// The stripe at hand.
	stripe        int // -1 before the first.
	rows, payload int
	began         time.Time // When waiting for it began.
	arrived       time.Time // When something last came, or began.
	alarm         *time.Timer
	bufs          []*buf.Buf
	wipe          bool // Overwrite buffers before they are released.
}

// slotView is what a gatherer knows of a slot.
type slotView struct {
	want    shardRows // The blocks of it that the reader wants.
	rebuilt bool      // It is being rebuilt: never asked.
	known   bool      // Said to be missing: asked last, and only in place of others.

	failed   bool  // Missing or unreadable: not asked again.
	away     error // Failed because it could not be reached: why.
	slow     bool  // It keeps the reader waiting; others stand in.
	hedged   bool  // Told as an event, once a read.
	reported bool  // Told as an event.

	// In the stripe at hand.
	have   rowSet
	bad    rowSet
	frames [shard.UnitBlocks][]byte // Payloads of the rows it has.
	made   *buf.Buf                 // A whole unit for reconstructed rows.
}

// standIn reports whether the slot's blocks have to come from other slots now.
func (v *slotView) standIn() bool { return v.failed || v.slow || v.rebuilt || v.known }

func newGatherer(e *Engine, op string, id shard.ExtentID, v *shard.Volume, g Geometry) (*gatherer, error) {
	if err := checkVolume(op, id, v); err != nil {
		return nil, err
	}
	if !g.Valid() || g.Scheme != v.Scheme {
		return nil, errs.Newf(op, errs.Invalid, "extent %s: its geometry %+v is not one of scheme %s", id, g, v.Scheme)
	}
	coder, err := e.coder(g.Scheme)
	if err != nil {
		return nil, errs.New(op, errs.Internal, err)
	}
	n := g.Scheme.N()
	return &gatherer{
		fetcher: fetcher{e: e, id: id, v: v, g: g, wake: make(chan struct{}, 1)},
		op:      op, coder: coder, slots: make([]slotView, n), stripe: -1,
		shards: make([][]byte, n), needed: make([]bool, n),
	}, nil
}

// begin opens the slots that hold what is wanted.
func (r *gatherer) begin(ctx context.Context) {
	for slot := range r.slots {
		if v := &r.slots[slot]; !v.want.empty() && !v.standIn() {
			r.open(ctx, slot, v.want)
		}
	}
}

func (r *gatherer) open(ctx context.Context, slot int, run shardRows) {
	r.streams = append(r.streams, r.start(ctx, slot, run))
}

// close releases everything. The context of the streams must have ended.
func (r *gatherer) close() {
	r.leave()
	for _, st := range r.streams {
		if st.early {
			st.head.release()
		}
		st.drain()
	}
	r.streams = nil
}

// leave releases the stripe at hand.
func (r *gatherer) leave() {
	for i, b := range r.bufs {
		r.drop(b)
		r.bufs[i] = nil
	}
	r.bufs = r.bufs[:0]
	for i := range r.slots {
		v := &r.slots[i]
		if v.made != nil {
			r.drop(v.made)
		}
		v.have, v.bad, v.made, v.frames = 0, 0, nil, [shard.UnitBlocks][]byte{}
	}
}

func (r *gatherer) drop(b *buf.Buf) {
	if r.wipe {
		b.Wipe()
	}
	b.Release()
}

// gather makes a stripe the one at hand and returns when all its wanted blocks are there. Stripes
// must be asked for in ascending order.
func (r *gatherer) gather(ctx context.Context, stripe int) error {
	r.leave()
	r.stripe, r.rows, r.payload = stripe, r.g.Rows(stripe), r.g.Payload(stripe)
	r.began = time.Now()
	r.arrived = r.began
	for {
		r.collect()
		lost, waiting := r.missing(ctx)
		if lost != 0 {
			left, err := r.reconstruct(lost)
			if err != nil {
				return err
			}
			if left != 0 {
				waiting = true
				if err := r.ask(ctx, left); err != nil {
					return err
				}
			}
		}
		if !waiting {
			return nil
		}
		if err := r.await(ctx); err != nil {
			return err
		}
	}
}

// wanted returns the rows of the stripe at hand that are wanted of a slot.
func (r *gatherer) wanted(v *slotView) rowSet {
	lo, hi := v.want.in(r.stripe, r.rows)
	if lo >= hi {
		return 0
	}
	return rowSet(1<<hi - 1<<lo)
}

// missing returns the rows in which a wanted block has to come from other slots, and whether any
// wanted block is still to come from its own slot. A slot whose stream broke after it had given
// something is asked again.
func (r *gatherer) missing(ctx context.Context) (lost rowSet, waiting bool) {
	for slot := range r.slots {
		v := &r.slots[slot]
		miss := r.wanted(v) &^ v.have
		if miss == 0 {
			continue
		}
		if v.standIn() {
			lost |= miss
			continue
		}
		lost |= miss & v.bad
		miss &^= v.bad
		if miss == 0 {
			continue
		}
		waiting = true
		if row := bits.TrailingZeros8(miss); !r.pending(slot, row) {
			r.open(ctx, slot, shardRows{r.stripe*shard.UnitBlocks + row, v.want.to})
		}
	}
	return lost, waiting
}

// pending reports whether a row of the stripe at hand is still to come from a slot.
func (r *gatherer) pending(slot, row int) bool {
	for _, st := range r.streams {
		if st.slot == slot && st.next <= r.stripe && st.run.covers(r.stripe, row) {
			return true
		}
	}
	return false
}

// collect takes what has arrived, without waiting.
func (r *gatherer) collect() {
	r.streams = slices.DeleteFunc(r.streams, func(st *stream) bool { return !r.receive(st) })
}

// receive takes what a stream has for the stripe at hand, and throws away what it has for earlier
// ones; it reports whether more can come.
func (r *gatherer) receive(st *stream) bool {
	for {
		p := st.head
		if !st.early {
			select {
			case p = <-st.ch:
			default:
				return true
			}
		}
		st.early = false
		if p.err != nil {
			r.broken(st, p.err)
			return false
		}
		if p.stripe > r.stripe {
			st.head, st.early = p, true
			return true
		}
		st.next, st.progress = p.stripe+1, true
		r.accept(st.slot, p)
		if p.stripe*shard.UnitBlocks+p.hi >= st.run.to {
			return false
		}
	}
}

// accept enters a piece into the stripe at hand, or releases it.
func (r *gatherer) accept(slot int, p piece) {
	v := &r.slots[slot]
	if p.bad != 0 {
		r.reportCorrupt(slot, p.stripe*shard.UnitBlocks+bits.TrailingZeros8(p.bad))
	}
	if p.stripe < r.stripe {
		p.release()
		return
	}
	v.slow = false // It has caught up.
	r.arrived = time.Now()
	v.bad |= p.bad
	used := false
	for row := p.lo; row < p.hi; row++ {
		if bit := rowSet(1) << row; (v.have|v.bad)&bit == 0 {
			v.frames[row] = frameOf(p.buf, row-p.lo, r.payload)[:r.payload]
			v.have |= bit
			used = true
		}
	}
	if used {
		r.bufs = append(r.bufs, p.buf)
	} else {
		p.release()
	}
}

// broken notes that a stream ended with an error.
func (r *gatherer) broken(st *stream, err error) {
	v := &r.slots[st.slot]
	r.arrived = time.Now()
	switch errs.KindOf(err) {
	case errs.NotFound, errs.Invalid: // Invalid: the shard has another shape.
		v.failed = true
		r.reportMissing(st.slot, err)
	case errs.Corrupt:
		v.failed = true
		r.reportCorrupt(st.slot, st.next*shard.UnitBlocks)
	default:
		// A connection may break because the client was slow, which says nothing about the slot. If
		// it has given nothing, the slot is at fault.
		if v.failed = !st.progress; v.failed {
			v.away = err
		}
	}
}

func (r *gatherer) reportMissing(slot int, err error) {
	if v := &r.slots[slot]; !v.reported && r.e.events.ShardMissing != nil {
		v.reported = true
		r.e.events.ShardMissing(r.shardID(slot), err)
	}
}

func (r *gatherer) reportCorrupt(slot, block int) {
	if v := &r.slots[slot]; !v.reported && r.e.events.BlockCorrupt != nil {
		v.reported = true
		r.e.events.BlockCorrupt(r.shardID(slot), block)
	}
}

func (r *gatherer) shardID(slot int) shard.ID { return shard.ID{Extent: r.id, Slot: uint8(slot)} }

// await waits for something to arrive. A slot that keeps the reader waiting for HedgeDelay becomes
// slow.
func (r *gatherer) await(ctx context.Context) error {
	due := r.arrived.Add(patience * r.e.slotStall)
	hedge := due
	for _, st := range r.streams {
		if at, ok := r.hedgeAt(st); ok && at.Before(hedge) {
			hedge = at
		}
	}
	r.alarm = rearm(r.alarm, time.Until(hedge))
	defer r.alarm.Stop()
	select {
	case <-r.wake:
		return nil
	case <-ctx.Done():
		return errs.New(r.op, errs.Canceled, context.Cause(ctx))
	case <-r.alarm.C:
	}
	now := time.Now()
	if !now.Before(due) {
		return errs.Newf(r.op, errs.Unavailable, "extent %s: nothing arrived within %s", r.id, patience*r.e.slotStall)
	}
	r.hedge(now)
	return nil
}

// hedgeAt returns when a stream that the reader waits for becomes slow.
func (r *gatherer) hedgeAt(st *stream) (at time.Time, ok bool) {
	if r.slots[st.slot].slow || st.next > r.stripe || st.run.from >= r.stripe*shard.UnitBlocks+r.rows {
		return at, false
	}
	from := r.began
	if st.opened.After(from) {
		from = st.opened
	}
	return from.Add(r.e.hedgeDelay), true
}

func (r *gatherer) hedge(now time.Time) {
	for _, st := range r.streams {
		if at, ok := r.hedgeAt(st); !ok || at.After(now) {
			continue
		}
		v := &r.slots[st.slot]
		v.slow = true
		if !v.hedged && r.g.Scheme.M > 0 && r.e.events.HedgeFired != nil {
			r.e.events.HedgeFired(r.shardID(st.slot))
		}
		v.hedged = true
	}
}
