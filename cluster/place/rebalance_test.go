package place

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster"
)

// groupsOf plans groups of n slots over a view.
func groupsOf(t require.TestingT, v *cluster.View, usable func(cluster.DriveID) bool, n, count int, bytes func(i int) uint64) []Group {
	lists, err := plan(v, usable, none, n, count, 1)
	require.NoError(t, err)
	groups := make([]Group, count)
	for i, l := range lists {
		groups[i] = Group{Slots: l, Bytes: bytes(i)}
	}
	return groups
}

// settle calls Rebalance as upkeep does, a few shifts a time, until there are none,
// and returns the bytes moved.
func settle(t require.TestingT, v *cluster.View, usable func(cluster.DriveID) bool, groups []Group, check func(before, after []cluster.DriveID)) (moved uint64) {
	for round := 0; ; round++ {
		require.Less(t, round, 10000, "it does not come to an end")
		shifts := Rebalance(v, usable, groups, 4)
		if len(shifts) == 0 {
			return moved
		}
		seen := map[int]bool{}
		for _, s := range shifts {
			require.False(t, seen[s.Group], "two shifts of one group")
			seen[s.Group] = true
			before := groups[s.Group].Slots
			after := slices.Clone(before)
			after[s.Slot] = s.To
			require.NotContains(t, before, s.To)
			require.True(t, usable(s.To))
			if check != nil {
				check(before, after)
			}
			groups[s.Group].Slots = after
			moved += groups[s.Group].Bytes
		}
	}
}

func held(groups []Group) map[cluster.DriveID]float64 {
	sum := map[cluster.DriveID]float64{}
	for _, g := range groups {
		for _, d := range g.Slots {
			sum[d] += float64(g.Bytes)
		}
	}
	return sum
}

// A drive, or a node, that joins gets its share, and little more is moved than that.
func TestRebalanceToNewcomers(t *testing.T) {
	for _, c := range []struct {
		nodes, joined, drives, zones, n, groups int
	}{
		{6, 1, 1, 1, 6, 60}, {6, 3, 1, 3, 6, 60}, {9, 3, 4, 3, 6, 200}, {3, 3, 2, 1, 3, 40}, {1, 1, 4, 1, 1, 50}, {12, 4, 2, 4, 12, 100},
	} {
		t.Run(fmt.Sprintf("%d+%d nodes of %d drives", c.nodes, c.joined, c.drives), func(t *testing.T) {
			v := uniform(c.nodes+c.joined, c.zones, c.drives)
			old := func(d cluster.DriveID) bool { return int(v.NodeOf(d).ID) <= c.nodes }
			groups := groupsOf(t, v, old, c.n, c.groups, func(i int) uint64 { return uint64(90+i%21) << 20 })
			share := 0.0
			for _, b := range held(groups) {
				share += b
			}
			share /= float64((c.nodes + c.joined) * c.drives)
			moved := settle(t, v, all, groups, nil)
			ideal := share * float64(c.joined*c.drives)
			require.LessOrEqual(t, float64(moved), 1.2*ideal)
			for d, b := range held(groups) {
				require.InDelta(t, 1, b/share, 0.25, "drive %v", d)
			}
			require.Len(t, held(groups), (c.nodes+c.joined)*c.drives)
		})
	}
}

// A balanced cluster moves nothing, also when a little is written.
func TestRebalanceRests(t *testing.T) {
	v := uniform(6, 3, 2)
	groups := groupsOf(t, v, all, 6, 48, func(i int) uint64 { return 100 << 20 })
	settle(t, v, all, groups, nil)
	for i := range groups {
		groups[i].Bytes += uint64(i%3) << 20
	}
	require.Empty(t, Rebalance(v, all, groups, 100))
	require.Empty(t, Rebalance(v, all, nil, 100))
	require.Empty(t, Rebalance(view(nil, nil), all, groups, 100))
}

// A full drive sheds slots and gets none.
func TestRebalanceFullDrive(t *testing.T) {
	v := uniform(8, 1, 1)
	groups := groupsOf(t, v, all, 6, 80, func(int) uint64 { return 100 })
	settle(t, v, all, groups, nil)
	before := held(groups)
	v.Nodes[2].Drives[0].Full = true
	full := v.Nodes[2].Drives[0].ID
	settle(t, v, all, groups, func(_, after []cluster.DriveID) { require.NotContains(t, after, full) })
	require.Less(t, held(groups)[full], 0.9*before[full])
}

// Slots that shared a node for want of others, or crowded a zone, are spread when
// there are others.
func TestRebalanceMends(t *testing.T) {
	v := view([]string{"a", "a", "b", "b", "c", "c"}, []int{3, 1, 1, 1, 1, 1})
	groups := []Group{{Slots: []cluster.DriveID{100, 101, 102}, Bytes: 1}, {Slots: []cluster.DriveID{100, 200, 300}, Bytes: 1}}
	settle(t, v, all, groups, nil)
	for _, g := range groups {
		zones := map[string]bool{}
		for _, d := range g.Slots {
			zones[v.NodeOf(d).Zone] = true
		}
		require.Len(t, zones, 3, "%v", g.Slots)
	}
}

// Whatever the cluster: it comes to an end, no group has two slots on a drive, and
// nothing is more crowded than it was.
func TestRebalanceProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, usable := drawView(t)
		var drives []cluster.DriveID
		for i := range v.Nodes {
			for _, d := range v.Nodes[i].Drives {
				drives = append(drives, d.ID)
			}
		}
		n := rapid.IntRange(1, 6).Draw(t, "n")
		if len(drives) < n {
			return
		}
		groups := make([]Group, rapid.IntRange(0, 12).Draw(t, "groups"))
		for i := range groups {
			groups[i] = Group{Slots: rapid.Permutation(drives).Draw(t, "slots")[:n], Bytes: rapid.Uint64Range(0, 100).Draw(t, "bytes"),
				Fixed: rapid.IntRange(0, 5).Draw(t, "fixed") == 0}
		}
		worst := func(list []cluster.DriveID) (node int) {
			for _, d := range list {
				here := 0
				for _, o := range list {
					if v.NodeOf(o).ID == v.NodeOf(d).ID {
						here++
					}
				}
				node = max(node, here)
			}
			return node
		}
		fixed := map[int][]cluster.DriveID{}
		for i, g := range groups {
			if g.Fixed {
				fixed[i] = g.Slots
			}
		}
		settle(t, v, usable, groups, func(before, after []cluster.DriveID) {
			require.LessOrEqual(t, worst(after), worst(before))
			require.Len(t, slices.Compact(slices.Sorted(slices.Values(after))), n)
		})
		for i, list := range fixed {
			require.Equal(t, list, groups[i].Slots)
		}
		for _, b := range held(groups) {
			require.False(t, math.IsNaN(b))
		}
	})
}

// A shift that would only swap what two drives hold is not made, however sums round.
func TestRebalanceSwapsNothing(t *testing.T) {
	groups := []Group{
		{Slots: []cluster.DriveID{100, 102}, Bytes: 1},
		{Slots: []cluster.DriveID{101, 100}, Bytes: 0x4c},
		{Slots: []cluster.DriveID{100, 102}, Bytes: 0xb},
	}
	settle(t, view([]string{""}, []int{3}), all, groups, nil)
}
