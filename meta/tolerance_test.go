package meta

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/place"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// zoned is a cluster with so many drives on a node, and a volume of each list of drives.
func zoned(zones string, drives []int, k, m int, lists ...[]uint64) *Topology {
	a := &metapb.ViewAnswer{Epoch: 1}
	for i, z := range zones {
		n := &metapb.Node{Id: uint64(i + 1), Zone: string(z)}
		for d := range drives[i] {
			n.Drives = append(n.Drives, &metapb.Drive{Id: uint64(10*(i+1) + d), CapacityBytes: 1})
		}
		a.Nodes = append(a.Nodes, n)
	}
	for i, l := range lists {
		a.Volumes = append(a.Volumes, &metapb.Volume{Id: uint32(i + 1), K: uint32(k), M: uint32(m), Slots: l})
	}
	return NewTopology(a)
}

func holding(volumes ...int) map[shard.VolumeID]*metapb.VolumeStats {
	stats := map[shard.VolumeID]*metapb.VolumeStats{}
	for _, v := range volumes {
		stats[shard.VolumeID(v)] = &metapb.VolumeStats{Extents: 1}
	}
	return stats
}

func none(cluster.DriveID) bool { return false }

// A small zone whose only node holds two slots: what the zone promises is kept, what the
// nodes promise is not, and the volumes that hold nothing do not count.
func TestToleranceNamesTheCrowdedNode(t *testing.T) {
	topo := zoned("abbbccc", []int{2, 1, 1, 1, 1, 1, 1}, 4, 2,
		[]uint64{10, 11, 20, 30, 50, 60}, []uint64{10, 11, 20, 40, 50, 70}, []uint64{10, 20, 30, 40, 50, 60}, []uint64{10, 11, 20, 40, 50, 70})
	got := topo.Tolerance(holding(1, 2, 3), none)
	require.Equal(t, Tolerance{Now: place.Tolerance{Nodes: 1, Drives: 2}, Promised: place.Tolerance{Nodes: 2, Drives: 2, Zones: 1},
		Volumes: 3, Crowded: 3, CrowdedNode: 1, CrowdedNodeHas: 2, Zones: 3}, got)

	dead := func(d cluster.DriveID) bool { return d == 20 }
	got = topo.Tolerance(holding(1), dead)
	require.Equal(t, place.Tolerance{Drives: 1}, got.Now, "with one dead, the crowded node is one too many")
	got = topo.Tolerance(holding(1, 3), func(d cluster.DriveID) bool { return d/10 == 1 || d == 20 })
	require.Equal(t, 1, got.Unreadable)
	require.Zero(t, got.Now.Nodes, "of the other volume")
}

// Volumes that lie well but lack shards are short, not crowded; so is one whose drive has
// left the cluster.
func TestToleranceOfWhatIsMissing(t *testing.T) {
	topo := zoned("abcdefg", []int{1, 1, 1, 1, 1, 1, 1}, 4, 2, []uint64{10, 20, 30, 40, 50, 60}, []uint64{10, 20, 30, 40, 50, 99})
	stats := holding(1)
	require.Equal(t, place.Tolerance{Nodes: 2, Drives: 2, Zones: 2}, topo.Tolerance(stats, none).Now)
	stats[1].Missing, stats[1].MissingSlots = []uint64{3}, []uint64{0, 3}
	got := topo.Tolerance(stats, none)
	require.Equal(t, place.Tolerance{Nodes: 1, Drives: 1, Zones: 1}, got.Now)
	require.Equal(t, 1, got.Short)
	require.Zero(t, got.Crowded)
	got = topo.Tolerance(holding(2), none)
	require.Equal(t, place.Tolerance{Nodes: 1, Drives: 1, Zones: 1}, got.Now)
	require.Equal(t, [2]int{1, 0}, [2]int{got.Short, got.Crowded})
}

