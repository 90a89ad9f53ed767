package stripe

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"strings"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
)

// reconstruct computes the wanted blocks that their slots do not give, in those of the given rows
// that have k blocks. It returns the other rows.
func (r *gatherer) reconstruct(lost rowSet) (left rowSet, err error) {
	done := 0
	for row := range r.rows {
		bit := rowSet(1) << row
		if lost&bit == 0 {
			continue
		}
		if r.present(bit) < int(r.g.Scheme.K) {
			left |= bit
			continue
		}
		n, err := r.reconstructRow(row)
		if err != nil {
			return 0, errs.Newf(r.op, errs.Internal, "extent %s: %w", r.id, err)
		}
		done += n
	}
	if done > 0 && r.e.events.Reconstructed != nil {
		r.e.events.Reconstructed(r.id, done)
	}
	return left, nil
}

// present counts the slots that have a row.
func (r *gatherer) present(bit rowSet) (n int) {
	for i := range r.slots {
		if r.slots[i].have&bit != 0 {
			n++
		}
	}
	return n
}

func (r *gatherer) reconstructRow(row int) (n int, err error) {
	bit := rowSet(1) << row
	for i := range r.slots {
		v := &r.slots[i]
		r.shards[i], r.needed[i] = nil, false
		switch {
		case v.have&bit != 0:
			r.shards[i] = v.frames[row]
		case r.wanted(v)&bit != 0:
			if v.made == nil {
				v.made = r.e.pool.Get(r.g.UnitBytes(r.stripe))
			}
			r.shards[i] = frameOf(v.made, row, r.payload)[:0:r.payload]
			r.needed[i] = true
			n++
		}
	}
	if err := r.coder.ReconstructSome(r.shards, r.needed); err != nil {
		return 0, err
	}
	for i := range r.slots {
		if r.needed[i] {
			r.slots[i].frames[row] = r.shards[i]
			r.slots[i].have |= bit
		}
	}
	return n, nil
}

// ask makes sure that each of the rows will have k blocks. It opens more slots if it must.
func (r *gatherer) ask(ctx context.Context, rows rowSet) error {
	lo, hi := bits.TrailingZeros8(rows), bits.Len8(rows)
	for row := lo; row < hi; row++ {
		for rows&(1<<row) != 0 && r.expected(row) < int(r.g.Scheme.K) {
			slot, ok := r.candidate(row)
			if ok {
				r.open(ctx, slot, r.sourceRun(slot, lo, hi))
				continue
			}
			if r.expectedSlow(row) < int(r.g.Scheme.K) {
				if ctx.Err() != nil { // The streams failed because the context ended.
					return errs.New(r.op, errs.Canceled, context.Cause(ctx))
				}
				return r.lostError(row)
			}
			break // The slots that are slow have to do.
		}
	}
	return nil
}

// expected counts the slots that have a row, or will have it soon.
func (r *gatherer) expected(row int) (n int) {
	for slot := range r.slots {
		v := &r.slots[slot]
		if v.have&(1<<row) != 0 || (!v.slow && r.pending(slot, row)) {
			n++
		}
	}
	return n
}

// expectedSlow counts slow slots too.
func (r *gatherer) expectedSlow(row int) (n int) {
	for slot := range r.slots {
		if r.slots[slot].have&(1<<row) != 0 || r.pending(slot, row) {
			n++
		}
	}
	return n
}

// candidate returns the best slot to ask for a row: parity first, because no other reader reads it;
// then data; then slow slots; then those said to be missing. Of several equal ones it is the one
// whose drive is the least busy. A rebuild is in no hurry and moves much, so for it the least busy
// drive comes first, parity or not.
func (r *gatherer) candidate(row int) (slot int, ok bool) {
	const none = 4
	best, least, k := none, 0, int(r.g.Scheme.K)
	rebuilds := false
	for i := range r.slots {
		rebuilds = rebuilds || r.slots[i].rebuilt
	}
	for i := range r.slots {
		v := &r.slots[i]
		if v.failed || v.rebuilt || (v.have|v.bad)&(1<<row) != 0 || r.pending(i, row) {
			continue
		}
		rank, busy := 0, 2*r.e.busy.of(r.v.Slots[i])
		switch {
		case v.known:
			rank = 3
		case v.slow:
			rank = 2
		case i < k && rebuilds:
			busy++ // If drives are equally busy, parity wins.
		case i < k:
			rank = 1
		}
		if rank < best || rank == best && busy < least {
			best, least, slot = rank, busy, i
		}
	}
	return slot, best < none
}

// sourceRun returns which blocks to ask of a slot that stands in for others in rows lo to hi of the
// stripe at hand. These are all that the others lack from there on, unless the slot is being read
// further on anyway, or only single blocks are bad.
func (r *gatherer) sourceRun(slot, lo, hi int) shardRows {
	base := r.stripe * shard.UnitBlocks
	run := shardRows{base + lo, base + hi}
	for _, st := range r.streams {
		if st.slot == slot && st.run.to > base+r.rows {
			return run
		}
	}
	for i := range r.slots {
		if v := &r.slots[i]; v.standIn() && !v.want.empty() {
			run.to = max(run.to, v.want.to)
		}
	}
	return run
}

// lostError returns the error of a row that cannot be had: Unavailable if a slot that cannot be
// reached might have it, else Corrupt.
func (r *gatherer) lostError(row int) error {
	kind, away, gone := errs.Corrupt, 0, 0
	var why error
	for i := range r.slots {
		switch v := &r.slots[i]; {
		case v.away != nil:
			away, why = away+1, errors.Join(why, v.away)
			kind = errs.Unavailable
		case v.failed || v.bad&(1<<row) != 0:
			gone++
		}
	}
	err := fmt.Errorf("extent %s: stripe %d: of %d slots %d are away and %d have lost their shard or block; %d are needed",
		r.id, r.stripe, len(r.slots), away, gone, r.g.Scheme.K)
	if why != nil {
		err = fmt.Errorf("%w (%v)", err, strings.ReplaceAll(why.Error(), "\n", "; "))
	}
	return errs.New(r.op, kind, err)
}
