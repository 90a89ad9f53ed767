package stripe

import (
	"context"
	"io"
	"math/bits"
	"sync"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/buf"
)

// Rebuild reconstructs the shards of the lost slots from the others and commits them to their
// drives. No key is needed. It returns the slots that are durable now. If these are not all of
// lost, the error says why.
func (e *Engine) Rebuild(ctx context.Context, id shard.ExtentID, v *shard.Volume, g Geometry, lost shard.SlotSet) (repaired shard.SlotSet, err error) {
	const op = "stripe.Rebuild"
	r, err := newGatherer(e, op, id, v, g)
	if err != nil {
		return 0, err
	}
	if lost == 0 || lost&^allSlots(g.Scheme) != 0 {
		return 0, errs.Newf(op, errs.Invalid, "extent %s: slots %b are not among its %d", id, lost, g.Scheme.N())
	}
	rctx, cancel := context.WithCancel(ctx)
	for slot := range r.slots {
		if lost.Has(slot) {
			r.slots[slot].rebuilt, r.slots[slot].want = true, g.allRows()
		}
	}
	f := newFanout(ctx, e, op, order{
		extent: id, volume: v, g: g, slots: lost, need: 1, quorum: bits.OnesCount32(uint32(lost)),
	})
	defer func() {
		cancel()
		r.close()
	}()
	if err := e.rebuildStripes(rctx, r, f); err != nil {
		f.abort()
		return 0, err
	}
	f.finish()
	repaired, err = f.wait()
	if err == nil && repaired != lost {
		err = errs.Wrap(op, f.slotError())
	}
	if err != nil {
		f.abort()
	}
	return repaired, err
}

func (e *Engine) rebuildStripes(ctx context.Context, r *gatherer, f *fanout) error {
	if err := f.ready(); err != nil {
		return err
	}
	units := make([]*buf.Buf, len(r.slots))
	for s := range r.g.Stripes() {
		if err := f.admit(); err != nil {
			return err
		}
		if err := r.gather(ctx, s); err != nil {
			return err
		}
		for slot := range r.slots {
			v := &r.slots[slot]
			if !v.rebuilt {
				continue
			}
			for row := range r.rows {
				shard.SealFrame(r.shardID(slot), s*shard.UnitBlocks+row, frameOf(v.made, row, r.payload))
			}
			units[slot], v.made = v.made, nil
		}
		f.push(units)
	}
	return nil
}

// Verify checks all blocks of all shards. It returns the slots whose shard is missing or has a bad
// block, and tells Events of them. If slots cannot be reached, the error is Unavailable and bad has
// those of the others that are bad.
func (e *Engine) Verify(ctx context.Context, id shard.ExtentID, v *shard.Volume, g Geometry) (bad shard.SlotSet, err error) {
	const op = "stripe.Verify"
	r, err := newGatherer(e, op, id, v, g)
	if err != nil {
		return 0, err
	}
	outcomes := make([]error, len(r.slots))
	blocks := make([]int, len(r.slots))
	var wg sync.WaitGroup
	for slot := range r.slots {
		wg.Go(func() { blocks[slot], outcomes[slot] = r.verifySlot(ctx, slot) })
	}
	wg.Wait()
	for slot, out := range outcomes {
		switch errs.KindOf(out) {
		case errs.NotFound, errs.Invalid:
			bad = bad.With(slot)
			r.reportMissing(slot, out)
		case errs.Corrupt:
			bad = bad.With(slot)
			r.reportCorrupt(slot, blocks[slot])
		default:
			if out != nil && err == nil {
				err = errs.Newf(op, errs.Unavailable, "shard %s could not be checked: %w", r.shardID(slot), out)
			}
		}
	}
	if cause := ctx.Err(); cause != nil {
		return bad, errs.New(op, errs.Canceled, cause)
	}
	return bad, err
}

// verifySlot reads a shard up to the first bad block and returns its number.
func (f *fetcher) verifySlot(ctx context.Context, slot int) (block int, err error) {
	id := shard.ID{Extent: f.id, Slot: uint8(slot)}
	store, err := f.e.stores(f.v.Slots[slot])
	if err != nil {
		return 0, err
	}
	all := f.g.allRows()
	body, err := store.Open(ctx, id, all.span(f.g.Header(id, f.v.Epoch)))
	if err != nil {
		return 0, err
	}
	defer body.Close() // Of reading: nothing to lose.
	for block < all.to {
		p, err := f.fetchUnit(body, id, block, all.to)
		if err != nil {
			return block, err
		}
		p.release()
		if p.bad != 0 {
			block += bits.TrailingZeros8(p.bad)
			return block, errs.Newf("stripe.Verify", errs.Corrupt, "block %d of shard %s", block, id)
		}
		block += p.hi
	}
	return block, nil
}

// Reencode reads the stored packages of an extent and writes them as another extent in another
// volume, with that volume's scheme and the same FullBlocks, TailBlockBytes and Overhead. No key is
// needed. It serves to save a write below its quorum, with what that misses as Known, and to widen
// narrow extents. Offset, Length and Opener are not used. If the packages are sealed, the result
// has no sums. Errors are those of WriteTo and Write.
func (e *Engine) Reencode(ctx context.Context, src ReadRequest, dst shard.ExtentID, dv *shard.Volume) (Written, error) {
	const op = "stripe.Reencode"
	if err := checkVolume(op, dst, dv); err != nil {
		return Written{}, err
	}
	g := src.Geometry.With(dv.Scheme)
	if dst.Volume == 0 || dst.Seq == 0 || !g.Valid() {
		return Written{}, errs.Newf(op, errs.Invalid, "extent %s cannot become %s of scheme %s", src.Extent, dst, dv.Scheme)
	}
	coder, err := e.coder(g.Scheme)
	if err != nil {
		return Written{}, errs.New(op, errs.Internal, err)
	}
	src.Offset, src.Length, src.Opener = 0, src.Geometry.PlainBytes, nil
	rd := e.openReader(ctx, op, src, true)
	defer rd.Close() // Returns nil.
	p := &Pending{g: g, f: newFanout(ctx, e, op, wholeOrder(dst, dv, g))}
	line := pipeline{e: e, f: p.f, id: dst, g: g, coder: coder, crc: g.Overhead == 0, fill: rd.fill}
	if err = p.f.ready(); err == nil {
		err = line.run()
	}
	if err != nil {
		p.Discard(ctx)
		return Written{}, err
	}
	p.sums = line.sums
	p.f.finish()
	w, err := p.Wait()
	if err != nil {
		p.Discard(ctx)
	}
	return w, err
}

// fill copies the next package, for a pipeline.
func (r *reader) fill(_ int, payload []byte) error {
	p, err := r.next()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	copy(payload, p)
	return err
}
