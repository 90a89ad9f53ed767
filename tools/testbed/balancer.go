package testbed

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// BalancedURL is the one address behind which Balanced finds the nodes that run.
const BalancedURL = "http://s3.cairn.test"

// balancedIdle is how many connections to all nodes together stay open.
const balancedIdle = 64

// Balanced returns an HTTP client for which BalancedURL is a name with the addresses of all nodes
// that run. Each new connection goes to the next node, and passes over those that do not answer.
// The client has to deal with a connection that breaks.
func (c *Cluster) Balanced(dialTimeout time.Duration) *http.Client {
	var next atomic.Uint64
	dialer := net.Dialer{Timeout: dialTimeout}
	transport := &http.Transport{MaxIdleConnsPerHost: balancedIdle, ResponseHeaderTimeout: time.Minute}
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		first := next.Add(1)
		err := errors.New("no node runs")
		nodes := c.Up()
		for i := range nodes {
			var conn net.Conn
			conn, err = dialer.DialContext(ctx, network, nodes[(first+uint64(i))%uint64(len(nodes))].Host())
			if err == nil {
				return conn, nil
			}
		}
		return nil, err
	}
	return &http.Client{Transport: transport}
}
