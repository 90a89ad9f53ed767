package identity

import (
	"bytes"
	"io"
	"net"
	"sync"
	"time"
)

// flow is one direction of a connection in memory. Unlike net.Pipe it buffers: both
// ends of TLS may write before either reads.
type flow struct {
	mu     sync.Mutex
	cond   *sync.Cond
	data   bytes.Buffer
	closed bool
}

func newFlow() *flow {
	f := &flow{}
	f.cond = sync.NewCond(&f.mu)
	return f
}

func (f *flow) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.cond.Broadcast()
}

type pipeEnd struct{ in, out *flow }

// pipe returns the two ends of a connection.
func pipe() (a, b net.Conn) {
	x, y := newFlow(), newFlow()
	return pipeEnd{x, y}, pipeEnd{y, x}
}

func (p pipeEnd) Read(b []byte) (int, error) {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	for p.in.data.Len() == 0 {
		if p.in.closed {
			return 0, io.EOF
		}
		p.in.cond.Wait()
	}
	return p.in.data.Read(b)
}

func (p pipeEnd) Write(b []byte) (int, error) {
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	if p.out.closed {
		return 0, net.ErrClosed
	}
	p.out.cond.Broadcast()
	return p.out.data.Write(b)
}

// Close lets the other end read what was written, as TCP does.
func (p pipeEnd) Close() error {
	p.in.close()
	p.out.close()
	return nil
}

func (pipeEnd) LocalAddr() net.Addr              { return &net.TCPAddr{Port: 1} }
func (pipeEnd) RemoteAddr() net.Addr             { return &net.TCPAddr{Port: 2} }
func (pipeEnd) SetDeadline(time.Time) error      { return nil }
func (pipeEnd) SetReadDeadline(time.Time) error  { return nil }
func (pipeEnd) SetWriteDeadline(time.Time) error { return nil }
