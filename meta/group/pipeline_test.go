package group

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

// A sender whose pipeline nobody listens to any more must not wait for ever: that
// is what Raft does to it after a refusal.
func TestPipelineEndsWhenStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		open := func(node int, addr string) *transport {
			return newTransport(Config{RaftAddr: addr, Listener: n.listen(node, addr), Timing: FastTiming(),
				Dial: func(ctx context.Context, addr string) (net.Conn, error) { return n.dial(ctx, node, addr) }})
		}
		from, to := open(1, "a:1"), open(2, "b:1")
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
