package group

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// network is a network in memory. Links can be cut: bytes then wait, and dialling
// waits, as where packets are dropped. A node that goes down ends its connections.
type network struct {
	mu        sync.Mutex
	listeners map[string]*listener // By address.
	cut       map[[2]int]bool
	held      map[way]bool
	changed   chan struct{} // Closed at each change of cut.
	conns     map[*conn]struct{}
	down      map[int]bool
}

func newNetwork() *network {
	return &network{listeners: map[string]*listener{}, cut: map[[2]int]bool{}, held: map[way]bool{}, changed: make(chan struct{}),
		conns: map[*conn]struct{}{}, down: map[int]bool{}}
}

func link(a, b int) [2]int { return [2]int{min(a, b), max(a, b)} }

// way is what one node writes to another: answers, on connections that it accepted, or
// requests, on those that it dialled.
type way struct {
	from, to int
	answers  bool
}

// hold lets what goes one way wait, or go on.
func (n *network) hold(w way, hold bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.held[w] = hold
	close(n.changed)
	n.changed = make(chan struct{})
}

// setCut cuts or heals the link between two nodes.
func (n *network) setCut(a, b int, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[link(a, b)] = cut
	close(n.changed)
	n.changed = make(chan struct{})
}

// blocked returns nil where the link is open, else a channel that is closed at the
// next change.
func (n *network) blocked(a, b int) <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if a != b && n.cut[link(a, b)] {
		return n.changed
	}
	return nil
}

// waiting is blocked for what c writes.
func (n *network) waiting(c *conn) <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.from != c.to && n.cut[link(c.from, c.to)] || n.held[way{c.from, c.to, c.accepted}] {
		return n.changed
	}
	return nil
}

// setDown ends all connections of a node and refuses new ones.
func (n *network) setDown(node int, down bool) {
	n.mu.Lock()
	n.down[node] = down
	var ended []*conn
	for c := range n.conns {
		if down && (c.from == node || c.to == node) {
			ended = append(ended, c)
		}
	}
	n.mu.Unlock()
	for _, c := range ended {
		c.Close()
	}
}

type listener struct {
	net    *network
	node   int
	addr   string
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (n *network) listen(node int, addr string) *listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := &listener{net: n, node: node, addr: addr, accept: make(chan net.Conn), closed: make(chan struct{})}
	n.listeners[addr] = l
	return l
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return address(l.addr) }

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

var errRefused = errors.New("connection refused")

func (n *network) dial(ctx context.Context, from int, addr string) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[addr]
	n.mu.Unlock()
	if l == nil {
		return nil, errRefused
	}
	for {
		wait := n.blocked(from, l.node)
		if wait == nil {
			break
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	n.mu.Lock()
	if n.down[from] || n.down[l.node] {
		n.mu.Unlock()
		return nil, errRefused
	}
	p, q := net.Pipe()
	a := &conn{Conn: p, net: n, from: from, to: l.node, closed: make(chan struct{})}
	b := &conn{Conn: q, net: n, from: l.node, to: from, accepted: true, closed: make(chan struct{})}
	n.conns[a], n.conns[b] = struct{}{}, struct{}{}
	n.mu.Unlock()
	select {
	case l.accept <- b:
		return a, nil
	case <-l.closed:
	case <-ctx.Done():
	}
	a.Close()
	b.Close()
	return nil, errRefused
}

// conn is one end of a connection. What it writes waits while the link is cut.
type conn struct {
	net.Conn
	net      *network
	from, to int
	accepted bool // Not dialled.

	mu       sync.Mutex
	deadline time.Time // Of writes.
	closed   chan struct{}
	once     sync.Once
}

func (c *conn) Write(p []byte) (int, error) {
	for {
		wait := c.net.waiting(c)
		if wait == nil {
			return c.Conn.Write(p)
		}
		if err := c.waitOpen(wait); err != nil {
			return 0, err
		}
	}
}

func (c *conn) waitOpen(wait <-chan struct{}) error {
	c.mu.Lock()
	deadline := c.deadline
	c.mu.Unlock()
	var expired <-chan time.Time
	if !deadline.IsZero() {
		t := time.NewTimer(time.Until(deadline))
		defer t.Stop()
		expired = t.C
	}
	select {
	case <-wait:
		return nil
	case <-expired:
		return os.ErrDeadlineExceeded
	case <-c.closed:
		return net.ErrClosed
	}
}

func (c *conn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	return c.Conn.SetDeadline(t)
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	return c.Conn.SetWriteDeadline(t)
}

func (c *conn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.net.mu.Lock()
		delete(c.net.conns, c)
		c.net.mu.Unlock()
	})
	return c.Conn.Close()
}
