package drive

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
)

// writebackBytes is how much of a shard is written before the kernel is asked to start on it.
const writebackBytes = 1 << 20

// writer is a reservation being filled.
type writer struct {
	d     *Drive
	seg   *segment // One reference is held until the writer ends.
	rec   record
	block int   // The next block.
	at    int64 // Where it goes in the segment.
	begun int64 // Up to where writeback has been started.
	state writerState
}

type writerState uint8

const (
	writerOpen   writerState = iota
	writerFailed             // Only Abort is left.
	writerEnded
)

var (
	errWriterEnded = errors.New("the writer has ended")
	errTooMuch     = errors.New("more frames than the header says")
)

// Create implements shard.Store.
func (d *Drive) Create(ctx context.Context, h shard.Header) (shard.Writer, error) {
	const op = "drive.Create"
	if !h.Valid() {
		return nil, errs.Newf(op, errs.Invalid, "header of shard %s describes no shard", h.ID)
	}
	if err := d.enter(ctx, op); err != nil {
		return nil, err
	}
	defer d.leave()
	if d.index.full.Load() || !d.space.take(recordBytes(h)) {
		return nil, errs.Newf(op, errs.NoSpace, "drive %s has no room for %d bytes above its reserve", d.id, recordBytes(h))
	}
	if err := d.take(ctx, op, d.appending); err != nil {
		return nil, err
	}
	defer d.appending.release()
	w, err := d.reserve(h)
	if err != nil {
		return nil, d.failWrite(op, err)
	}
	return w, nil
}

// reserve takes room in the active segment and writes the record's header before anything after it can
// be reserved (D1). The caller must have d.appending.
func (d *Drive) reserve(h shard.Header) (*writer, error) {
	n := recordBytes(h)
	if s := d.active; s == nil || s.end+n > d.o.SegmentBytes && s.end > dataOffset {
		if err := d.roll(); err != nil {
			return nil, err
		}
	}
	s := d.active
	if err := s.preallocate(s.end+n, d.o.SegmentBytes); err != nil {
		return nil, err
	}
	w := &writer{d: d, seg: s, rec: record{header: h, writtenMS: nowMS()}}
	d.mu.Lock()
	w.rec.settled = s.settledLocked()
	w.rec.off = s.end
	s.end += n
	s.unfinished = append(s.unfinished, w.rec.off)
	s.refs++
	d.used += n
	d.mu.Unlock()
	w.at, w.begun = w.rec.framesOff(), w.rec.off

	var b [recordHeaderBytes]byte
	w.rec.encode(&b, s.secret)
	if _, err := s.file.WriteAt(b[:], w.rec.off); err != nil {
		d.abandon(w)
		return nil, err
	}
	return w, nil
}

// Write implements shard.Writer. It copies nothing: vfs.File may change the bytes that its Write is
// given, but not those that its WriteAt is given.
func (w *writer) Write(p []byte) (int, error) {
	const op = "drive.Write"
	if w.state != writerOpen {
		return 0, errs.New(op, errs.Invalid, errWriterEnded)
	}
	if err := w.d.Failed(); err != nil {
		return 0, errs.New(op, errs.Unavailable, err)
	}
	block, err := w.check(p)
	if err != nil {
		return 0, err
	}
	n, err := w.seg.file.WriteAt(p, w.at)
	if err != nil {
		w.state = writerFailed
		return n, w.d.failWrite(op, err)
	}
	w.block, w.at = block, w.at+int64(n)
	if w.at-w.begun >= writebackBytes {
		_ = w.seg.file.change("writeback", func(f vfs.File) error {
			startWriteback(f, w.begun, w.at-w.begun)
			return nil
		})
		w.begun = w.at
	}
	return n, nil
}

// check verifies the frames of p and returns the block after them. Errors: Invalid if p is not whole
// frames, or more than the header says; Corrupt if a frame is damaged.
func (w *writer) check(p []byte) (int, error) {
	const op = "drive.Write"
	h := &w.rec.header
	block := w.block
	for len(p) > 0 {
		if block >= h.Blocks() {
			return 0, errs.New(op, errs.Invalid, errTooMuch)
		}
		n := h.BlockSpan(block).Len
		if int64(len(p)) < n {
			return 0, errs.Newf(op, errs.Invalid, "%d bytes where frame %d has %d", len(p), block, n)
		}
		if !shard.CheckFrame(h.ID, block, p[:n]) {
			return 0, errs.Newf(op, errs.Corrupt, "shard %s block %d arrived damaged", h.ID, block)
		}
		p = p[n:]
		block++
	}
	return block, nil
}

// Commit implements shard.Writer. If ctx ends while the sync is waited for, the outcome is Unknown: the
// shard becomes durable all the same unless the drive fails.
func (w *writer) Commit(ctx context.Context) error {
	const op = "drive.Commit"
	if w.state == writerEnded {
		return errs.New(op, errs.Invalid, errWriterEnded)
	}
	err := w.finish(ctx)
	if err != nil {
		w.Abort()
		return err
	}
	w.state = writerEnded
	done := make(chan error, 1) // With room for the answer, because the committer must never wait.
	if !w.d.commits.add(commit{w: w, done: done}) {
		// The record is not abandoned: it has a footer, so only a sync may settle it (D3).
		w.d.release(w.seg)
		return errs.New(op, errs.Unavailable, errClosed)
	}
	select {
	case err := <-done:
		return err
	case <-w.d.fenced: // The sync may hang.
		return errs.New(op, errs.Unavailable, w.d.Failed())
	case <-ctx.Done():
		return errs.New(op, errs.Unknown, context.Cause(ctx))
	}
}

// finish writes the footer, which says that all frames are there (D2).
func (w *writer) finish(ctx context.Context) error {
	const op = "drive.Commit"
	h := &w.rec.header
	switch {
	case w.state != writerOpen:
		return errs.Newf(op, errs.Invalid, "a write of shard %s failed", h.ID)
	case w.block != h.Blocks():
		return errs.Newf(op, errs.Invalid, "shard %s has %d of %d blocks", h.ID, w.block, h.Blocks())
	case ctx.Err() != nil:
		return errs.New(op, errs.Canceled, context.Cause(ctx))
	}
	if err := w.d.Failed(); err != nil {
		return errs.New(op, errs.Unavailable, err)
	}
	var b [footerBytes]byte
	w.rec.encodeFooter(&b, w.seg.secret)
	if _, err := w.seg.file.WriteAt(b[:], w.rec.footerOff()); err != nil {
		return w.d.failWrite(op, err)
	}
	return nil
}

// Abort implements shard.Writer.
func (w *writer) Abort() {
	if w.state == writerEnded {
		return
	}
	w.state = writerEnded
	w.d.abandon(w)
}

// abandon ends the reservation of an unfinished record and gives its room back.
func (d *Drive) abandon(w *writer) {
	r := deadRecord{seg: w.seg, off: w.rec.off, n: w.rec.bytes()}
	d.mu.Lock()
	w.seg.refs++
	w.seg.finishLocked(w.rec.off)
	d.used -= r.n
	d.mu.Unlock()
	d.giveBack(r)
	d.release(w.seg)
}

func (l location) dead(s *segment) deadRecord {
	return deadRecord{seg: s, off: l.off, n: l.bytes()}
}

func (w *writer) location() location {
	return location{seg: w.seg.number, off: w.rec.off, header: w.rec.header, writtenMS: w.rec.writtenMS}
}
