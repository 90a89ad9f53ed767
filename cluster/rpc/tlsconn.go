package rpc

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// recordBytes is the most that one TLS record carries.
	recordBytes = 16 << 10
	// wireReadBytes is how much is read from the network at once: records of one
	// frame of a shard.
	wireReadBytes = 64 << 10
	// corkBytes holds one write of DefaultBufferBytes with the overhead of its
	// records; a larger write flushes in between.
	corkBytes = 96 << 10
)

// corkBuffers are lent to connections for the length of one write.
var corkBuffers = sync.Pool{New: func() any { return new([corkBytes]byte) }} // Only ever a pool.

// tlsConn is a TLS connection that talks to the kernel in pieces larger than a
// record. crypto/tls makes one system call for each 16 KiB, in and out, which is
// a tenth and more of what bulk bytes over TLS cost.
type tlsConn struct {
	*tls.Conn
	wire *wireConn

	writing  sync.Mutex  // One Write at a time.
	flushing atomic.Bool // Bytes are on their way that tls.Conn believes sent.

	shaking   sync.Once
	failed    error         // Of the handshake.
	handshake time.Duration // How long it may take; 0: Dial's business.
	settled   func()        // Called once it is over, whatever came of it; may be nil.

	refused func(error) // Told why the handshake failed; may be nil.
	once    sync.Once
	state   tls.ConnectionState
}

func newTLSConn(raw net.Conn, make func(net.Conn, *tls.Config) *tls.Conn, cfg *tls.Config) *tlsConn {
	wire := &wireConn{Conn: raw, in: bufio.NewReaderSize(raw, wireReadBytes)}
	return &tlsConn{Conn: make(wire, cfg), wire: wire}
}

// shake shakes hands with a peer that connected, within the time for it: until then it
// may be anybody.
func (c *tlsConn) shake() error {
	if c.handshake == 0 {
		return nil
	}
	c.shaking.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), c.handshake) // Ended by Close too.
		defer cancel()
		c.failed = c.Conn.HandshakeContext(ctx)
		c.settle()
	})
	return c.failed
}

func (c *tlsConn) settle() {
	if c.settled != nil {
		c.settled()
	}
}

// Read implements net.Conn. The first one shakes hands.
func (c *tlsConn) Read(p []byte) (int, error) {
	n, err := 0, c.shake()
	if err == nil {
		n, err = c.Conn.Read(p)
	}
	if err != nil && c.refused != nil && !errors.Is(err, io.EOF) && !c.ConnectionState().HandshakeComplete {
		c.refused(err)
	}
	return n, err
}

// Write implements net.Conn.
func (c *tlsConn) Write(p []byte) (int, error) {
	if err := c.shake(); err != nil {
		return 0, err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if len(p) <= recordBytes {
		return c.Conn.Write(p)
	}
	c.wire.cork()
	n, err := c.Conn.Write(p)
	c.flushing.Store(true)
	defer c.flushing.Store(false)
	if flushErr := c.wire.uncork(); err == nil {
		err = flushErr
	}
	return n, err
}

// Close implements net.Conn. It does not wait for a peer that takes no bytes.
func (c *tlsConn) Close() error {
	c.settle()
	if c.flushing.Load() {
		return c.wire.Close()
	}
	return c.Conn.Close()
}

// peer returns the state of the connection, whose handshake is over.
func (c *tlsConn) peer() *tls.ConnectionState {
	c.once.Do(func() { c.state = c.ConnectionState() })
	return &c.state
}

// wireConn is what lies under a tls.Conn: it reads ahead, and while it is corked
// it keeps what is written.
type wireConn struct {
	net.Conn
	in *bufio.Reader

	mu   sync.Mutex
	held *[corkBytes]byte // Not nil while corked.
	n    int
	err  error // Of a flush; sticks, since tls.Conn does not know of it.
}

func (w *wireConn) Read(p []byte) (int, error) { return w.in.Read(p) }

func (w *wireConn) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0, w.err
	}
	if w.held == nil {
		return w.Conn.Write(p)
	}
	if w.n+len(p) > corkBytes {
		if err := w.flushLocked(); err != nil {
			return 0, err
		}
	}
	if len(p) > corkBytes {
		return w.Conn.Write(p)
	}
	w.n += copy(w.held[w.n:], p)
	return len(p), nil
}

func (w *wireConn) cork() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = corkBuffers.Get().(*[corkBytes]byte)
}

func (w *wireConn) uncork() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.flushLocked()
	corkBuffers.Put(w.held)
	w.held = nil
	return err
}

func (w *wireConn) flushLocked() error {
	if w.n == 0 || w.err != nil {
		return w.err
	}
	_, w.err = w.Conn.Write(w.held[:w.n])
	w.n = 0
	return w.err
}

// Bounds of peers that have not shown a certificate yet. Members are not bounded: theirs
// are over in a moment.
const (
	DefaultHandshakeTimeout = 10 * time.Second
	maxPending              = 512
	maxPendingPerAddress    = 256 // All nodes may be on one, as in tests.
)

// tlsListener shakes hands when a connection is first read or written. How many
// connections wait for that, and how long, is bounded.
type tlsListener struct {
	net.Listener
	cfg       *tls.Config
	handshake time.Duration

	mu      sync.Mutex
	total   int
	pending map[string]int // By host.
}

func newTLSListener(l net.Listener, cfg *tls.Config, handshake time.Duration) *tlsListener {
	return &tlsListener{Listener: l, cfg: cfg, handshake: handshake, pending: make(map[string]int)}
}

// Accept implements net.Listener.
func (l *tlsListener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		host, _, _ := net.SplitHostPort(raw.RemoteAddr().String())
		if !l.admit(host) {
			_ = raw.Close()
			continue
		}
		c := newTLSConn(raw, tls.Server, l.cfg)
		c.handshake = l.handshake
		c.settled = sync.OnceFunc(func() { l.settle(host) })
		return c, nil
	}
}

func (l *tlsListener) admit(host string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= maxPending || l.pending[host] >= maxPendingPerAddress {
		return false
	}
	l.total++
	l.pending[host]++
	return true
}

func (l *tlsListener) settle(host string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if l.pending[host]--; l.pending[host] == 0 {
		delete(l.pending, host)
	}
}
