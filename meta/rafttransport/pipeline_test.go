package rafttransport

import (
	"bytes"
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

// A sender whose pipeline nobody listens to any more must not wait for ever: that
// is what Raft does to it after a refusal.
func TestPipelineEndsWhenStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pipes{"a:1": make(listener), "b:1": make(listener)}
		open := func(addr string) *Transport {
			return New(Options{Addr: addr, Listener: n[addr], Dial: n.dial, Timeout: time.Second, Logger: hclog.NewNullLogger()})
		}
		from, to := open("a:1"), open("b:1")
		defer to.Close()
		defer from.Close()
		done := make(chan struct{})
		defer close(done)
		go func() {
			for {
				select {
				case rpc := <-to.Consumer():
					rpc.Respond(&raft.AppendEntriesResponse{}, nil)
				case <-done:
					return
				}
			}
		}()
		p, err := from.AppendEntriesPipeline("b", "b:1")
		require.NoError(t, err)
		defer p.Close()
		start := time.Now()
		for err == nil && time.Since(start) < time.Minute {
			_, err = p.AppendEntries(new(raft.AppendEntriesRequest), new(raft.AppendEntriesResponse))
		}
		require.ErrorIs(t, err, raft.ErrPipelineShutdown)
	})
}

// pipes is a network in memory: the listeners by their addresses.
type pipes map[string]listener

func (p pipes) dial(ctx context.Context, addr string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p[addr] <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// listener gives out what is put into it, until it is closed.
type listener chan net.Conn

func (l listener) Accept() (net.Conn, error) {
	c, ok := <-l
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (l listener) Close() error {
	close(l)
	return nil
}

func (l listener) Addr() net.Addr { return advertised("listener:1") }

// dialBuffered is dial for connections on which nobody waits for the other to read, as with
// those of a kernel.
func (p pipes) dialBuffered(ctx context.Context, addr string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p[addr] <- newBuffered(far):
		return newBuffered(near), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// buffered is a connection whose writes return at once. Close lets what was written arrive.
type buffered struct {
	net.Conn
	mu     sync.Mutex
	queue  chan []byte
	closed bool
}

func newBuffered(c net.Conn) *buffered {
	b := &buffered{Conn: c, queue: make(chan []byte, 1<<10)}
	go func() {
		defer c.Close()
		for data := range b.queue {
			if _, err := c.Write(data); err != nil {
				return
			}
		}
	}()
	return b
}

func (b *buffered) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, net.ErrClosed
	}
	b.queue <- bytes.Clone(data)
	return len(data), nil
}

func (b *buffered) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		close(b.queue)
	}
	b.closed = true
	return nil
}
