package group

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/rpc"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/metapb/metapbconnect"
)

// Defaults of ClientTiming.
const (
	DefaultAttempt    = 5 * time.Second
	DefaultBackoffMin = 10 * time.Millisecond
	DefaultBackoffMax = 500 * time.Millisecond
)

// Bounds of a client. Commands that wait are at most maxQueuedCommands (their
// callers hold the memory); a request carries at most maxBatchCommands or
// maxBatchBytes, whichever comes first, and maxBatches are under way at once.
const (
	maxQueuedCommands = 1024
	maxBatchCommands  = 128
	maxBatchBytes     = 4 << 20
	maxBatches        = 2
)

// ClientTiming is how long a client waits. Zero fields mean the defaults.
type ClientTiming struct {
	Attempt    time.Duration // For one answer of a leader, before it asks others.
	BackoffMin time.Duration // Between attempts; doubles, with jitter.
	BackoffMax time.Duration
}

func (t ClientTiming) withDefaults() ClientTiming {
	if t.Attempt == 0 {
		t.Attempt = DefaultAttempt
	}
	if t.BackoffMin == 0 {
		t.BackoffMin = DefaultBackoffMin
	}
	if t.BackoffMax == 0 {
		t.BackoffMax = DefaultBackoffMax
	}
	return t
}

// ClientConfig says what a Client works with.
type ClientConfig struct {
	Node       cluster.NodeID
	Group      *Group       // Nil on a node that has none.
	HTTP       *http.Client // Of rpc.NewHTTPClient.
	RPCAddrs   func(cluster.NodeID) (addr string, ok bool)
	Candidates func() []cluster.NodeID // Whom to ask for the leader.
	Timing     ClientTiming
	Events     Events
	Clock      *Clock // Commands carry its time, and are not sent while it is not to be trusted; nil: time.Now.
	Trace      Trace
}

// Client changes and reads the metadata from any node: at the leader where that is
// this node, else by one request to it. Concurrent proposals share requests. Safe
// for concurrent use.
type Client struct {
	cfg ClientConfig

	hint atomic.Uint64 // Node id of the leader; 0: not known.
	turn atomic.Uint64 // Whose turn it is to be asked where there is no hint.

	queue   chan *proposal
	closing <-chan struct{}
	stop    context.CancelFunc // Closes closing.
	wg      sync.WaitGroup     // Senders.

	sessions sessions
	topology topologyCache

	rpcMu sync.Mutex
	rpcs  map[string]metapbconnect.MetaServiceClient // By address.
}

var _ meta.Client = (*Client)(nil)

// NewClient returns a client; Close ends it.
func NewClient(cfg ClientConfig) *Client {
	cfg.Timing = cfg.Timing.withDefaults()
	ctx, cancel := context.WithCancel(context.Background()) // Of requests that callers share.
	c := &Client{cfg: cfg, queue: make(chan *proposal, maxQueuedCommands), closing: ctx.Done(), stop: cancel,
		rpcs: make(map[string]metapbconnect.MetaServiceClient)}
	for range maxBatches {
		c.wg.Go(func() { c.send(ctx) })
	}
	return c
}

// Close ends the client; calls in progress return. It does not close cfg.Group.
func (c *Client) Close() {
	c.stop()
	c.wg.Wait()
}

// Read implements meta.Client.
func (c *Client) Read(ctx context.Context, q *metapb.Query) (*metapb.Answer, error) {
	const op = "group.Read"
	b := c.backoff()
	var last error
	for {
		a, err := c.readOnce(ctx, q)
		switch {
		case err == nil:
			c.topology.saw(a.ViewEpoch)
			return a, nil
		case !retryable(err):
			return nil, err
		}
		last = err
		if err := b.wait(ctx, c.closing, last); err != nil {
			return nil, errs.New(op, errs.Unavailable, errors.Join(err, last))
		}
	}
}

// retryable tells failures that another try, or another node, may not have.
func retryable(err error) bool {
	switch errs.KindOf(err) {
	case errs.Unavailable, errs.Canceled, errs.Overloaded, errs.Unknown:
		return true
	}
	return false
}

