package place

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
)

// rewriting reports whether golden files are to be written anew: -rewrite, a flag that
// package datadriven defines.
func rewriting() bool { return flag.Lookup("rewrite").Value.String() == "true" }

const tib = 1 << 40

func all(cluster.DriveID) bool { return true }
func none(cluster.DriveID) int { return 0 }

// view builds nodes 1, 2, …, node i in zones[i] with drives[i] drives of 1 TiB;
// drive d of node i has the id 100i+d.
func view(zones []string, drives []int) *cluster.View {
	nodes := make([]cluster.Node, len(zones))
	for i := range nodes {
		id := cluster.NodeID(i + 1)
		nodes[i] = cluster.Node{ID: id, Zone: zones[i]}
		for d := range drives[i] {
			nodes[i].Drives = append(nodes[i].Drives, cluster.Drive{
				ID: cluster.DriveID(100*(i+1) + d), Node: id, CapacityBytes: tib})
		}
	}
	return cluster.NewView(1, nodes)
}

func uniform(nodes, zones, drives int) *cluster.View {
	z, d := make([]string, nodes), make([]int, nodes)
	for i := range z {
		z[i], d[i] = fmt.Sprint("z", i%zones), drives
	}
	return view(z, d)
}

// plan is Plan for lists of n slots none of which may be lost.
func plan(v *cluster.View, usable func(cluster.DriveID) bool, load func(cluster.DriveID) int, n, count int, seed uint64) ([][]cluster.DriveID, error) {
	return Plan(NewDrives(v, usable, load), Width{Slots: n}, count, seed)
}

// spareFor is SpareFor on its own.
func spareFor(v *cluster.View, usable func(cluster.DriveID) bool, load func(cluster.DriveID) int, slots []cluster.DriveID, slot int, seed uint64) (cluster.DriveID, error) {
	return SpareFor(NewDrives(v, usable, load), Vacancy{Slots: slots, Slot: slot, Seed: seed})
}

func TestDomains(t *testing.T) {
	require.Equal(t, 0, Domains(view(nil, nil), all))
	require.Equal(t, 4, Domains(view([]string{""}, []int{4}), all))
	require.Equal(t, 2, Domains(view([]string{"", ""}, []int{4, 3}), all))
	require.Equal(t, 1, Domains(view([]string{"", ""}, []int{4, 3}), func(d cluster.DriveID) bool { return d < 200 }), "one of two nodes")
	require.Equal(t, 4, Domains(view([]string{"", ""}, []int{4, 0}), all), "the other has no drives")
	require.Equal(t, 6, Domains(uniform(6, 3, 2), all))
}

func TestPlanErrors(t *testing.T) {
	_, err := plan(uniform(3, 1, 1), all, none, 6, 1, 0)
	require.True(t, errs.Is(err, errs.NoSpace))
	require.ErrorContains(t, err, "6 slots need as many failure domains, 3 are missing: 3 usable drives on 3 nodes")
	_, err = plan(view(nil, nil), all, none, 1, 1, 0)
	require.True(t, errs.Is(err, errs.NoSpace))
	_, err = plan(uniform(3, 1, 1), all, none, 0, 1, 0)
	require.True(t, errs.Is(err, errs.Invalid))
}

// drawView returns a cluster of any shape and which of its drives are usable.
func drawView(t *rapid.T) (*cluster.View, func(cluster.DriveID) bool) {
	n := rapid.IntRange(1, 14).Draw(t, "nodes")
	zones, drives := make([]string, n), make([]int, n)
	for i := range n {
		zones[i] = fmt.Sprint(rapid.IntRange(0, 4).Draw(t, "zone"))
		drives[i] = rapid.IntRange(0, 4).Draw(t, "drives")
	}
	v := view(zones, drives)
	bad := make(map[cluster.DriveID]bool)
	for i := range v.Nodes {
		for d := range v.Nodes[i].Drives {
			drive := &v.Nodes[i].Drives[d]
			drive.CapacityBytes = rapid.Uint64Range(0, 16).Draw(t, "capacity") * tib
			bad[drive.ID] = rapid.IntRange(0, 4).Draw(t, "bad") == 0
		}
	}
	return v, func(id cluster.DriveID) bool { return !bad[id] }
}

