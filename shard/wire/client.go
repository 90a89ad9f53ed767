package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/rpc"
	"github.com/cairnstore/cairn/shard"
)

// ClientConfig is how a Client behaves; zero values mean the defaults.
type ClientConfig struct {
	StallTimeout time.Duration // How long an operation may make no progress: DefaultStallTimeout.
}

// Client reaches the drives of other nodes.
type Client struct {
	http  *http.Client
	addr  func(cluster.DriveID) (string, error)
	stall time.Duration
	held  sync.Pool // *[heldBytes]byte.
}

// NewClient returns a client that sends its requests with hc (HTTP/1.1; see
// rpc.NewHTTPClient). addr returns the host:port of the node that holds a drive.
func NewClient(hc *http.Client, addr func(cluster.DriveID) (string, error), cfg ClientConfig) *Client {
	if cfg.StallTimeout <= 0 {
		cfg.StallTimeout = DefaultStallTimeout
	}
	return &Client{http: hc, addr: addr, stall: cfg.StallTimeout}
}

// Store returns the store of one drive. It sends nothing.
func (c *Client) Store(id cluster.DriveID) shard.Store { return remote{c, id} }

// remote is one drive of another node.
type remote struct {
	c     *Client
	drive cluster.DriveID
}

var _ shard.Store = remote{}

var errStalled = errors.New("the peer made no progress for too long")

// request returns a request to the node that holds the drive.
func (s remote) request(ctx context.Context, op, method, path, query string, body io.Reader) (*http.Request, error) {
	if err := ctx.Err(); err != nil {
		return nil, errs.New(op, errs.Canceled, context.Cause(ctx))
	}
	addr, err := s.c.addr(s.drive)
	if err != nil {
		return nil, errs.New(op, errs.Unavailable, err)
	}
	req, err := http.NewRequestWithContext(ctx, method, "", body)
	if err != nil {
		return nil, errs.New(op, errs.Internal, err)
	}
	req.URL = &url.URL{Scheme: "http", Host: addr, Path: path, RawQuery: query}
	req.Host = addr
	req.Header["Idempotency-Key"] = nil // It is not sent. It tells net/http that the request may be tried again.
	rpc.SetDeadline(req)
	return req, nil
}

// answer returns the error that an answer means. If it is nil, the caller reads and closes the
// body.
func answer(ctx context.Context, op string, resp *http.Response, err error) error {
	if err != nil {
		return rpc.CallError(ctx, op, callCause(ctx, err))
	}
	if err = rpc.ReadError(resp); err == nil {
		if resp.StatusCode == http.StatusOK {
			return nil
		}
		err = errs.Newf(op, errs.Unavailable, "status %d", resp.StatusCode)
	}
	_ = resp.Body.Close()
	return errs.Wrap(op, err)
}

// callCause puts the reason why we ended a context in place of its plain end.
func callCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// stallContext returns a context that ends unless the watch is reset again and again, within the
// client's StallTimeout.
func (c *Client) stallContext(ctx context.Context) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &watch{stall: c.stall, cancel: cancel, timer: time.AfterFunc(c.stall, func() { cancel(errStalled) })}
}

type watch struct {
	stall  time.Duration
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

func (w *watch) start() { w.timer.Reset(w.stall) }
func (w *watch) pause() { w.timer.Stop() }
func (w *watch) end()   { w.timer.Stop(); w.cancel(nil) }

// stalledOr returns Unavailable if our own watch ended the operation, else err.
func stalledOr(ctx context.Context, op string, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errStalled) {
		return errs.New(op, errs.Unavailable, errStalled)
	}
	return err
}

// do sends a request whose answer has no body.
func (s remote) do(ctx context.Context, op, method, path string, body io.Reader) (http.Header, error) {
	ctx, w := s.c.stallContext(ctx)
	defer w.end()
	req, err := s.request(ctx, op, method, path, "", body)
	if err != nil {
		return nil, err
	}
	resp, err := s.c.http.Do(req)
	if err := answer(ctx, op, resp, err); err != nil {
		return nil, stalledOr(ctx, op, err)
	}
	return resp.Header, resp.Body.Close()
}

// Stat implements shard.Store.
func (s remote) Stat(ctx context.Context, id shard.ID) (shard.Header, error) {
	const op = "wire.Stat"
	head, err := s.do(ctx, op, http.MethodHead, shardPath(s.drive, id), nil)
	if err != nil {
		return shard.Header{}, err
	}
	h, err := decodeHeader(id, head.Get(shardHeader))
	if err != nil {
		return shard.Header{}, errs.New(op, errs.Unavailable, err)
	}
	return h, nil
}

// Delete implements shard.Store.
func (s remote) Delete(ctx context.Context, ids []shard.ID) error {
	const op = "wire.Delete"
	if err := ctx.Err(); err != nil {
		return errs.New(op, errs.Canceled, context.Cause(ctx))
	}
	for len(ids) > 0 {
		n := min(len(ids), deleteIDs)
		path := pathPrefix + s.drive.String() + "/" + deletePath
		if _, err := s.do(ctx, op, http.MethodPost, path, bytes.NewReader(encodeIDs(ids[:n]))); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// drainBytes is how much may be left when a reader is closed for its connection to be kept.
const drainBytes = 64 << 10

// Open implements shard.Store.
func (s remote) Open(ctx context.Context, id shard.ID, span shard.Span) (io.ReadCloser, error) {
	const op = "wire.Open"
	if span.Off < 0 || span.Len < 0 || span.Off > 2*shard.ExtentMaxBytes || span.Len > 2*shard.ExtentMaxBytes {
		return nil, errs.Newf(op, errs.Invalid, "span %d+%d", span.Off, span.Len)
	}
	ctx, w := s.c.stallContext(ctx)
	req, err := s.request(ctx, op, http.MethodGet, shardPath(s.drive, id), encodeSpan(span), nil)
	if err != nil {
		w.end()
		return nil, err
	}
	resp, err := s.c.http.Do(req)
	if err = answer(ctx, op, resp, err); err == nil && resp.ContentLength != span.Len {
		err = errs.Newf(op, errs.Unavailable, "the answer has %d bytes, not %d", resp.ContentLength, span.Len)
		_ = resp.Body.Close()
	}
	if err != nil {
		err = stalledOr(ctx, op, err)
		w.end()
		return nil, err
	}
	w.pause()
	return &reader{ctx: ctx, watch: w, body: resp.Body, left: span.Len}, nil
}

// reader is the body of a GET.
type reader struct {
	ctx   context.Context // It governs the reading, as shard.Store says.
	watch *watch
	body  io.ReadCloser
	left  int64
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	const op = "wire.Read"
	if r.left == 0 {
		return 0, io.EOF
	}
	r.watch.start()
	n, err := r.body.Read(p)
	r.watch.pause()
	r.left -= int64(n)
	switch {
	case r.left == 0:
		return n, nil
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	case err == nil:
		return n, nil
	}
	return n, stalledOr(r.ctx, op, rpc.CallError(r.ctx, op, err))
}

// Close implements io.Closer. If little is left, it is read, so that the connection can be used
// again. Otherwise the connection is dropped.
func (r *reader) Close() error {
	if r.left > 0 && r.left <= drainBytes && r.ctx.Err() == nil {
		_, _ = io.CopyN(io.Discard, r, r.left) // If it fails, the connection is dropped.
	}
	err := r.body.Close()
	r.left = 0
	r.watch.end()
	if err != nil {
		return errs.New("wire.Close", errs.Unavailable, err)
	}
	return nil
}
