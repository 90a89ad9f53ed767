package node

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/node/observe"
	"github.com/cairnstore/cairn/node/upkeep"
	"github.com/cairnstore/cairn/s3api/profile"
)

// TestApplySettings: the cluster's settings come before the node's, and one that the
// node does not know costs a line in the log alone.
func TestApplySettings(t *testing.T) {
	var log bytes.Buffer
	cfg := Defaults()
	cfg.Knobs = map[string]string{"server-header": "node", "min-part": "1MiB"}
	cfg.RepairRate, cfg.BackupHorizon = 1<<20, 2*time.Hour
	n := &Node{cfg: cfg, logs: quietLog(t), log: slog.New(slog.NewTextHandler(&log, nil))}
	n.applySettings(nil)
	require.Equal(t, profile.OBS, n.profile.Load().Compat)
	require.Equal(t, "node", n.profile.Load().ServerHeader)
	n.applySettings(map[string]string{"compat": "aws", "server-header": "cluster"})
	require.Empty(t, log.String())
	p := n.profile.Load()
	require.Equal(t, profile.AWS, p.Compat)
	require.Equal(t, "cluster", p.ServerHeader)
	require.EqualValues(t, 1<<20, p.MultipartMinPart)
	n.applySettings(map[string]string{"of-next-year": "on", "server-header": "later"})
	require.Contains(t, log.String(), "of-next-year")
	require.Equal(t, "later", n.profile.Load().ServerHeader)

	log.Reset()
	fortnight := 14 * 24 * time.Hour
	require.Equal(t, upkeep.Terms{LostAfter: 15 * time.Minute, MoveRate: 256 << 20, RepairRate: 1 << 20,
		ScrubInterval: fortnight, Grace: 2 * time.Hour}, n.upkeepTerms())
	n.applySettings(map[string]string{"repair-rate": "32MiB", "lost-after": "0s", "gc-grace": "3h",
		"log-level": "debug", "move-rate": "fast"})
	require.Equal(t, upkeep.Terms{MoveRate: 256 << 20, RepairRate: 32 << 20, ScrubInterval: fortnight,
		Grace: 3 * time.Hour}, n.upkeepTerms(), "one that cannot be used is the node's own")
	require.Contains(t, log.String(), "move-rate")
	require.True(t, n.logs.Enabled(t.Context(), slog.LevelDebug))
	n.applySettings(nil)
	require.EqualValues(t, 1<<20, n.upkeepTerms().RepairRate)
	require.False(t, n.logs.Enabled(t.Context(), slog.LevelDebug))
}

// quietLog is the log of a node of which a test sees nothing.
func quietLog(t *testing.T) *observe.Log {
	logs, err := observe.NewLog(io.Discard, "info", "text")
	require.NoError(t, err)
	t.Cleanup(logs.Close)
	return logs
}

// TestSSECRule: the rule about customer keys without TLS is that of the profile in
// force.
func TestSSECRule(t *testing.T) {
	n := &Node{cfg: Config{TrustedProxies: []string{"10.0.0.0/8"}}, logs: quietLog(t), log: slog.New(slog.DiscardHandler)}
	n.cfg.LogLevel = "info"
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
			n.applySettings(map[string]string{"ssec-plain-http": rule})
			require.Equal(t, want, allowed(plain), "%s %s", listener.addr, rule)
			require.True(t, allowed(proxied))
			require.True(t, forwarded(proxied))
			require.False(t, forwarded(plain))
		}
	}
}
