package rafttransport

import (
	"context"
	"net"
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
