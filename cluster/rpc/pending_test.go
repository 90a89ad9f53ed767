package rpc

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Whoever connects to an internode listener and shows no certificate is cut off, and
// there are not many of them at a time: RPC, Raft and shards all listen like this.
func TestSilentPeersAreCutOff(t *testing.T) {
	raw, err := TCP().Listen("127.0.0.1:0")
	require.NoError(t, err)
	id := testIdentity(t, "a", 1)
	l := newTLSListener(raw, id.ServerTLS(), 300*time.Millisecond)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			})
		}
	})
	defer wg.Wait()
	defer l.Close()
	silent := make([]net.Conn, 0, maxPendingPerAddress+20)
	for range cap(silent) {
		c, err := net.Dial("tcp", raw.Addr().String())
		require.NoError(t, err)
		defer c.Close()
		silent = append(silent, c)
		l.mu.Lock()
		require.LessOrEqual(t, l.total, maxPendingPerAddress)
		l.mu.Unlock()
	}
	for i, c := range silent {
		require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute))) // No deadline of the product.
		if i%2 == 0 {
			_, _ = c.Write([]byte{22, 3, 1}) // A handshake that does not go on.
		}
		_, err := io.ReadAll(c)
		timeout, ok := err.(net.Error)
		require.False(t, ok && timeout.Timeout(), "a peer that says nothing stays")
	}
	require.Eventually(t, func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.total == 0 && len(l.pending) == 0 }, 5*time.Minute, time.Millisecond)

	// A member is not cut off when it has shaken hands, however long it says nothing.
	c, err := TLS(TCP(), testIdentity(t, "a", 2)).Dial(t.Context(), raw.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Write([]byte("a"))
	require.NoError(t, err)
	time.Sleep(2 * l.handshake)
	_, err = c.Write([]byte("b"))
	require.NoError(t, err)
	got := make([]byte, 2)
	_, err = io.ReadFull(c, got)
	require.NoError(t, err)
	require.Equal(t, "ab", string(got))
}
