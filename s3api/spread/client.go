package spread

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/rpc"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
)

// DefaultStallTimeout is how long a node that does a task may be silent before it is given up.
const DefaultStallTimeout = 10 * DefaultBeatInterval

// ClientConfig sets up a Client.
type ClientConfig struct {
	HTTP         *http.Client                                // What rpc.NewHTTPClient returned.
	Nodes        func() []cluster.NodeID                     // The other nodes that are thought alive.
	Addr         func(cluster.NodeID) (addr string, ok bool) // Of a node's internode listener.
	StallTimeout time.Duration                               // Zero: DefaultStallTimeout.
}

// Client asks other nodes to do tasks.
type Client struct{ cfg ClientConfig }

var _ object.Workers = (*Client)(nil)

// NewClient returns a client.
func NewClient(cfg ClientConfig) *Client {
	if cfg.StallTimeout <= 0 {
		cfg.StallTimeout = DefaultStallTimeout
	}
	return &Client{cfg}
}

// Nodes implements object.Workers.
func (c *Client) Nodes() []cluster.NodeID { return c.cfg.Nodes() }

var errStalled = errors.New("the node has been silent for too long")

// Do implements object.Workers.
func (c *Client) Do(ctx context.Context, node cluster.NodeID, t *object.Task) (*metapb.Extent, error) {
	const op = "spread.Do"
	addr, ok := c.cfg.Addr(node)
	if !ok {
		return nil, errs.Newf(op, errs.Unavailable, "node %s is not known here", node)
	}
	text, err := encode(t)
	if err != nil {
		return nil, errs.New(op, errs.Internal, err)
	}
	body := &secretBody{all: text, left: text}
	defer body.Close() // Returns nil.
	if len(text) > taskMaxBytes {
		return nil, errs.Newf(op, errs.Invalid, "the task has %d bytes, at most %d can be sent", len(text), taskMaxBytes)
	}
	watched, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(c.cfg.StallTimeout, func() { cancel(errStalled) })
	defer silence.Stop()
	req, err := http.NewRequestWithContext(watched, http.MethodPost, "", body)
	if err != nil {
		return nil, errs.New(op, errs.Internal, err)
	}
	req.URL, req.Host = &url.URL{Scheme: "http", Host: addr, Path: Path}, addr
	req.ContentLength = int64(len(text))
	rpc.SetDeadline(req)
	resp, err := c.cfg.HTTP.Do(req)
	if err != nil {
		return nil, callError(ctx, watched, op, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := rpc.ReadError(resp); err != nil {
		return nil, err
	}
	x, err := await(resp.Body, func() { silence.Reset(c.cfg.StallTimeout) })
	if err != nil {
		return nil, callError(ctx, watched, op, err)
	}
	return x, nil
}

// callError returns the error of an exchange that failed: that ctx ended, that the node was silent
// for too long, or what the network reported.
func callError(ctx, watched context.Context, op string, err error) error {
	if ctx.Err() == nil && watched.Err() != nil {
		err = context.Cause(watched)
	}
	return rpc.CallError(ctx, op, err)
}

// await reads the body of an answer. It calls heard for each beat.
func await(body io.Reader, heard func()) (*metapb.Extent, error) {
	r := bufio.NewReaderSize(body, extentMaxBytes)
	b, err := r.ReadByte()
	for ; err == nil && b == beat; b, err = r.ReadByte() {
		heard()
	}
	switch {
	case err == io.EOF:
		return nil, io.ErrUnexpectedEOF
	case err != nil:
		return nil, err
	case b != done:
		return nil, errs.Newf("spread.Do", errs.Internal, "the answer is none of this protocol")
	}
	text, err := io.ReadAll(io.LimitReader(r, extentMaxBytes))
	if err != nil {
		return nil, err
	}
	x := new(metapb.Extent)
	if err := proto.Unmarshal(text, x); err != nil {
		return nil, errs.New("spread.Do", errs.Internal, err)
	}
	return x, nil
}

// secretBody is the body of a request. It is cleared when it is closed, which the transport may do
// while it reads.
type secretBody struct {
	mu        sync.Mutex
	all, left []byte
}

// Read implements io.Reader.
func (b *secretBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.left)
	b.left = b.left[n:]
	return n, nil
}

// Close implements io.Closer.
func (b *secretBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.all)
	b.left = nil
	return nil
}