func (c *Client) readOnce(ctx context.Context, q *metapb.Query) (*metapb.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timing.Attempt)
	defer cancel()
	if g := c.cfg.Group; g != nil && g.IsLeader() {
		return g.read(ctx, q)
	}
	t, err := c.target()
	if err != nil {
		return nil, err
	}
	resp, err := t.client.Read(ctx, &metapb.ReadRequest{Query: q})
	if err != nil {
		c.failed(t, err)
		return nil, err
	}
	if resp.NotLeader != nil {
		return nil, c.redirected(t, resp.NotLeader)
	}
	c.hint.Store(uint64(t.node))
	return resp.Answer, nil
}

// target is a node that may be the leader.
type target struct {
	node   cluster.NodeID
	client metapbconnect.MetaServiceClient
}

var errNoTarget = errs.New("group", errs.Unavailable, errors.New("no node to ask for the metadata's leader is known"))

// target returns the leader as this node's Raft or the last answer named it, else
// the next candidate.
func (c *Client) target() (target, error) {
	if g := c.cfg.Group; g != nil {
		if id := g.Leader(); id != 0 && id != c.cfg.Node {
			if t, ok := c.reach(id); ok {
				return t, nil
			}
		}
	}
	if id := cluster.NodeID(c.hint.Load()); id != 0 {
		if t, ok := c.reach(id); ok {
			return t, nil
		}
	}
	candidates := c.cfg.Candidates()
	for range candidates {
		id := candidates[c.turn.Add(1)%uint64(len(candidates))]
		if id == c.cfg.Node && c.cfg.Group != nil {
			continue // It is not the leader, or we would not be here.
		}
		if t, ok := c.reach(id); ok {
			return t, nil
		}
	}
	return target{}, errNoTarget
}

func (c *Client) reach(id cluster.NodeID) (target, bool) {
	addr, ok := c.cfg.RPCAddrs(id)
	if !ok {
		return target{}, false
	}
	c.rpcMu.Lock()
	defer c.rpcMu.Unlock()
	client := c.rpcs[addr]
	if client == nil {
		client = metapbconnect.NewMetaServiceClient(c.cfg.HTTP, "http://"+addr, rpc.ClientOptions()...)
		c.rpcs[addr] = client
	}
	return target{id, client}, true
}

// failed forgets a hint that led nowhere.
func (c *Client) failed(t target, err error) {
	if retryable(err) {
		c.hint.CompareAndSwap(uint64(t.node), 0)
	}
}

// errRedirected is errNotLeader with a leader to go to.
var errRedirected = errs.New("group", errs.Unavailable, errors.New("another node is the leader"))

func (c *Client) redirected(t target, n *metapb.NotLeader) error {
	if n.Leader != 0 && n.Leader != uint64(t.node) {
		c.hint.Store(n.Leader)
		return errRedirected
	}
	c.hint.CompareAndSwap(uint64(t.node), 0)
	return errNotLeader
}

// backoff spaces attempts; the first redirections are followed at once.
type backoff struct {
	timing    ClientTiming
	next      time.Duration
	redirects int
}

const maxQuickRedirects = 3

func (c *Client) backoff() *backoff { return &backoff{timing: c.cfg.Timing} }

var errClosed = errs.New("group", errs.Unavailable, errors.New("the client is closed"))

// wait pauses after an attempt that ended with err.
func (b *backoff) wait(ctx context.Context, closing <-chan struct{}, err error) error {
	if errors.Is(err, errRedirected) && b.redirects < maxQuickRedirects && ctx.Err() == nil {
		b.redirects++
		return nil
	}
	if b.next == 0 {
		b.next = b.timing.BackoffMin
	}
	pause := b.next/2 + rand.N(b.next/2+1)
	b.next = min(2*b.next, b.timing.BackoffMax)
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-closing:
		return errClosed
	}
}

// unmarshalResult decodes an outcome's result.
func unmarshalResult(b []byte) (*metapb.Result, error) {
	r := new(metapb.Result)
	if err := proto.Unmarshal(b, r); err != nil {
		return nil, errs.New("group.Propose", errs.Unknown, err)
	}
	return r, nil
}
