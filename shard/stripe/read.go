package stripe

import (
	"context"
	"io"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
)

// ReadRequest says what to read.
type ReadRequest struct {
	Extent         shard.ExtentID
	Volume         *shard.Volume
	Geometry       Geometry
	Offset, Length int64
	Opener         Opener        // Nil: plain.
	Known          shard.SlotSet // Slots that are said to be missing. They are asked last.
}

// WriteTo sends exactly the plaintext [Offset, Offset+Length), verified and in order, and returns
// how many bytes w took. These are right, also after an error. Errors: w's own, unchanged;
// Unavailable if too few slots can be reached; Corrupt if all can be reached and too few blocks are
// good, or if a block does not open; Canceled; Invalid.
func (e *Engine) WriteTo(ctx context.Context, w io.Writer, r ReadRequest) (int64, error) {
	rd := e.newReader(ctx, r)
	defer rd.Close() // Returns nil.
	return rd.WriteTo(w)
}

// NewReader returns a reader of the same bytes, which fetches ahead. It is an io.WriterTo as well.
// It belongs to one goroutine, which closes it.
func (e *Engine) NewReader(ctx context.Context, r ReadRequest) io.ReadCloser {
	return e.newReader(ctx, r)
}

// reader reads a range of an extent block by block.
type reader struct {
	*gatherer                 // Nil where there is nothing to read.
	ctx       context.Context // That of the caller, for as long as the reader lives.
	cancel    context.CancelFunc

	opener      Opener
	raw         bool  // It gives whole packages as they are stored.
	block, last int   // The next block, and the last one.
	off, end    int64 // Plaintext range.

	rest []byte // What Read has not given yet of the block that it is in.
	err  error  // Read returns it from now on.
}

func (e *Engine) newReader(ctx context.Context, q ReadRequest) *reader {
	const op = "stripe.Read"
	overhead := 0
	if q.Opener != nil {
		overhead = q.Opener.Overhead()
	}
	if overhead != q.Geometry.Overhead {
		return &reader{err: errs.Newf(op, errs.Invalid,
			"extent %s is sealed with %d bytes a block, its opener takes %d", q.Extent, q.Geometry.Overhead, overhead)}
	}
	rd := e.openReader(ctx, op, q, false)
	return rd
}

// openReader starts reading. A raw reader gives whole packages.
func (e *Engine) openReader(ctx context.Context, op string, q ReadRequest, raw bool) *reader {
	if q.Offset < 0 || q.Length < 0 || q.Length > q.Geometry.PlainBytes || q.Offset > q.Geometry.PlainBytes-q.Length {
		return &reader{err: errs.Newf(op, errs.Invalid, "extent %s has %d bytes, not %d at %d",
			q.Extent, q.Geometry.PlainBytes, q.Length, q.Offset)}
	}
	g, err := newGatherer(e, op, q.Extent, q.Volume, q.Geometry)
	if err != nil {
		return &reader{err: err}
	}
	if q.Length == 0 {
		return &reader{err: io.EOF}
	}
	rd := &reader{gatherer: g, opener: q.Opener, raw: raw, off: q.Offset, end: q.Offset + q.Length}
	rd.block, rd.last = q.Geometry.BlockOf(rd.off), q.Geometry.BlockOf(rd.end-1)
	rd.ctx, rd.cancel = context.WithCancel(ctx)
	g.wipe = q.Opener != nil
	for slot := range g.slots {
		g.slots[slot].known = q.Known.Has(slot)
		if slot < int(q.Geometry.Scheme.K) {
			g.slots[slot].want = q.Geometry.rangeRows(slot, rd.block, rd.last)
		}
	}
	g.begin(rd.ctx)
	return rd
}

// next returns the plaintext of the next block that lies in the range, or its package if the reader
// is raw. It is valid until the next call.
func (r *reader) next() ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	if r.block > r.last {
		r.err = io.EOF
		return nil, r.err
	}
	p, err := r.read(r.block)
	if err != nil {
		r.err = err
		return nil, err
	}
	r.block++
	return p, nil
}

func (r *reader) read(block int) ([]byte, error) {
	at := r.g.Locate(block)
	if at.Stripe != r.stripe {
		if err := r.gather(r.ctx, at.Stripe); err != nil {
			return nil, err
		}
	}
	n := r.g.BlockPlain(block)
	data := r.slots[at.Unit].frames[at.Row][:n+r.g.Overhead]
	if r.raw {
		return data, nil
	}
	if r.opener != nil {
		plain, err := r.opener.Open(data, block)
		if err != nil {
			return nil, errs.Wrap(r.op, err)
		}
		if len(plain) != n {
			return nil, errs.Newf(r.op, errs.Internal, "extent %s: block %d opened to %d bytes, not %d", r.id, block, len(plain), n)
		}
		data = plain
	}
	first := r.g.BlockOffset(block)
	return data[max(r.off-first, 0):min(r.end-first, int64(n))], nil
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(r.rest) == 0 {
		var err error
		if r.rest, err = r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// WriteTo implements io.WriterTo.
func (r *reader) WriteTo(w io.Writer) (total int64, err error) {
	for p := r.rest; ; {
		if len(p) > 0 {
			n, err := w.Write(p)
			total += int64(n)
			r.rest = p[n:]
			if err == nil && n < len(p) {
				err = io.ErrShortWrite
			}
			if err != nil {
				return total, err
			}
		}
		switch p, err = r.next(); err {
		case nil:
		case io.EOF:
			return total, nil
		default:
			return total, err
		}
	}
}

// Close implements io.Closer; it ends what is still being fetched.
func (r *reader) Close() error {
	if r.gatherer == nil {
		return nil
	}
	r.cancel()
	r.rest, r.err = nil, errs.Newf(r.op, errs.Invalid, "extent %s: read after close", r.id)
	r.gatherer.close()
	return nil
}
