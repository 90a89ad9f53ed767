package node_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/identity"
	"github.com/cairnstore/cairn/node"
)

// freePorts returns ports that nobody listens on at this moment.
func freePorts(t *testing.T, n int) []string {
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer func() { _ = l.Close() }()
		out = append(out, l.Addr().String())
	}
	return out
}

// realCluster starts n nodes that talk over TLS on loopback.
func realCluster(t *testing.T, n int, change func(*node.Config)) (nodes []*node.Node, endpoints []string) {
	dir := t.TempDir()
	key, err := identity.NewKeyText()
	require.NoError(t, err)
	keyFile := filepath.Join(dir, "cluster.key")
	require.NoError(t, os.WriteFile(keyFile, []byte(key+"\n"), 0o600))
	ports := freePorts(t, 4*n)
	for i := range n {
		cfg := node.Defaults()
		cfg.S3, cfg.RPC, cfg.Raft, cfg.Gossip = ports[4*i], ports[4*i+1], ports[4*i+2], ports[4*i+3]
		cfg.DataDirs = []string{filepath.Join(dir, fmt.Sprint(i))}
		cfg.Advertise, cfg.Join, cfg.BootstrapExpect = "127.0.0.1", []string{ports[3]}, n
		cfg.ClusterKeyFile, cfg.RootUser, cfg.RootPassword = keyFile, "root", "root-password"
		cfg.FastDetection, cfg.LogLevel, cfg.DriveReserve = true, "error", 0
		change(&cfg)
		require.NoError(t, cfg.Validate())
		nd, err := node.Start(t.Context(), cfg, node.OS("test"))
		require.NoError(t, err)
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
			defer cancel()
			_ = nd.Stop(ctx)
		})
		nodes, endpoints = append(nodes, nd), append(endpoints, cfg.S3)
	}
	for _, nd := range nodes {
		require.Eventually(t, func() bool { return nd.Ready() == nil }, 5*time.Minute, 20*time.Millisecond)
	}
	return nodes, endpoints
}

func stopAll(t *testing.T, nodes []*node.Node) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for _, n := range nodes {
		wg.Go(func() {
			if err := n.Stop(ctx); err != nil && !strings.Contains(err.Error(), "deadline") {
				t.Errorf("stop: %v", err)
			}
		})
	}
	wg.Wait()
}
