package place

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/cairnstore/cairn/cluster"
)

// benchNodes and benchDrives are a large cluster.
const (
	benchNodes  = 1000
	benchDrives = 12
	benchZones  = 20
)

// BenchmarkViewMemory reports what a node keeps of the view of 1,000 nodes.
func BenchmarkViewMemory(b *testing.B) {
	kept := make([]*cluster.View, 0, b.N)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for b.Loop() {
		kept = append(kept, uniform(benchNodes, benchZones, benchDrives))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(kept)), "B/view")
	runtime.KeepAlive(kept)
}

// BenchmarkLoseNode finds a new drive for each slot of a lost node, where every
// drive has so many slots.
func BenchmarkLoseNode(b *testing.B) {
	v := uniform(benchNodes, benchZones, benchDrives)
	for _, slots := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("slots=%d", slots), func(b *testing.B) {
			lost := v.Nodes[7].ID
			lists, err := Plan(NewDrives(v, all, none), Width{Slots: 12, Spare: 4}, benchDrives*slots, 1)
			if err != nil {
				b.Fatal(err)
			}
			usable := func(d cluster.DriveID) bool { return v.NodeOf(d).ID != lost }
			for b.Loop() {
				drives := NewDrives(v, usable, none)
				for i, list := range lists {
					if _, err := SpareFor(drives, Vacancy{Slots: list, Spare: 4, Seed: uint64(i)}); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(lists)), "us/slot")
		})
	}
}
