package rafttransport

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cairnstore/cairn/cluster/errs"
)

// advertised is an address that others use, which is not that of the listener.
type advertised string

// Network implements net.Addr.
func (advertised) Network() string { return "tcp" }

// String implements net.Addr.
func (a advertised) String() string { return string(a) }

// stream makes and accepts Raft's connections and can end them all, which Raft
// itself does not do with those it accepted.
type stream struct {
	listener net.Listener
	addr     advertised
	dial     func(ctx context.Context, addr string) (net.Conn, error)

	mu     sync.Mutex
	closed bool
	conns  map[*trackedConn]struct{}
	wg     sync.WaitGroup // Of conns.
}

// Dial implements raft.StreamLayer.
func (s *stream) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout) // Raft passes none.
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

// Close ends the listener and all connections.
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

type trackedConn struct {
	net.Conn
	stream *stream
	once   sync.Once
}

// Close closes the connection and forgets it.
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
