package rafttransport

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cairnstore/cairn/cluster/errs"
)

// advertised is the address that others use. The listener may be bound to another one.
type advertised string

// Network implements net.Addr.
func (advertised) Network() string { return "tcp" }

// String implements net.Addr.
func (a advertised) String() string { return string(a) }

// stream makes and accepts Raft's connections, and ends all of them when it is closed. Raft
// itself never ends those that it accepted. Safe for concurrent use.
type stream struct {
	listener net.Listener
	addr     advertised
	dial     func(ctx context.Context, addr string) (net.Conn, error)

	mu     sync.Mutex
	closed bool
	conns  map[*trackedConn]struct{}
	wg     sync.WaitGroup // Counts conns.
}

// Dial implements raft.StreamLayer. Errors: Unavailable where the stream is closed, else
// those of the dialler.
func (s *stream) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout) // Raft passes no context.
	defer cancel()
	if s.isClosed() {
		return nil, errs.New("rafttransport.Dial", errs.Unavailable, net.ErrClosed)
	}
	c, err := s.dial(ctx, string(address))
	if err != nil {
		return nil, err
	}
	return s.track(c)
}

// Accept implements net.Listener.
func (s *stream) Accept() (net.Conn, error) {
	c, err := s.listener.Accept()
	if err != nil {
		return nil, err
	}
	return s.track(c)
}

func (s *stream) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// track counts a connection in, so that Close ends it. It closes a connection that was made
// while the stream was being closed.
func (s *stream) track(c net.Conn) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = c.Close()
		return nil, errs.New("rafttransport.Dial", errs.Unavailable, net.ErrClosed)
	}
	t := &trackedConn{Conn: c, stream: s}
	s.conns[t] = struct{}{}
	s.wg.Add(1)
	return t, nil
}

// Addr implements net.Listener.
func (s *stream) Addr() net.Addr { return s.addr }

// Close closes the listener and every connection. It does not wait for those who use them.
func (s *stream) Close() error {
	s.mu.Lock()
	s.closed = true
	conns := make([]*trackedConn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	err := s.listener.Close()
	for _, c := range conns {
		_ = c.Close()
	}
	return err
}

// trackedConn is a connection that its stream knows of.
type trackedConn struct {
	net.Conn
	stream *stream
	once   sync.Once
}

// Close closes the connection and takes it out of the stream. It may be called twice.
func (c *trackedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.stream.mu.Lock()
		delete(c.stream.conns, c)
		c.stream.mu.Unlock()
		c.stream.wg.Done()
	})
	return err
}
