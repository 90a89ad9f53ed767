// Package listen bounds what connections cost a node: how many there are, and how many
// of one address, so that no stranger uses up its file descriptors. It tells of each
// connection that is refused, and of each that could not be accepted.
//
// All types are safe for concurrent use.
package listen

import (
	"net"
	"net/netip"
	"sync"
)

// Limits bound the connections of a listener. Zero means no bound.
type Limits struct {
	Total      int
	PerAddress int
	// Reserve is how many more connections Operators may have: theirs count for
	// neither bound, so that somebody can look when all others are taken.
	Reserve   int
	Operators func(netip.Addr) bool // Nil: nobody is.
	// Proxies speak for many: PerAddress does not bound them. Nil: nobody is one.
	Proxies func(netip.Addr) bool
}

// Reason is why a connection was refused.
type Reason string

// The reasons.
const (
	Full        Reason = "full"         // Limits.Total.
	FullAddress Reason = "full_address" // Limits.PerAddress.
)

// Events are told what happens; any may be nil. They must not block.
type Events struct {
	Refused      func(Reason, net.Addr)
	AcceptFailed func(error) // No connection could be accepted: mostly, there are no file descriptors.
}

// Listener is a listener within bounds.
type Listener struct {
	net.Listener
	limits Limits
	events Events

	mu        sync.Mutex
	closed    bool
	open      int // Of those that count.
	operators int
	addresses map[netip.Addr]int
}

var _ net.Listener = (*Listener)(nil)

// New returns l within limits. A connection beyond them is closed at once: a client
// tries again, here or elsewhere, where it would wait without an answer else.
func New(l net.Listener, limits Limits, events Events) *Listener {
	return &Listener{Listener: l, limits: limits, events: events, addresses: make(map[netip.Addr]int)}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			if !l.isClosed() && l.events.AcceptFailed != nil {
				l.events.AcceptFailed(err)
			}
			return nil, err
		}
		kept, reason := l.admit(c)
		if kept != nil {
			return kept, nil
		}
		reset(c)
		if l.events.Refused != nil {
			l.events.Refused(reason, c.RemoteAddr())
		}
	}
}

// reset closes a connection and leaves nothing of it behind.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	return l.Listener.Close()
}

func (l *Listener) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// Open returns how many connections there are.
func (l *Listener) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open + l.operators
}

// Most returns how many there may be, the reserve left out; 0: any number.
func (l *Listener) Most() int { return l.limits.Total }

// admit counts a connection, or says why it is refused.
func (l *Listener) admit(c net.Conn) (net.Conn, Reason) {
	peer := peerOf(c)
	addr := network(peer)
	operator := l.limits.Operators != nil && l.limits.Operators(peer)
	many := !peer.IsValid() || l.limits.Proxies != nil && l.limits.Proxies(peer)
	l.mu.Lock()
	defer l.mu.Unlock()
	if operator && l.operators < l.limits.Reserve {
		l.operators++
		return &conn{Conn: c, l: l, operator: true}, ""
	}
	switch {
	case l.limits.Total > 0 && l.open >= l.limits.Total:
		return nil, Full
	case l.limits.PerAddress > 0 && !many && l.addresses[addr] >= l.limits.PerAddress:
		return nil, FullAddress
	}
	l.open++
	l.addresses[addr]++
	return &conn{Conn: c, l: l, addr: addr}, ""
}

// peerOf returns who is at the other end; invalid where it has no IP address.
func peerOf(c net.Conn) netip.Addr {
	a, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap().WithZone("")
}

// network returns what counts as one address: of IPv6 it is the network of 64 bits, for
// whoever has one address of it has them all.
func network(a netip.Addr) netip.Addr {
	if a.Is6() && !a.IsLoopback() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// conn is a connection that counts until it is closed.
type conn struct {
	net.Conn
	l        *Listener
	addr     netip.Addr
	operator bool
	once     sync.Once
}

// Close implements net.Conn.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		l := c.l
		l.mu.Lock()
		defer l.mu.Unlock()
		if c.operator {
			l.operators--
			return
		}
		l.open--
		if l.addresses[c.addr]--; l.addresses[c.addr] == 0 {
			delete(l.addresses, c.addr)
		}
	})
	return err
}

// Watch returns l with its failures told: for listeners whose peers are known.
func Watch(l net.Listener, failed func(error)) net.Listener {
	return &watched{Listener: l, failed: failed}
}

type watched struct {
	net.Listener
	failed func(error)

	mu     sync.Mutex
	closed bool
}

// Accept implements net.Listener.
func (w *watched) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	if err != nil {
		w.mu.Lock()
		closed := w.closed
		w.mu.Unlock()
		if !closed {
			w.failed(err)
		}
	}
	return c, err
}

// Close implements net.Listener.
func (w *watched) Close() error {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	return w.Listener.Close()
}
