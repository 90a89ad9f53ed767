package sim

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cairnstore/cairn/cluster/rpc"
)

// Network is a scripted network between hosts: links may be cut, slow or lossy, and hosts may vanish.
// It carries connections only, so a lost packet shows as a delay, as it does with TCP. Several
// goroutines may use it.
type Network struct {
	mu        sync.Mutex
	rng       *rand.Rand
	listeners map[string]*listener
	cut       map[link]bool
	down      map[string]bool
	conns     map[*half]struct{}
	maxDelay  time.Duration
	loss      float64 // How likely it is that a write is held up by a retransmission.
}

// link is one direction between two hosts.
type link struct{ from, to string }

const (
	connBufferBytes = 1 << 20
	retransmit      = 200 * time.Millisecond
	dialTimeout     = 3 * time.Second // How long a dial takes to fail if the host cannot be reached.
)

// NewNetwork returns a network without hosts, whose random choices come from rng.
func NewNetwork(rng *rand.Rand) *Network {
	return &Network{rng: rng, listeners: map[string]*listener{}, cut: map[link]bool{}, down: map[string]bool{},
		conns: map[*half]struct{}{}}
}

// Slow sets how long a write may take to arrive at most, and how likely one is lost on the way at
// first.
func (n *Network) Slow(maxDelay time.Duration, loss float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.maxDelay, n.loss = maxDelay, loss
}

// Cut stops or restores what flows from one host to another.
func (n *Network) Cut(from, to string, cut bool) {
	n.mu.Lock()
	n.cut[link{from, to}] = cut
	n.wakeLocked()
	n.mu.Unlock()
}

// Heal restores all links.
func (n *Network) Heal() {
	n.mu.Lock()
	clear(n.cut)
	n.wakeLocked()
	n.mu.Unlock()
}

// Reaches reports whether bytes flow both ways between two hosts that are up.
func (n *Network) Reaches(a, b string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.down[a] && !n.down[b] && !n.cut[link{a, b}] && !n.cut[link{b, a}]
}

// Down makes a host vanish: its connections are reset, it listens no more, and nothing reaches it.
func (n *Network) Down(host string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down[host] = true
	for h := range n.conns {
		if h.link.from == host || h.link.to == host {
			h.reset()
		}
	}
	for addr, l := range n.listeners {
		if hostOf(addr) == host {
			delete(n.listeners, addr)
			l.close()
		}
	}
}

// Up lets a host that vanished come back, without what listened on it.
func (n *Network) Up(host string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.down, host)
}

func (n *Network) wakeLocked() {
	for h := range n.conns {
		h.notify()
	}
}

// Host returns the network as one host sees it.
func (n *Network) Host(name string) rpc.Transport { return host{n, name} }

type host struct {
	n    *Network
	name string
}

// Listen implements rpc.Transport.
func (h host) Listen(addr string) (net.Listener, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	addr = net.JoinHostPort(h.name, port)
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	if h.n.down[h.name] {
		return nil, syscall.ENETDOWN
	}
	if h.n.listeners[addr] != nil {
		return nil, syscall.EADDRINUSE
	}
	l := &listener{n: h.n, addr: simAddr(addr), accept: make(chan net.Conn, 128), done: make(chan struct{})}
	h.n.listeners[addr] = l
	return l, nil
}

// Dial implements rpc.Transport.
func (h host) Dial(ctx context.Context, addr string) (net.Conn, error) {
	to := hostOf(addr)
	if !h.n.Reaches(h.name, to) {
		t := time.NewTimer(dialTimeout)
		defer t.Stop()
		select {
		case <-ctx.Done():
			return nil, dialError(ctx.Err())
		case <-t.C:
			return nil, dialError(syscall.ETIMEDOUT)
		}
	}
	h.n.mu.Lock()
	l := h.n.listeners[addr]
	if l == nil {
		h.n.mu.Unlock()
		return nil, dialError(syscall.ECONNREFUSED)
	}
	here, there := h.n.pairLocked(h.name, to, simAddr(addr))
	h.n.mu.Unlock()
	select {
	case l.accept <- there:
		return here, nil
	case <-l.done:
	case <-ctx.Done():
	}
	_ = here.Close()
	return nil, dialError(syscall.ECONNREFUSED)
}

func dialError(err error) error { return &net.OpError{Op: "dial", Net: "sim", Err: err} }

func hostOf(addr string) string {
	host, _, _ := strings.Cut(addr, ":")
	return host
}

type simAddr string

// Network implements net.Addr.
func (simAddr) Network() string { return "sim" }

// String implements net.Addr.
func (a simAddr) String() string { return string(a) }

type listener struct {
	n      *Network
	addr   simAddr
	accept chan net.Conn
	once   sync.Once
	done   chan struct{}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) close() { l.once.Do(func() { close(l.done) }) }

// Close implements net.Listener.
func (l *listener) Close() error {
	l.n.mu.Lock()
	if l.n.listeners[string(l.addr)] == l {
		delete(l.n.listeners, string(l.addr))
	}
	l.n.mu.Unlock()
	l.close()
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.addr }

// half is one direction of a connection.
type half struct {
	n    *Network
	link link

	mu       sync.Mutex
	chunks   []chunk
	buffered int
	closed   bool // The writer has closed it: after the chunks comes the end of the file.
	broken   bool // It was reset, or the reader has closed it.
	wake     chan struct{}
}

