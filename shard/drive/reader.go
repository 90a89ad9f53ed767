package drive

import (
	"context"
	"errors"
	"io"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
)

// ioBytes is the most that one read asks of the file system: a unit's frames.
const ioBytes = shard.UnitBlocks * shard.FrameBytes

// Stat implements shard.Store.
func (d *Drive) Stat(ctx context.Context, id shard.ID) (shard.Header, error) {
	const op = "drive.Stat"
	if err := d.enter(ctx, op); err != nil {
		return shard.Header{}, err
	}
	defer d.leave()
	l, err := d.find(op, id)
	return l.header, err
}

// find returns where the index has a shard. Errors: NotFound; Unavailable if the index cannot be read.
func (d *Drive) find(op string, id shard.ID) (location, error) {
	l, ok, err := d.index.get(id)
	switch {
	case err != nil:
		d.indexBroken(err)
		return location{}, errs.New(op, errs.Unavailable, err)
	case !ok:
		return location{}, errs.Newf(op, errs.NotFound, "shard %s", id)
	}
	return l, nil
}

// Open implements shard.Store. The result implements io.WriterTo.
func (d *Drive) Open(ctx context.Context, id shard.ID, span shard.Span) (io.ReadCloser, error) {
	const op = "drive.Open"
	l, s, err := d.hold(ctx, op, id)
	if err != nil {
		return nil, err
	}
	if n := l.header.FramedBytes(); span.Off < 0 || span.Len < 0 || span.Off > n || span.Len > n-span.Off {
		d.unhold(id, s)
		return nil, errs.Newf(op, errs.Invalid, "span %d+%d of a shard of %d bytes", span.Off, span.Len, n)
	}
	return &reader{ctx: ctx, d: d, id: id, seg: s,
		at: l.off + recordHeaderBytes + span.Off, left: span.Len}, nil
}

// hold finds a shard, keeps its record from being given back, and keeps its segment's file open. The
// caller must call unhold. Errors: those of find; NotFound if the segment is gone, and those of
// readError if its file cannot be opened.
func (d *Drive) hold(ctx context.Context, op string, id shard.ID) (location, *segment, error) {
	if err := d.enter(ctx, op); err != nil {
		return location{}, nil, err
	}
	defer d.leave()
	d.pin(id) // Before the index is asked: the record must not be given back in between (D6).
	l, err := d.find(op, id)
	if err != nil {
		d.unpin(id)
		return location{}, nil, err
	}
	d.mu.Lock()
	s := d.segments[l.seg]
	if s != nil {
		s.refs++
	}
	d.mu.Unlock()
	if s == nil {
		d.unpin(id)
		return location{}, nil, errs.Newf(op, errs.NotFound, "shard %s: its segment is gone", id)
	}
	if _, err := s.file.use(); err != nil {
		d.unpin(id)
		d.release(s)
		return location{}, nil, readError(op, err)
	}
	return l, s, nil
}

func (d *Drive) unhold(id shard.ID, s *segment) {
	s.file.rest()
	d.unpin(id)
	d.release(s)
}

// reader reads one span of a shard.
type reader struct {
	ctx  context.Context // Governs the reading, as shard.Store says.
	d    *Drive
	id   shard.ID
	seg  *segment // Nil once closed.
	at   int64
	left int64
}

var _ io.WriterTo = (*reader)(nil)

var errReaderClosed = errors.New("the reader is closed")

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	const op = "drive.Read"
	if err := r.ready(op); err != nil {
		return 0, err
	}
	if r.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), r.left)]
	n, err := r.seg.file.ReadAt(p, r.at)
	r.at += int64(n)
	r.left -= int64(n)
	if err != nil && n < len(p) {
		return n, readError(op, err)
	}
	return n, nil
}

func (r *reader) ready(op string) error {
	if r.seg == nil {
		return errs.New(op, errs.Invalid, errReaderClosed)
	}
	if err := r.ctx.Err(); err != nil {
		return errs.New(op, errs.Canceled, context.Cause(r.ctx))
	}
	if err := r.d.Failed(); err != nil {
		return errs.New(op, errs.Unavailable, err)
	}
	return nil
}

// readError returns the error of a failed read. It is Corrupt, whether the file is too short or the
// device cannot read: the bytes are lost, and writing the shard anew elsewhere is the cure. If the file
// cannot be opened, nothing is known of the bytes, so the error is Unavailable and nothing is repaired.
func readError(op string, err error) error {
	if errors.Is(err, errNotOpened) {
		return errs.New(op, errs.Unavailable, err)
	}
	return errs.New(op, errs.Corrupt, err)
}

// WriteTo implements io.WriterTo with a pooled buffer.
func (r *reader) WriteTo(w io.Writer) (n int64, err error) {
	if r.left == 0 {
		return 0, r.ready("drive.Read")
	}
	b := r.d.buffer()
	defer r.d.buffers.Put(b)
	for r.left > 0 {
		k, err := r.Read(b[:min(r.left, ioBytes)])
		if err != nil {
			return n, err
		}
		k, err = w.Write(b[:k])
		n += int64(k)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Close implements io.Closer.
func (r *reader) Close() error {
	if s := r.seg; s != nil {
		r.seg = nil
		r.d.unhold(r.id, s)
	}
	return nil
}

func (d *Drive) buffer() *[ioBytes]byte {
	if b, ok := d.buffers.Get().(*[ioBytes]byte); ok {
		return b
	}
	return new([ioBytes]byte)
}