// fill pours n slots into vessels as evenly as their capacities allow and returns
// the levels, sorted.
func fill(n int, capacity []int) []int {
	level := make([]int, len(capacity))
	for range n {
		least := -1
		for i := range capacity {
			if level[i] < capacity[i] && (least < 0 || level[i] < level[least]) {
				least = i
			}
		}
		level[least]++
	}
	slices.Sort(level)
	return level
}

func counts[K comparable](list []cluster.DriveID, key func(cluster.DriveID) K, keys map[K]int) []int {
	got := make(map[K]int)
	for _, d := range list {
		got[key(d)]++
	}
	out := make([]int, 0, len(keys))
	for k := range keys {
		out = append(out, got[k])
	}
	slices.Sort(out)
	return out
}

func values[K comparable](m map[K]int) (out []int) {
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// Any list is as well spread as its cluster allows, compared with an independent
// way of pouring slots into nodes and zones.
func TestPlanSpreadsProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, usable := drawView(t)
		node := func(d cluster.DriveID) cluster.NodeID { return v.NodeOf(d).ID }
		zone := func(d cluster.DriveID) string { return v.NodeOf(d).Zone }
		drivesOf, nodesIn, drives := make(map[cluster.NodeID]int), make(map[string]int), 0
		for i := range v.Nodes {
			for _, d := range v.Nodes[i].Drives {
				if usable(d.ID) {
					drives++
					if drivesOf[node(d.ID)]++; drivesOf[node(d.ID)] == 1 {
						nodesIn[zone(d.ID)]++
					}
				}
			}
		}
		n := rapid.IntRange(1, 16).Draw(t, "n")
		count, seed := rapid.IntRange(0, 8).Draw(t, "count"), rapid.Uint64().Draw(t, "seed")
		load := func(d cluster.DriveID) int { return int(d * 7 % 5) }
		lists, err := plan(v, usable, load, n, count, seed)
		if drives < n {
			require.True(t, errs.Is(err, errs.NoSpace))
			return
		}
		require.NoError(t, err)
		require.Len(t, lists, count)
		for _, list := range lists {
			require.Len(t, list, n)
			seen := make(map[cluster.DriveID]bool)
			for _, d := range list {
				require.True(t, usable(d))
				require.False(t, seen[d], "drive twice")
				seen[d] = true
			}
			require.Equal(t, fill(n, values(drivesOf)), counts(list, node, drivesOf), "over nodes")
			if len(drivesOf) >= n {
				require.Equal(t, fill(n, values(nodesIn)), counts(list, zone, nodesIn), "over zones")
			}
		}
		again, err := plan(v, usable, load, n, count, seed)
		require.NoError(t, err)
		require.Equal(t, lists, again)
	})
}

// n slots over z zones of enough nodes: no zone has more than ceil(n/z).
func TestNoZoneHasMoreThanItsShare(t *testing.T) {
	for zones := 1; zones <= 6; zones++ {
		for n := 2; n <= 12; n++ {
			v := uniform(zones*n, zones, 1)
			lists, err := plan(v, all, none, n, 50, 3)
			require.NoError(t, err)
			for _, list := range lists {
				in := make(map[string]int)
				for _, d := range list {
					in[v.NodeOf(d).Zone]++
				}
				for z, c := range in {
					require.LessOrEqual(t, c, (n+zones-1)/zones, "%d slots over %d zones: %s", n, zones, z)
				}
			}
		}
	}
}

