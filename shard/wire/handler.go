package wire

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/rpc"
	"github.com/cairnstore/cairn/shard"
)

// DefaultStallTimeout is how long a body may make no progress.
const DefaultStallTimeout = 20 * time.Second

// chunkBytes is how much is moved at once: the frames of a unit.
const chunkBytes = shard.UnitBlocks * shard.FrameBytes

// HandlerConfig is how a Handler behaves; zero values mean the defaults.
type HandlerConfig struct {
	StallTimeout time.Duration // DefaultStallTimeout.
}

// handler serves this node's drives to the others. It holds a buffer of
// chunkBytes for each body under way.
type handler struct {
	drives  func(cluster.DriveID) (shard.Store, error)
	stall   time.Duration
	buffers sync.Pool // *[chunkBytes]byte.
}

// NewHandler returns the handler of /shard/. drives returns a drive of this node, or the reason why
// there is none: NotFound, or Unavailable if it has failed.
func NewHandler(drives func(cluster.DriveID) (shard.Store, error), cfg HandlerConfig) http.Handler {
	if cfg.StallTimeout <= 0 {
		cfg.StallTimeout = DefaultStallTimeout
	}
	return &handler{drives: drives, stall: cfg.StallTimeout}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := rpc.WithDeadline(r)
	defer cancel()
	if err := h.serve(ctx, w, r); err != nil {
		var cut *cutError
		if errors.As(err, &cut) {
			panic(http.ErrAbortHandler) // The answer has begun, so only a broken connection can tell the peer.
		}
		rpc.WriteError(w, err)
	}
}

// cutError is a failure after the first byte of the answer.
type cutError struct{ error }

func (h *handler) serve(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	const op = "wire.Handler"
	id, sid, del, err := parsePath(r.URL.Path)
	if err != nil {
		return errs.New(op, errs.Invalid, err)
	}
	store, err := h.drives(id)
	if err != nil {
		return err
	}
	switch {
	case del && r.Method == http.MethodPost:
		return h.delete(ctx, store, w, r)
	case del:
	case r.Method == http.MethodPut:
		return h.put(ctx, store, sid, w, r)
	case r.Method == http.MethodGet:
		return h.get(ctx, store, sid, w, r)
	case r.Method == http.MethodHead:
		return h.head(ctx, store, sid, w)
	}
	return errs.Newf(op, errs.Invalid, "there is no %s of this path", r.Method)
}

func (h *handler) put(ctx context.Context, store shard.Store, id shard.ID, w http.ResponseWriter, r *http.Request) error {
	const op = "wire.Put"
	head, err := decodeHeader(id, r.Header.Get(shardHeader))
	if err != nil {
		return errs.New(op, errs.Invalid, err)
	}
	if r.ContentLength != head.FramedBytes() {
		return errs.Newf(op, errs.Invalid, "the body has %d bytes, the header says %d", r.ContentLength, head.FramedBytes())
	}
	sw, err := store.Create(ctx, head)
	if err != nil {
		return err
	}
	defer sw.Abort()
	if err := h.receive(sw, head, http.NewResponseController(w), r.Body); err != nil {
		return err
	}
	if err := sw.Commit(ctx); err != nil {
		return err
	}
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

// receive moves the frames of the body to sw, whole frames at a time.
func (h *handler) receive(sw shard.Writer, head shard.Header, rc *http.ResponseController, body io.Reader) error {
	const op = "wire.Put"
	buf := h.buffer()
	defer h.buffers.Put(buf)
	for block := 0; block < head.Blocks(); {
		n := int64(0)
		for block < head.Blocks() && n+head.BlockSpan(block).Len <= chunkBytes {
			n += head.BlockSpan(block).Len
			block++
		}
		if err := h.readChunk(rc, body, buf[:n]); err != nil {
			return errs.New(op, errs.Unavailable, err)
		}
		if _, err := sw.Write(buf[:n]); err != nil {
			return err
		}
	}
	// From here on the server itself watches the connection for its end.
	return setDeadline(op, rc.SetReadDeadline, time.Time{})
}

// readChunk fills p. Each read that brings something starts the clock anew.
func (h *handler) readChunk(rc *http.ResponseController, body io.Reader, p []byte) error {
	for got := 0; got < len(p); {
		if err := setDeadline("wire.Put", rc.SetReadDeadline, time.Now().Add(h.stall)); err != nil {
			return err
		}
		n, err := io.ReadAtLeast(body, p[got:], min(len(p)-got, progressBytes))
		got += n
		if err != nil {
			return err
		}
	}
	return nil
}

// progressBytes is how much must move within StallTimeout.
const progressBytes = 64 << 10

// setDeadline sets a deadline if the connection has deadlines.
func setDeadline(op string, set func(time.Time) error, at time.Time) error {
	if err := set(at); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return errs.New(op, errs.Unavailable, err)
	}
	return nil
}

