package node_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/node"
)

// TestReadyWithVoters: a new cluster is ready when all that should vote do, for what is
// acknowledged before lies in the metadata of fewer nodes.
func TestReadyWithVoters(t *testing.T) {
	var metrics []string
	nodes, _ := realCluster(t, 3, func(c *node.Config) {
		c.MetricsAddr = freePorts(t, 1)[0]
		metrics = append(metrics, c.MetricsAddr)
	})
	defer stopAll(t, nodes)
	// On a busy machine the lead may just be passing from one node to another.
	require.Eventually(t, func() bool {
		for _, addr := range metrics {
			resp, err := http.Get("http://" + addr + "/metrics")
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			if strings.Contains(string(body), "\ncairn_raft_leader 1\n") {
				require.Contains(t, string(body), "\ncairn_raft_voters 3\n")
				return true
			}
		}
		return false
	}, strangersPatience, 10*time.Millisecond, "no node leads")
}