// Where nothing is stored the widest volumes count, which new data goes to.
func TestToleranceOfAnEmptyCluster(t *testing.T) {
	topo := zoned("aaaaaa", []int{1, 1, 1, 1, 1, 1}, 4, 2, []uint64{10, 20, 30, 40, 50, 60})
	topo.Volumes[2] = &shard.Volume{ID: 2, Scheme: shard.Scheme{K: 1}, Slots: []cluster.DriveID{10}}
	require.Equal(t, place.Tolerance{Nodes: 2, Drives: 2}, topo.Tolerance(nil, none).Now)
	require.Equal(t, place.Tolerance{}, topo.Tolerance(holding(2), none).Now)
	require.Equal(t, Tolerance{}, zoned("", nil, 0, 0).Tolerance(nil, none))
}

// What is remembered is forgotten with each change that it depends on.
func TestTolerancesFollowChanges(t *testing.T) {
	topo := zoned("aaaaaaa", []int{1, 1, 1, 1, 1, 1, 1}, 4, 2, []uint64{10, 20, 30, 40, 50, 60}, []uint64{20, 30, 40, 50, 60, 70})
	var c Tolerances
	stats := holding(1)
	require.Equal(t, 2, c.Of(topo, stats, none).Now.Nodes)
	require.Equal(t, 1, c.Of(topo, stats, func(d cluster.DriveID) bool { return d == 10 }).Now.Nodes)
	require.Equal(t, 2, c.Of(topo, holding(2), func(d cluster.DriveID) bool { return d == 10 }).Now.Nodes)
	stats[1].Missing, stats[1].MissingSlots = []uint64{1}, []uint64{1}
	require.Equal(t, 1, c.Of(topo, stats, none).Now.Nodes)
	stats[1].Extents, stats[1].Missing, stats[1].MissingSlots = 7, []uint64{0, 1}, []uint64{1, 1}
	require.Equal(t, 0, c.Of(topo, stats, none).Now.Nodes)
}

// Volumes that are to lie worse than they would otherwise are told, others are not.
func TestWorse(t *testing.T) {
	topo := zoned("abbbccca", []int{2, 1, 1, 1, 1, 1, 1, 1}, 4, 2, []uint64{10, 80, 20, 30, 50, 60}, []uint64{10, 80, 20, 30, 50, 60})
	after := Moved{1: {10, 11, 20, 30, 50, 60}, 2: {10, 11, 20, 30, 50, 60}}
	worse := topo.Worse(after, nil, holding(1), none)
	require.Len(t, worse, 1)
	require.Equal(t, shard.VolumeID(1), worse[0].ID)
	require.Empty(t, topo.Worse(after, after, holding(1), none), "it would be so anyway")
	require.Empty(t, topo.Worse(Moved{1: {10, 80, 20, 40, 50, 60}}, nil, holding(1), none))
	require.Len(t, topo.Worse(Moved{1: {10, 70, 20, 30, 50, 60}}, nil, holding(1), none), 1, "three in zone c: its loss is one too many")
	require.Equal(t, 1, topo.With(after).Tolerance(holding(1), none).Now.Nodes)
	require.Equal(t, 2, topo.Tolerance(holding(1), none).Now.Nodes)
}

// BenchmarkTolerance judges 100,000 volumes of 8+4 over 1,000 nodes, and asks again.
func BenchmarkTolerance(b *testing.B) {
	topo := NewTopology(largeView(1000, 12, 100_000))
	stats := map[shard.VolumeID]*metapb.VolumeStats{}
	for id := range topo.Volumes {
		stats[id] = &metapb.VolumeStats{Extents: 1000}
	}
	for _, again := range []bool{false, true} {
		b.Run(fmt.Sprintf("again=%v", again), func(b *testing.B) {
			var c Tolerances
			for b.Loop() {
				if !again {
					c = Tolerances{}
				}
				c.Of(topo, stats, none)
			}
		})
	}
}
