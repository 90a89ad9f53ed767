package stripe

import (
	"context"
	"io"
	"time"

	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/buf"
)

// stream fetches a run of a shard's blocks with one request and checks each. Its goroutine runs
// ahead of the reader, by what ch holds and one unit more.
type stream struct {
	slot   int
	run    shardRows
	ch     chan piece
	opened time.Time

	// The reader's side.
	head     piece // A piece of a later stripe that was received too early, if early is set.
	early    bool
	next     int  // The stripe it gives next.
	progress bool // It has given something.
}

// aheadPieces is the capacity of stream.ch. Three more units are in memory: the one that the reader
// works on, the one that it has received early (head), and the one that is being filled. Together
// they are WindowStripes.
const aheadPieces = WindowStripes - 3

// piece is what a stream gives of one stripe: rows of a unit that were checked, or an error, after
// which nothing comes.
type piece struct {
	stripe, lo, hi int // Rows lo to hi, hi not included.
	buf            *buf.Buf
	bad            uint8 // Rows whose checksum is wrong, as bits.
	err            error
}

// covers reports whether a row of a stripe belongs to the run.
func (r shardRows) covers(stripe, row int) bool {
	at := stripe*shard.UnitBlocks + row
	return at >= r.from && at < r.to
}

// fetcher is what streams of one reader have in common.
type fetcher struct {
	e    *Engine
	id   shard.ExtentID
	v    *shard.Volume
	g    Geometry
	wake chan struct{} // Poked when a piece is there.
}

// start runs a stream. It ends with its run, with an error, or with ctx. When ctx ends, the
// goroutine releases what nobody has received.
func (f *fetcher) start(ctx context.Context, slot int, run shardRows) *stream {
	st := &stream{
		slot: slot, run: run, next: run.from / shard.UnitBlocks,
		ch: make(chan piece, aheadPieces), opened: time.Now(),
	}
	end := f.e.busy.begin(f.v.Slots[slot]) // Not in the goroutine: other readers choose their slots now.
	err := f.e.tasks.start(func() {
		if err := f.fetch(ctx, st, end); err != nil {
			f.give(ctx, st, piece{err: err})
		}
		if ctx.Err() != nil {
			st.drain()
		}
	})
	if err != nil {
		end(false)
		f.give(ctx, st, piece{err: err}) // The channel is empty: it does not block.
	}
	return st
}

// drain releases what waits in the channel. The reader calls it after it has ended the context, and
// the goroutine when it sees that the context has ended, so nothing stays.
func (st *stream) drain() {
	for {
		select {
		case p := <-st.ch:
			p.release()
		default:
			return
		}
	}
}

func (p piece) release() {
	if p.buf != nil {
		p.buf.Release()
	}
}

// give hands a piece to the reader. It returns false if the reader has gone.
func (f *fetcher) give(ctx context.Context, st *stream, p piece) bool {
	select {
	case st.ch <- p:
	case <-ctx.Done():
		p.release()
		return false
	}
	select {
	case f.wake <- struct{}{}:
	default:
	}
	return true
}

// fetch gives the run unit by unit. It calls end when the first unit has come, or will not come.
func (f *fetcher) fetch(ctx context.Context, st *stream, end func(came bool)) error {
	defer func() { end(false) }()
	id, d := shard.ID{Extent: f.id, Slot: uint8(st.slot)}, f.v.Slots[st.slot]
	store, err := f.e.stores(d)
	if err != nil {
		return err
	}
	body, err := store.Open(ctx, id, st.run.span(f.g.Header(id, f.v.Epoch)))
	if err != nil {
		return err
	}
	defer body.Close() // Of reading: nothing to lose.
	for at := st.run.from; ; {
		p, err := f.fetchUnit(body, id, at, st.run.to)
		if err != nil {
			return err
		}
		end(true)
		end = func(bool) {}
		if at = p.stripe*shard.UnitBlocks + p.hi; !f.give(ctx, st, p) || at >= st.run.to {
			return nil
		}
		end = f.e.busy.begin(d)
	}
}

// fetchUnit reads the blocks from at to the end of its unit, or to to.
func (f *fetcher) fetchUnit(body io.Reader, id shard.ID, at, to int) (piece, error) {
	p := piece{stripe: at / shard.UnitBlocks, lo: at % shard.UnitBlocks}
	p.hi = min(f.g.Rows(p.stripe), to-p.stripe*shard.UnitBlocks)
	payload := f.g.Payload(p.stripe)
	p.buf = f.e.pool.Get((p.hi - p.lo) * (payload + shard.CRCBytes))
	if _, err := io.ReadFull(body, p.buf.Bytes()); err != nil {
		p.buf.Release()
		return piece{}, err
	}
	for row := p.lo; row < p.hi; row++ {
		if !shard.CheckFrame(id, p.stripe*shard.UnitBlocks+row, frameOf(p.buf, row-p.lo, payload)) {
			p.bad |= 1 << row
		}
	}
	return p, nil
}
