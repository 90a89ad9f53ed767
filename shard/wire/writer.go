package wire

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
)

// heldBytes is how much of a shard's end is kept back until Commit, because the peer commits as
// soon as it has all: one TLS record. Nothing else is copied.
const heldBytes = 16 << 10

// writer streams one shard as the body of a PUT.
type writer struct {
	s      remote
	h      shard.Header
	feed   *feed
	cancel context.CancelCauseFunc
	timer  *time.Timer

	done   chan struct{} // Closed when the request has ended,
	result error         // with this outcome.

	block  int   // The next one.
	sent   int64 // Bytes given to the feed.
	total  int64
	held   *[heldBytes]byte
	nheld  int
	failed error
	ended  bool
}

var (
	errEnded      = errors.New("the writer has ended")
	errIncomplete = errors.New("frames are missing")
	errTooMuch    = errors.New("more frames than the header says")
	errPart       = errors.New("a part of a frame")
	errEarly      = errors.New("the peer answered before it had all frames")
)

// Create implements shard.Store. It returns when there is a connection. The request does not end
// with ctx, but with Commit or Abort, or when it fails.
func (s remote) Create(ctx context.Context, h shard.Header) (shard.Writer, error) {
	const op = "wire.Create"
	if err := ctx.Err(); err != nil {
		return nil, errs.New(op, errs.Canceled, context.Cause(ctx))
	}
	if !h.Valid() {
		return nil, errs.Newf(op, errs.Invalid, "header of shard %s describes no shard", h.ID)
	}
	w := &writer{s: s, h: h, feed: newFeed(), total: h.FramedBytes(),
		done: make(chan struct{}), timer: time.NewTimer(s.c.stall)}
	reqCtx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	w.cancel = cancel
	body, err := w.feed.body()
	if err != nil {
		return nil, errs.New(op, errs.Internal, err)
	}
	req, err := s.request(reqCtx, op, http.MethodPut, shardPath(s.drive, h.ID), "", nil)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	req.Header.Set(shardHeader, encodeHeader(h))
	req.Body, req.GetBody, req.ContentLength = body, w.feed.body, w.total
	go w.run(req)
	if err := w.await(op, w.feed.begun, ctx.Done()); err != nil {
		w.Abort()
		return nil, err
	}
	return w, nil
}

// run sends the request. It closes done at the end, for which Commit and Abort wait.
func (w *writer) run(req *http.Request) {
	defer close(w.done)
	const op = "wire.Write"
	resp, err := w.s.c.http.Do(req)
	if err = answer(req.Context(), op, resp, err); err == nil {
		err = resp.Body.Close()
		if !w.feed.finished() {
			err = errs.New(op, errs.Unavailable, errEarly)
		}
	}
	w.result = err
	w.feed.fail(err)
}

// await waits for c. It fails if the request ends before, if gone is closed, or if nothing happens
// for the client's StallTimeout.
func (w *writer) await(op string, c, gone <-chan struct{}) error {
	w.timer.Reset(w.s.c.stall)
	defer w.timer.Stop()
	select {
	case <-c:
		return nil
	case <-w.done:
		return errs.Wrap(op, w.result)
	case <-gone:
		return errs.New(op, errs.Canceled, context.Canceled)
	case <-w.timer.C:
		w.cancel(errStalled)
		return errs.New(op, errs.Unavailable, errStalled)
	}
}

// Write implements shard.Writer. The peer's drive checks the checksums of the frames, so a later
// Write or Commit may return its refusal.
func (w *writer) Write(p []byte) (int, error) {
	const op = "wire.Write"
	switch {
	case w.ended:
		return 0, errs.New(op, errs.Invalid, errEnded)
	case w.failed != nil:
		return 0, w.failed
	}
	if err := w.advance(len(p)); err != nil {
		return 0, errs.New(op, errs.Invalid, err)
	}
	n := 0
	for free := w.total - heldBytes - w.sent; n < len(p) && free > 0; free = w.total - heldBytes - w.sent {
		k := int(min(int64(len(p)-n), free, chunkBytes))
		if err := w.pass(op, p[n:n+k]); err != nil {
			w.failed = err
			return n, err
		}
		n += k
	}
	w.hold(p[n:])
	return len(p), nil
}

// advance moves block over n bytes of whole frames.
func (w *writer) advance(n int) error {
	block := w.block
	for left := int64(n); left > 0; block++ {
		if block >= w.h.Blocks() {
			return errTooMuch
		}
		if left -= w.h.BlockSpan(block).Len; left < 0 {
			return errPart
		}
	}
	w.block = block
	return nil
}

func (w *writer) hold(p []byte) {
	if len(p) == 0 {
		return
	}
	if w.held == nil {
		var ok bool
		if w.held, ok = w.s.c.held.Get().(*[heldBytes]byte); !ok {
			w.held = new([heldBytes]byte)
		}
	}
	w.nheld += copy(w.held[w.nheld:], p)
}

// pass lends p to the transport until it has been read.
func (w *writer) pass(op string, p []byte) error {
	w.feed.lend(p, false)
	for {
		if err := w.await(op, w.feed.taken, nil); err != nil {
			w.feed.fail(err)
			return err
		}
		if w.feed.takeBack() { // Else the body had to begin anew meanwhile.
			w.sent += int64(len(p))
			return nil
		}
	}
}

// Commit implements shard.Writer.
func (w *writer) Commit(ctx context.Context) error {
	const op = "wire.Commit"
	if w.ended {
		return errs.New(op, errs.Invalid, errEnded)
	}
	defer w.Abort()
	switch {
	case w.failed != nil:
		return w.failed
	case w.block != w.h.Blocks():
		return errs.New(op, errs.Invalid, errIncomplete)
	}
	// Nothing is taken back before the answer is there: until then the body may have to begin anew.
	w.feed.lend(w.held[:w.nheld], true)
	err := w.await(op, w.done, ctx.Done())
	select {
	case <-w.done:
		return errs.Wrap(op, w.result)
	default:
	}
	if ctx.Err() != nil { // The peer may have all frames.
		return errs.New(op, errs.Unknown, context.Cause(ctx))
	}
	return err
}

// Abort implements shard.Writer. It waits until the request has ended.
func (w *writer) Abort() {
	if w.ended {
		return
	}
	w.ended = true
	w.feed.fail(errEnded)
	w.cancel(errEnded)
	<-w.done
	w.timer.Stop()
	if w.held != nil {
		w.s.c.held.Put(w.held)
		w.held = nil
	}
}