func (h *handler) get(ctx context.Context, store shard.Store, id shard.ID, w http.ResponseWriter, r *http.Request) error {
	const op = "wire.Get"
	span, err := decodeSpan(r.URL.RawQuery)
	if err != nil {
		return errs.New(op, errs.Invalid, err)
	}
	body, err := store.Open(ctx, id, span)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	head := w.Header()
	head.Set("Content-Type", "application/octet-stream")
	head.Set("Content-Length", strconv.FormatInt(span.Len, 10))
	w.WriteHeader(http.StatusOK)
	out := &stallWriter{w: w, rc: http.NewResponseController(w), stall: h.stall}
	n, err := h.send(out, body)
	if err != nil || n != span.Len {
		return &cutError{errors.Join(err, io.ErrUnexpectedEOF)}
	}
	return setDeadline(op, out.rc.SetWriteDeadline, time.Time{})
}

// send copies a span. It uses the reader's own buffer if that has one, as a drive's has.
func (h *handler) send(w io.Writer, body io.Reader) (int64, error) {
	if wt, ok := body.(io.WriterTo); ok {
		return wt.WriteTo(w)
	}
	buf := h.buffer()
	defer h.buffers.Put(buf)
	return io.CopyBuffer(w, body, buf[:])
}

// stallWriter gives every write a deadline.
type stallWriter struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	stall time.Duration
}

func (s *stallWriter) Write(p []byte) (n int, err error) {
	for n < len(p) {
		if err := setDeadline("wire.Get", s.rc.SetWriteDeadline, time.Now().Add(s.stall)); err != nil {
			return n, err
		}
		k, err := s.w.Write(p[n:min(n+chunkBytes, len(p))])
		n += k
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (h *handler) head(ctx context.Context, store shard.Store, id shard.ID, w http.ResponseWriter) error {
	head, err := store.Stat(ctx, id)
	if err != nil {
		return err
	}
	w.Header().Set(shardHeader, encodeHeader(head))
	w.WriteHeader(http.StatusOK)
	return nil
}

func (h *handler) delete(ctx context.Context, store shard.Store, w http.ResponseWriter, r *http.Request) error {
	const op = "wire.Delete"
	if r.ContentLength < 0 || r.ContentLength > deleteMaxBody {
		return errs.Newf(op, errs.Invalid, "a list of %d bytes; at most %d ids at once", r.ContentLength, deleteIDs)
	}
	b := make([]byte, r.ContentLength)
	rc := http.NewResponseController(w)
	if err := h.readChunk(rc, r.Body, b); err != nil {
		return errs.New(op, errs.Unavailable, err)
	}
	if err := setDeadline(op, rc.SetReadDeadline, time.Time{}); err != nil {
		return err
	}
	ids, err := decodeIDs(b)
	if err != nil {
		return errs.New(op, errs.Invalid, err)
	}
	if err := store.Delete(ctx, ids); err != nil {
		return err
	}
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

func (h *handler) buffer() *[chunkBytes]byte {
	if b, ok := h.buffers.Get().(*[chunkBytes]byte); ok {
		return b
	}
	return new([chunkBytes]byte)
}