func tally(lists [][]cluster.DriveID) map[cluster.DriveID]int {
	got := make(map[cluster.DriveID]int)
	for _, list := range lists {
		for _, d := range list {
			got[d]++
		}
	}
	return got
}

func TestPlanBalances(t *testing.T) {
	v := uniform(12, 3, 2)
	lists, err := plan(v, all, none, 6, 100, 1)
	require.NoError(t, err)
	for d, c := range tally(lists) { // 600 slots over 24 drives: 25 each.
		require.InDelta(t, 25, c, 2, "drive %s", d)
	}
	// Few lists, as a young cluster has, are even too.
	lists, err = plan(uniform(12, 1, 1), all, none, 6, 2, 1)
	require.NoError(t, err)
	require.LessOrEqual(t, slices.Max(values(tally(lists))), 2)
}

func TestPlanWeighsCapacity(t *testing.T) {
	v := uniform(12, 1, 1)
	for i := range v.Nodes {
		v.Nodes[i].Drives[0].CapacityBytes = uint64(1+i%3) * tib
	}
	lists, err := plan(v, all, none, 4, 240, 1)
	require.NoError(t, err)
	got := tally(lists)
	for i := range v.Nodes { // 960 slots over 24 TiB: 40 a TiB.
		require.InDelta(t, 40*(1+i%3), got[v.Nodes[i].Drives[0].ID], 4)
	}
}

func TestPlanMakesUpForLoad(t *testing.T) {
	load := func(d cluster.DriveID) int {
		if d < 400 { // Nodes 1 to 3 hold 50 slots each, nodes 4 to 12 none.
			return 50
		}
		return 0
	}
	lists, err := plan(uniform(12, 1, 1), all, load, 4, 100, 1)
	require.NoError(t, err)
	for d, c := range tally(lists) {
		require.GreaterOrEqual(t, d, cluster.DriveID(400))
		require.InDelta(t, 400.0/9, c, 2)
	}
}

// The drives that rebuild a lost one are those that share a list with it: nearly all.
// What is added to a drive counts like what it had.
func TestPlanMakesUpForWhatIsAdded(t *testing.T) {
	v := uniform(6, 6, 1)
	load := func(id cluster.DriveID) int {
		if id == 300 {
			return 50
		}
		return 0
	}
	want, err := plan(v, all, load, 3, 40, 7)
	require.NoError(t, err)
	d := NewDrives(v, all, none)
	d.Add(300, 30)
	d.Add(300, 25)
	d.Add(300, -5)
	d.Add(999, 1) // Nobody's.
	got, err := Plan(d, Width{Slots: 3}, 40, 7)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Less(t, tally(got)[300], 20, "of 120 slots")
}

func TestPlanMixesSets(t *testing.T) {
	lists, err := plan(uniform(24, 1, 1), all, none, 6, 200, 5)
	require.NoError(t, err)
	peers := make(map[[2]cluster.DriveID]bool)
	for _, list := range lists {
		for _, a := range list {
			for _, b := range list {
				peers[[2]cluster.DriveID{a, b}] = true
			}
		}
	}
	require.Greater(t, float64(len(peers)), 0.95*24*24)
}

func TestPlanSpreadsParity(t *testing.T) {
	const n, parity, lists = 6, 2, 300
	planned, err := plan(uniform(n, 3, 1), all, none, n, lists, 9)
	require.NoError(t, err)
	got := make(map[cluster.DriveID]int)
	for _, list := range planned {
		for _, d := range list[n-parity:] {
			got[d]++
		}
	}
	require.Len(t, got, n)
	for d, c := range got {
		require.InDelta(t, lists*parity/n, c, 25, "drive %s", d)
	}
}

func TestSeedVariesPlan(t *testing.T) {
	a, err := plan(uniform(12, 1, 1), all, none, 6, 4, 1)
	require.NoError(t, err)
	b, err := plan(uniform(12, 1, 1), all, none, 6, 4, 2)
	require.NoError(t, err)
	require.NotEqual(t, a, b)
}

