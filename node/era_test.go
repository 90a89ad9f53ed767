package node_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta/group"
	"github.com/cairnstore/cairn/node"
)

// TestEraNoted: the power went between a recovery of the metadata and the note of it;
// the node that starts then is of the new era for all others.
func TestEraNoted(t *testing.T) {
	var cfg node.Config
	nodes, _ := realCluster(t, 1, func(c *node.Config) { c.DriveReserve = 0; cfg = *c })
	stopAll(t, nodes)
	home := func() (h struct {
		Node string `json:"node"`
		Era  uint64 `json:"era"`
	}) {
		text, err := os.ReadFile(filepath.Join(cfg.DataDirs[0], "node.json"))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &h))
		return h
	}
	require.Zero(t, home().Era)
	id, err := cluster.ParseNodeID(home().Node)
	require.NoError(t, err)
	r, err := group.Recover(group.Config{Node: id, FS: vfs.Default, Dir: filepath.Join(cfg.DataDirs[0], "meta")}, 0)
	require.NoError(t, err)
	require.EqualValues(t, 1, r.Era)

	n, err := node.Start(t.Context(), cfg, node.OS("test"))
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = n.Stop(ctx)
	})
	require.EqualValues(t, 1, home().Era)
	require.Eventually(t, func() bool { return n.Ready() == nil }, 5*time.Minute, 20*time.Millisecond)
}