type chunk struct {
	data []byte
	at   time.Time
}

func (h *half) notify() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

func (h *half) reset() {
	h.mu.Lock()
	h.broken = true
	h.chunks, h.buffered = nil, 0
	h.mu.Unlock()
	h.notify()
}

// delay returns how long the next write takes to arrive.
func (h *half) delay() time.Duration {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	var d time.Duration
	if h.n.maxDelay > 0 {
		d = time.Duration(h.n.rng.Int64N(int64(h.n.maxDelay)))
	}
	if h.n.loss > 0 && h.n.rng.Float64() < h.n.loss {
		d += retransmit
	}
	return d
}

func (h *half) flows() bool {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	return !h.n.cut[h.link]
}

// conn is one end of a connection.
type conn struct {
	in, out       *half
	local, remote net.Addr
	readDeadline  deadline
	writeDeadline deadline
	once          sync.Once
}

func (n *Network) pairLocked(from, to string, addr simAddr) (here, there *conn) {
	a := &half{n: n, link: link{from, to}, wake: make(chan struct{}, 1)}
	b := &half{n: n, link: link{to, from}, wake: make(chan struct{}, 1)}
	n.conns[a], n.conns[b] = struct{}{}, struct{}{}
	local := simAddr(from + ":0")
	here = &conn{in: b, out: a, local: local, remote: addr}
	there = &conn{in: a, out: b, local: addr, remote: local}
	for _, c := range []*conn{here, there} {
		c.readDeadline.init()
		c.writeDeadline.init()
	}
	return here, there
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	for {
		n, wait, err := c.in.take(p)
		if n > 0 || err != nil {
			return n, err
		}
		if err := await(c.in.wake, wait, c.readDeadline.expired()); err != nil {
			return 0, err
		}
	}
}

// take copies bytes that have arrived to p. If there are none it returns how long it takes until some
// may have arrived; negative: until it is woken.
func (h *half) take(p []byte) (n int, wait time.Duration, err error) {
	flows := h.flows()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken {
		return 0, 0, syscall.ECONNRESET
	}
	if !flows {
		return 0, -1, nil
	}
	if len(h.chunks) == 0 {
		if h.closed {
			return 0, 0, io.EOF
		}
		return 0, -1, nil
	}
	if d := time.Until(h.chunks[0].at); d > 0 {
		return 0, d, nil
	}
	n = copy(p, h.chunks[0].data)
	if h.chunks[0].data = h.chunks[0].data[n:]; len(h.chunks[0].data) == 0 {
		h.chunks = h.chunks[1:]
	}
	h.buffered -= n
	h.notify() // A writer may wait for room.
	return n, 0, nil
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	at := time.Now().Add(c.out.delay())
	for {
		ok, err := c.out.put(p, at)
		if err != nil {
			return 0, err
		}
		if ok {
			return len(p), nil
		}
		if err := await(c.out.wake, roomPoll, c.writeDeadline.expired()); err != nil {
			return 0, err
		}
	}
}

// roomPoll is how often a writer looks for room. Reader and writer share one wake-up, so a writer may
// miss it.
const roomPoll = time.Millisecond

func (h *half) put(p []byte, at time.Time) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken || h.closed {
		return false, syscall.EPIPE
	}
	if h.buffered > 0 && h.buffered+len(p) > connBufferBytes {
		return false, nil
	}
	if n := len(h.chunks); n > 0 && h.chunks[n-1].at.After(at) {
		at = h.chunks[n-1].at // Bytes stay in order.
	}
	h.chunks = append(h.chunks, chunk{append([]byte(nil), p...), at})
	h.buffered += len(p)
	h.notify()
	return true, nil
}

// await waits for a wake-up, for no longer than wait if that is not negative. It returns an error if
// the deadline expires.
func await(wake <-chan struct{}, wait time.Duration, expired <-chan struct{}) error {
	var timer <-chan time.Time
	if wait >= 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-wake:
	case <-timer:
	case <-expired:
		return os.ErrDeadlineExceeded
	}
	return nil
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.once.Do(func() {
		c.out.mu.Lock()
		c.out.closed = true
		c.out.mu.Unlock()
		c.out.notify()
		c.in.reset()
		c.readDeadline.stop()
		c.writeDeadline.stop()
		n := c.in.n
		n.mu.Lock()
		delete(n.conns, c.in)
		n.mu.Unlock()
	})
	return nil
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error { c.readDeadline.set(t); return nil }

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error { c.writeDeadline.set(t); return nil }

// deadline closes a channel at a time that can be changed.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	done  chan struct{}
}

func (d *deadline) init() { d.done = make(chan struct{}) }

func (d *deadline) expired() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.done
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	select {
	case <-d.done:
		d.done = make(chan struct{})
	default:
	}
	if t.IsZero() {
		return
	}
	done := d.done
	if wait := time.Until(t); wait > 0 {
		d.timer = time.AfterFunc(wait, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.done == done && d.timer != nil {
				d.timer = nil
				close(done)
			}
		})
		return
	}
	close(done)
}

func (d *deadline) stop() { d.set(time.Time{}) }
