package node_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/node"
)

// strangersPatience bounds how long the tests wait: no deadline of the product.
const strangersPatience = 2 * time.Minute

func dialFrom(t *testing.T, from, to string) net.Conn {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.DialContext(t.Context(), "tcp", to)
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Now().Add(strangersPatience)))
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Whoever connects to a listener of a node and says nothing, begins to say something
// and stops, or talks nonsense, is cut off: every one that a node has.
func TestSilentStrangersAreCutOff(t *testing.T) {
	var listeners map[string]string
	metrics := freePorts(t, 1)[0]
	nodes, _ := realCluster(t, 1, func(c *node.Config) {
		c.MetricsAddr, c.SlowClient = metrics, time.Second
		listeners = map[string]string{"s3": c.S3, "rpc": c.RPC, "raft": c.Raft, "gossip": c.Gossip, "metrics": metrics}
	})
	defer stopAll(t, nodes)
	var wg sync.WaitGroup
	defer wg.Wait()
	for name, addr := range listeners {
		for _, say := range []string{"", "\x16\x03\x01", "GET /livez HTT", "GET /livez HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n",
			"POST /cairn.admin./x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n", "GET /metrics HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", strings.Repeat("\x00", 5000)} {
			c := dialFrom(t, "127.0.0.1", addr)
			wg.Go(func() {
				_, _ = io.WriteString(c, say)
				if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%s: %q stays open", name, say)
				}
			})
		}
	}
}

// One address cannot take all connections, operators get in when they are taken, and
// metrics tell of those that were refused.
func TestConnectionsAreBounded(t *testing.T) {
	metrics := freePorts(t, 1)[0]
	nodes, endpoints := realCluster(t, 1, func(c *node.Config) {
		c.MetricsAddr, c.MaxConnections, c.OperatorAddresses = metrics, 16, []string{"127.0.0.9/32"}
	})
	defer stopAll(t, nodes)
	alive := func(from string) bool {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		client := &http.Client{Transport: &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true}, Timeout: strangersPatience}
		resp, err := client.Get("http://" + endpoints[0] + "/livez")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}
	hold := func(from string, n int) (kept []net.Conn) {
		for range n {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
			if c, err := d.DialContext(t.Context(), "tcp", endpoints[0]); err == nil { // Else it was refused before the dialer looked.
				kept = append(kept, c)
			}
		}
		return kept
	}
	first := hold("127.0.0.2", 30)
	require.Eventually(t, func() bool { return !alive("127.0.0.2") }, strangersPatience, 10*time.Millisecond, "the address has its share")
	require.True(t, alive("127.0.0.3"), "others get in")
	second := hold("127.0.0.3", 30)
	require.Eventually(t, func() bool { return !alive("127.0.0.4") }, strangersPatience, 10*time.Millisecond, "all are taken")
	require.True(t, alive("127.0.0.9"), "an operator gets in")
	told := func() string {
		resp, err := http.Get("http://" + metrics + "/metrics")
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return string(body)
	}
	require.Eventually(t, func() bool { return strings.Contains(told(), `cairn_connections{listener="s3"} 16`) },
		strangersPatience, 10*time.Millisecond, "the operator's connection ends")
	for _, want := range []string{`cairn_connections_refused_total{listener="s3",reason="full"}`, `cairn_connections_refused_total{listener="s3",reason="full_address"}`} {
		require.Contains(t, told(), want)
	}
	for _, c := range append(first, second...) {
		_ = c.Close()
	}
	require.Eventually(t, func() bool { return alive("127.0.0.2") }, strangersPatience, 10*time.Millisecond, "there is room again")
}