func TestSpareFor(t *testing.T) {
	v := uniform(8, 4, 2) // Zones z0 to z3, two nodes each.
	slots := []cluster.DriveID{100, 200, 300, 400}
	got, err := spareFor(v, func(d cluster.DriveID) bool { return d/100 != 2 }, none, slots, 1, 1)
	require.NoError(t, err)
	require.Contains(t, []cluster.DriveID{600, 601}, got, "the other node of the lost one's zone")

	load := func(d cluster.DriveID) int { return map[cluster.DriveID]int{600: 9}[d] }
	got, err = spareFor(v, func(d cluster.DriveID) bool { return d/100 != 2 }, load, slots, 1, 1)
	require.NoError(t, err)
	require.Equal(t, cluster.DriveID(601), got, "the emptier drive")

	// Four nodes for four slots, one of them gone: doubling up is no redundancy.
	v = uniform(4, 1, 2)
	_, err = spareFor(v, func(d cluster.DriveID) bool { return d/100 != 2 }, none, slots, 1, 1)
	require.True(t, errs.Is(err, errs.NoSpace))
	got, err = spareFor(v, all, none, []cluster.DriveID{100, 101, 200, 300}, 3, 1) // But two are on a node already.
	require.NoError(t, err)
	require.Contains(t, []cluster.DriveID{400, 401}, got)
	got, err = spareFor(v, func(d cluster.DriveID) bool { return d/100 <= 3 }, none, []cluster.DriveID{100, 101, 200, 400}, 3, 1)
	require.NoError(t, err)
	require.Contains(t, []cluster.DriveID{300, 301}, got)

	// The same drive again is no replacement, and an unknown one can be replaced.
	_, err = spareFor(uniform(4, 1, 1), all, none, slots, 1, 1)
	require.True(t, errs.Is(err, errs.NoSpace))
	_, err = spareFor(v, all, none, []cluster.DriveID{100, 9999}, 1, 1)
	require.NoError(t, err)
	_, err = spareFor(v, all, none, slots, 4, 1)
	require.True(t, errs.Is(err, errs.Invalid))
}

func TestNegLog2(t *testing.T) {
	for _, h := range []uint64{0, 1, 2, 3, 1 << 20, 0xdeadbeef, 1 << 63, 1<<63 + 1, 0xfedcba9876543210, math.MaxUint64} {
		require.InDelta(t, 64-math.Log2(float64(h|1)), negLog2(h), 1e-6, "%x", h)
		require.Positive(t, negLog2(h))
	}
}

// Plans are the same on every machine and in every release: a change here moves
// no data, but must be meant. Rewrite with -rewrite.
func TestPlanGolden(t *testing.T) {
	var out bytes.Buffer
	for _, c := range []struct {
		name     string
		v        *cluster.View
		n, count int
	}{
		{"six nodes, three zones, two drives: 4+2", uniform(6, 3, 2), 6, 4},
		{"seven nodes, two zones, one drive: 2+2", uniform(7, 2, 1), 4, 4},
		{"two nodes, three drives: 2+2 doubles up", uniform(2, 1, 3), 4, 3},
		{"one node, four drives: 2+2", uniform(1, 1, 4), 4, 2},
	} {
		fmt.Fprintln(&out, "#", c.name)
		lists, err := plan(c.v, all, none, c.n, c.count, 42)
		require.NoError(t, err)
		for _, list := range lists {
			for _, d := range list {
				fmt.Fprintf(&out, "%d ", uint64(d))
			}
			fmt.Fprintln(&out)
		}
	}
	const file = "testdata/plan.golden"
	if rewriting() {
		require.NoError(t, os.WriteFile(file, out.Bytes(), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), out.String())
}

func BenchmarkPlan(b *testing.B) {
	v := uniform(100, 5, 4)
	for b.Loop() {
		_, _ = plan(v, all, none, 12, 100, 1)
	}
}
