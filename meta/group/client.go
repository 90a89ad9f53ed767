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

// Bounds of a client.
const (
	maxQueuedCommands = 1024    // Commands that wait to be sent. Their callers hold the memory.
	maxBatchCommands  = 128     // Commands in one request.
	maxBatchBytes     = 4 << 20 // Bytes at which a request takes no further command.
	maxBatches        = 2       // Requests that are under way at once.
)

// ClientTiming says how long a client waits. A field that is zero is the default.
type ClientTiming struct {
	Attempt    time.Duration // How long it waits for one answer of a leader before it asks another node.
	BackoffMin time.Duration // The first pause between attempts. Pauses double and vary by chance,
	BackoffMax time.Duration // up to this one.
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
	Node cluster.NodeID

	// Group is this node's own; nil on a node that has none.
	Group *Group

	// HTTP, made by rpc.NewHTTPClient, and RPCAddrs reach the MetaService of other nodes.
	HTTP     *http.Client
	RPCAddrs func(cluster.NodeID) (addr string, ok bool)

	// Candidates returns the nodes that may know the leader.
	Candidates func() []cluster.NodeID

	Timing ClientTiming
	Events Events

	// Clock gives commands their time. While it cannot be trusted (Clock.Suspect), commands
	// that carry a time are not sent. Nil: the time is time.Now.
	Clock *Clock

	Trace Trace
}

// Client changes and reads the metadata from any node. Where this node leads it does so
// itself, otherwise by a request to the leader. Proposals of several callers share requests.
// Safe for concurrent use.
type Client struct {
	cfg ClientConfig

	hint atomic.Uint64 // The node that led when it was last asked; 0: none is known.
	turn atomic.Uint64 // Whose turn among the candidates it is to be asked without a hint.

	queue   chan *proposal
	closing <-chan struct{} // Closed by stop.
	stop    context.CancelFunc
	wg      sync.WaitGroup // The senders.

	sessions sessions
	topology topologyCache

	rpcMu sync.Mutex
	rpcs  map[string]metapbconnect.MetaServiceClient // By the address that they reach.
}

var _ meta.Client = (*Client)(nil)

// NewClient returns a client. Close ends it.
func NewClient(cfg ClientConfig) *Client {
	cfg.Timing, cfg.Events = cfg.Timing.withDefaults(), cfg.Events.withDefaults()
	ctx, cancel := context.WithCancel(context.Background()) // For requests that callers share.
	c := &Client{cfg: cfg, queue: make(chan *proposal, maxQueuedCommands), closing: ctx.Done(), stop: cancel,
		rpcs: make(map[string]metapbconnect.MetaServiceClient)}
	for range maxBatches {
		c.wg.Go(func() { c.send(ctx) })
	}
	return c
}

// Close ends the client. Calls in progress return an error. It does not end cfg.Group.
func (c *Client) Close() {
	c.stop()
	c.wg.Wait()
}

// Read implements meta.Client. It asks until somebody has answered or ctx ends. Errors: those
// of the query, and Unavailable.
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

// retryable reports whether another try, perhaps at another node, may succeed.
func retryable(err error) bool {
	switch errs.KindOf(err) {
	case errs.Unavailable, errs.Canceled, errs.Overloaded, errs.Unknown:
		return true
	}
	return false
}

// readOnce asks this node or one other.
func (c *Client) readOnce(ctx context.Context, q *metapb.Query) (*metapb.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timing.Attempt)
	defer cancel()
	if g := c.cfg.Group; g != nil && g.IsLeader() {
		return g.read(ctx, q)
	}
	t, err := c.contact()
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

// contact is a node that may be the leader, and how to reach it.
type contact struct {
	node   cluster.NodeID
	client metapbconnect.MetaServiceClient
}

var errNoContact = errs.New("group", errs.Unavailable, errors.New("no node to ask for the metadata's leader is known"))

// contact returns the node to ask next: the leader as this node's own Raft knows it, else the
// one that the last answer named, else the next candidate in turn.
func (c *Client) contact() (contact, error) {
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
			continue // This node does not lead; otherwise nobody would be asked.
		}
		if t, ok := c.reach(id); ok {
			return t, nil
		}
	}
	return contact{}, errNoContact
}

// reach returns the contact of a node; false where its address is not known.
func (c *Client) reach(id cluster.NodeID) (contact, bool) {
	addr, ok := c.cfg.RPCAddrs(id)
	if !ok {
		return contact{}, false
	}
	c.rpcMu.Lock()
	defer c.rpcMu.Unlock()
	client := c.rpcs[addr]
	if client == nil {
		client = metapbconnect.NewMetaServiceClient(c.cfg.HTTP, "http://"+addr, rpc.ClientOptions()...)
		c.rpcs[addr] = client
	}
	return contact{id, client}, true
}

// failed forgets the hint that led to a node which does not answer.
func (c *Client) failed(t contact, err error) {
	if retryable(err) {
		c.hint.CompareAndSwap(uint64(t.node), 0)
	}
}

// errRedirected says what errNotLeader says, and that the hint now names another node.
var errRedirected = errs.New("group", errs.Unavailable, errors.New("another node is the leader"))

// redirected follows the answer of a node that does not lead: it takes the leader that this
// node names for the hint, or forgets the hint.
func (c *Client) redirected(t contact, n *metapb.NotLeader) error {
	if n.Leader != 0 && n.Leader != uint64(t.node) {
		c.hint.Store(n.Leader)
		return errRedirected
	}
	c.hint.CompareAndSwap(uint64(t.node), 0)
	return errNotLeader
}

// backoff makes pauses between attempts. The first few redirections are followed without one.
type backoff struct {
	timing    ClientTiming
	next      time.Duration
	redirects int
}

// maxQuickRedirects is how many redirections are followed without a pause. Nodes that have
// different ideas of who leads must not send a client in circles.
const maxQuickRedirects = 3

func (c *Client) backoff() *backoff { return &backoff{timing: c.cfg.Timing} }

var errClosed = errs.New("group", errs.Unavailable, errors.New("the client is closed"))

// wait pauses after an attempt that ended with err. It returns an error where ctx ends or the
// client is closed.
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

// unmarshalResult decodes the result of a command. Errors: Unknown, since the command was
// applied, but what came of it cannot be told.
func unmarshalResult(b []byte) (*metapb.Result, error) {
	r := new(metapb.Result)
	if err := proto.Unmarshal(b, r); err != nil {
		return nil, errs.New("group.Propose", errs.Unknown, err)
	}
	return r, nil
}
