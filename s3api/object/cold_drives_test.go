package object

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/shard/shardtest"
)

// addColdDrives gives the first nodes a drive for cold data each.
func (w *world) addColdDrives(nodes int) {
	w.t.Helper()
	for i := range nodes {
		d := cluster.DriveID(200 + i)
		w.drives[d] = &drive{Memory: shardtest.NewMemory()}
		w.meta.must(&metapb.Command{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{
			Node: &metapb.Node{Id: uint64(i + 1), Drives: []*metapb.Drive{{Id: uint64(100 + i), CapacityBytes: 1 << 40},
				{Id: uint64(d), CapacityBytes: 1 << 40, Cold: true}}}}}})
	}
}

// shardsByKind returns how many shards lie on drives for cold data, and on the others.
func (w *world) shardsByKind() (cold, other int) {
	for id, d := range w.drives {
		if id >= 200 {
			cold += d.Len()
		} else {
			other += d.Len()
		}
	}
	return cold, other
}

// Cold objects lie on the drives that are set aside for them, and nothing else does;
// a warm copy of one lies where standard objects do.
func TestColdDrives(t *testing.T) {
	w := newWorld(t, setup{})
	w.addColdDrives(6)
	b := contentOf(3*testExtent, 1)
	w.putClass("standard", b, nil, profile.ClassStandard)
	cold, other := w.shardsByKind()
	require.Zero(t, cold)
	require.NotZero(t, other)

	w.putClass("cold", b, nil, profile.ClassGlacier)
	cold, unchanged := w.shardsByKind()
	require.NotZero(t, cold)
	require.Equal(t, other, unchanged)

	w.restoreNow("cold", "")
	for _, it := range w.restores() {
		require.NoError(t, w.Warm(t.Context(), it))
	}
	stillCold, warmer := w.shardsByKind()
	require.Equal(t, cold, stillCold)
	require.Greater(t, warmer, other)
}

// Labels on too few nodes do not count.
func TestColdDrivesOnFewNodes(t *testing.T) {
	w := newWorld(t, setup{})
	w.addColdDrives(3)
	w.putClass("cold", contentOf(testExtent, 1), nil, profile.ClassGlacier)
	require.Equal(t, "6 nodes", w.nodesWithShards())
}

// nodesWithShards tells on how many nodes shards lie.
func (w *world) nodesWithShards() string {
	nodes := map[int]bool{}
	for id, d := range w.drives {
		if d.Len() > 0 {
			nodes[int(id)%100] = true
		}
	}
	return fmt.Sprintf("%d nodes", len(nodes))
}
