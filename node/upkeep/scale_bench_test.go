package upkeep

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// BenchmarkPlanMoves plans one round after a node of 1,000 was lost, and one of a
// cluster where nothing is.
func BenchmarkPlanMoves(b *testing.B) {
	const nodes, drives, zones, width = 1000, 12, 20, 12
	for _, volumes := range []int{10_000, 100_000} {
		for _, lost := range []bool{false, true} {
			b.Run(fmt.Sprintf("volumes=%d/lost=%t", volumes, lost), func(b *testing.B) {
				list := make([]cluster.Node, nodes)
				for i := range list {
					id := cluster.NodeID(i + 1)
					list[i] = cluster.Node{ID: id, Zone: fmt.Sprint(i % zones)}
					for d := range drives {
						list[i].Drives = append(list[i].Drives, cluster.Drive{ID: cluster.DriveID(100*(i+1) + d), Node: id, CapacityBytes: 1 << 40})
					}
				}
				if lost {
					list[7].State = cluster.Lost
				}
				t := &meta.Topology{View: cluster.NewView(1, list), Volumes: map[shard.VolumeID]*shard.Volume{}}
				stats := map[shard.VolumeID]*metapb.VolumeStats{}
				rnd := rand.New(rand.NewPCG(1, 2))
				for v := range volumes {
					vol := &shard.Volume{ID: shard.VolumeID(v + 1), Epoch: 1, Scheme: shard.Scheme{K: 8, M: 4}}
					for _, n := range rnd.Perm(nodes)[:width] {
						vol.Slots = append(vol.Slots, list[n].Drives[rnd.IntN(drives)].ID)
					}
					t.Volumes[vol.ID] = vol
					stats[vol.ID] = &metapb.VolumeStats{Extents: 100, PlainBytes: 6 << 30}
				}
				alive := func(n cluster.NodeID) bool { return !lost || n != list[7].ID }
				for b.Loop() {
					p := planMoves(t, stats, alive, func(string) bool { return false })
					b.ReportMetric(float64(len(p.start)), "moves")
				}
			})
		}
	}
}
