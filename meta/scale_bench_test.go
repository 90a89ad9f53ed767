package meta

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/cairnstore/cairn/meta/metapb"
)

// BenchmarkTopology makes the topology of 1,000 nodes with 12 drives each, and
// reports what a node keeps of it.
func BenchmarkTopology(b *testing.B) {
	for _, volumes := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("volumes=%d", volumes), func(b *testing.B) {
			a := largeView(1000, 12, volumes)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			var kept []*Topology
			for b.Loop() {
				kept = append(kept, NewTopology(a))
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(kept)), "kept-B")
			runtime.KeepAlive(kept)
		})
	}
}

// BenchmarkAdvanced makes the next topology of one that differs in one volume.
func BenchmarkAdvanced(b *testing.B) {
	for _, volumes := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("volumes=%d", volumes), func(b *testing.B) {
			a := largeView(1000, 12, volumes)
			t := NewTopology(a)
			next := &metapb.ViewAnswer{Epoch: 2, ClusterId: a.ClusterId, Since: 1, Volumes: a.Volumes[:1]}
			for b.Loop() {
				_ = t.Advanced(next)
			}
		})
	}
}

// largeView is the answer of the metadata for volumes of 8+4.
func largeView(nodes, drives, volumes int) *metapb.ViewAnswer {
	a := &metapb.ViewAnswer{Epoch: 1, ClusterId: "c1"}
	for n := range nodes {
		node := &metapb.Node{Id: uint64(n + 1), Zone: fmt.Sprint("zone", n%20), RpcAddr: fmt.Sprintf("node%d.example.com:9001", n),
			RaftAddr: fmt.Sprintf("node%d.example.com:9002", n), S3Addr: fmt.Sprintf("node%d.example.com:9000", n)}
		for d := range drives {
			node.Drives = append(node.Drives, &metapb.Drive{Id: uint64(1000*(n+1) + d), CapacityBytes: 16 << 40})
		}
		a.Nodes = append(a.Nodes, node)
	}
	for v := range volumes {
		vol := &metapb.Volume{Id: uint32(v + 1), Epoch: 1, K: 8, M: 4}
		for s := range 12 {
			vol.Slots = append(vol.Slots, uint64(1000*((v*12+s*83)%nodes+1)+v%drives))
		}
		a.Volumes = append(a.Volumes, vol)
	}
	return a
}
