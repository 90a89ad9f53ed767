package rafttransport

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
)

// TestCloseEndsConnections: Close ends connections on both sides, Wait returns when they are
// gone, and none is made afterwards.
func TestCloseEndsConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pipes{"a:1": make(listener), "b:1": make(listener)}
		open := func(addr string) *Transport {
			return New(Options{Addr: addr, Listener: n[addr], Dial: n.dial, Timeout: time.Second,
				Logger: hclog.NewNullLogger()})
		}
		from, to := open("a:1"), open("b:1")
		c, err := from.stream.Dial("b:1", time.Second)
		require.NoError(t, err)
		synctest.Wait() // It was accepted.
		require.Len(t, from.stream.conns, 1)
		require.Len(t, to.stream.conns, 1)
		require.NoError(t, from.Close())
		from.Wait()
		_, err = c.Write([]byte{1})
		require.Error(t, err)
		synctest.Wait() // The other side has seen it.
		require.Empty(t, to.stream.conns)
		_, err = from.stream.Dial("b:1", time.Second)
		require.True(t, errs.Is(err, errs.Unavailable), "%v", err)
		require.NoError(t, to.Close())
		to.Wait()
	})
}

// TestNoConnectionOutlivesClose: a connection that is made while the transport is closed, by
// either side, is ended at once.
func TestNoConnectionOutlivesClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := pipes{"a:1": make(listener)}
		made := make(chan net.Conn)
		a := New(Options{Addr: "a:1", Listener: n["a:1"], Timeout: time.Minute, Logger: hclog.NewNullLogger(),
			Dial: func(context.Context, string) (net.Conn, error) { return <-made, nil }})
		failed := make(chan error, 1)
		go func() {
			_, err := a.stream.Dial("b:1", time.Minute)
			failed <- err
		}()
		synctest.Wait() // It dials.
		require.NoError(t, a.Close())
		near, far := net.Pipe()
		made <- near
		require.True(t, errs.Is(<-failed, errs.Unavailable))
		_, err := far.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		a.Wait()
		require.Empty(t, a.stream.conns)
	})
}

// TestAnsweredWaits: a read waits for the answer that confirms it.
func TestAnsweredWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAcks()
		since := a.tick()
		led := make(chan bool, 1)
		go func() { led <- a.wait(nil, []raft.ServerID{"b", "c"}, 2, 3, since) }()
		for _, id := range []raft.ServerID{"b", "c"} {
			synctest.Wait()
			require.Empty(t, led)
			a.add(id, 3, a.now())
		}
		require.True(t, <-led)
	})
}
