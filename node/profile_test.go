package node

import (
	"bytes"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/profile"
)

// TestSetProfile: the cluster's settings come before the node's, and one that the
// node does not know costs a line in the log alone.
func TestSetProfile(t *testing.T) {
	var log bytes.Buffer
	n := &Node{cfg: Config{Knobs: map[string]string{"server-header": "node", "min-part": "1MiB"}}, log: slog.New(slog.NewTextHandler(&log, nil))}
	n.setProfile(nil)
	require.Equal(t, profile.OBS, n.profile.Load().Compat)
	require.Equal(t, "node", n.profile.Load().ServerHeader)
	n.setProfile(map[string]string{"compat": "aws", "server-header": "cluster"})
	require.Empty(t, log.String())
	p := n.profile.Load()
	require.Equal(t, profile.AWS, p.Compat)
	require.Equal(t, "cluster", p.ServerHeader)
	require.EqualValues(t, 1<<20, p.MultipartMinPart)
	n.setProfile(map[string]string{"of-next-year": "on", "server-header": "later"})
	require.Contains(t, log.String(), "of-next-year")
	require.Equal(t, "later", n.profile.Load().ServerHeader)
}

// TestSSECRule: the rule about customer keys without TLS is that of the profile in
// force.
func TestSSECRule(t *testing.T) {
	n := &Node{cfg: Config{TrustedProxies: []string{"10.0.0.0/8"}}, log: slog.New(slog.DiscardHandler)}
	for _, listener := range []struct {
		addr     string
		loopback bool
	}{{"127.0.0.1:9000", true}, {"192.0.2.1:9000", false}} {
		addr, err := net.ResolveTCPAddr("tcp", listener.addr)
		require.NoError(t, err)
		forwarded, err := n.forwarded()
		require.NoError(t, err)
		allowed := n.ssecAllowed(addr, forwarded)
		plain := &http.Request{RemoteAddr: "192.0.2.7:1"}
		proxied := &http.Request{RemoteAddr: "10.1.2.3:1", Header: http.Header{"X-Forwarded-Proto": {"https"}}}
		for rule, want := range map[string]bool{"deny": false, "loopback": listener.loopback, "allow": true} {
			n.setProfile(map[string]string{"ssec-plain-http": rule})
			require.Equal(t, want, allowed(plain), "%s %s", listener.addr, rule)
			require.True(t, allowed(proxied))
			require.True(t, forwarded(proxied))
			require.False(t, forwarded(plain))
		}
	}
}
