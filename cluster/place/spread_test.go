package place

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
)

// spread is how a list lies, the smaller the better, by rules 2 to 4.
type spread struct{ overZones, nodes, zones int }

func (a spread) compare(b spread) int {
	return cmp.Or(cmp.Compare(a.overZones, b.overZones), cmp.Compare(a.nodes, b.nodes), cmp.Compare(a.zones, b.zones))
}

// spreadOf judges a list where a zone's share is so much by rule 2: slots beyond the
// share, then how uneven nodes and zones are.
func spreadOf(v *cluster.View, list []cluster.DriveID, share int) (s spread) {
	nodes, zones := map[cluster.NodeID]int{}, map[string]int{}
	for _, d := range list {
		nodes[v.NodeOf(d).ID]++
		zones[v.NodeOf(d).Zone]++
	}
	for _, n := range nodes {
		s.nodes += n * n
	}
	for _, n := range zones {
		s.zones += n * n
		s.overZones += max(0, n-share)
	}
	return s
}

// subsets calls f with each choice of n of the drives.
func subsets(drives []cluster.DriveID, n int, f func([]cluster.DriveID)) {
	var choose func(from int, list []cluster.DriveID)
	choose = func(from int, list []cluster.DriveID) {
		if len(list) == n {
			f(list)
			return
		}
		for i := from; i < len(drives); i++ {
			choose(i+1, append(list, drives[i]))
		}
	}
	choose(0, nil)
}

// modelShare returns what rule 2 lets a zone have, found by trying every list: the
// least that the fullest zone of a list can have, if so many may be lost.
func modelShare(v *cluster.View, drives []cluster.DriveID, w Width) int {
	least := w.Slots
	subsets(drives, w.Slots, func(list []cluster.DriveID) {
		zones, most := map[string]int{}, 0
		for _, d := range list {
			z := v.NodeOf(d).Zone
			zones[z]++
			most = max(most, zones[z])
		}
		least = min(least, most)
	})
	if least <= w.Spare {
		return least
	}
	return w.Slots
}

// best returns the best spread of all lists of some drives.
func best(v *cluster.View, drives []cluster.DriveID, w Width, share int) (least spread) {
	first := true
	subsets(drives, w.Slots, func(list []cluster.DriveID) {
		if s := spreadOf(v, list, share); first || s.compare(least) < 0 {
			least, first = s, false
		}
	})
	return least
}

// drawSmall returns a cluster small enough to try every list, and its usable drives.
func drawSmall(t *rapid.T) (v *cluster.View, usable func(cluster.DriveID) bool, drives []cluster.DriveID) {
	n := rapid.IntRange(1, 7).Draw(t, "nodes")
	zones, count := make([]string, n), make([]int, n)
	for i := range n {
		zones[i] = fmt.Sprint(rapid.IntRange(0, 2).Draw(t, "zone"))
		count[i] = rapid.SampledFrom([]int{1, 1, 2, 3}).Draw(t, "drives")
	}
	v = view(zones, count)
	bad := map[cluster.DriveID]bool{}
	for i := range v.Nodes {
		for _, d := range v.Nodes[i].Drives {
			if len(drives) == 12 || rapid.IntRange(0, 9).Draw(t, "bad") == 0 {
				bad[d.ID] = true
				continue
			}
			drives = append(drives, d.ID)
		}
	}
	return v, func(d cluster.DriveID) bool { return !bad[d] }, drives
}

func drawWidth(t *rapid.T, most int) Width {
	slots := rapid.IntRange(1, min(6, most)).Draw(t, "slots")
	return Width{Slots: slots, Spare: rapid.IntRange(0, slots-1).Draw(t, "spare")}
}

// No list of the usable drives is better spread than a planned one.
func TestPlanAgainstEveryListProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, usable, drives := drawSmall(t)
		if len(drives) == 0 {
			return
		}
		w := drawWidth(t, len(drives))
		load := func(d cluster.DriveID) int { return int(d * 7 % 5) }
		lists, err := Plan(NewDrives(v, usable, load), w, 3, rapid.Uint64().Draw(t, "seed"))
		require.NoError(t, err)
		share := modelShare(v, drives, w)
		for _, list := range lists {
			require.Equal(t, best(v, drives, w, share), spreadOf(v, list, share), "%v", list)
		}
	})
}

// A spare spreads its list best of all that may be taken: that put no more slots on a
// node than there were, unless there are nodes for all and the zone rule wants it.
func TestSpareForAgainstEveryDriveProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, usable, drives := drawSmall(t)
		var all []cluster.DriveID
		for i := range v.Nodes {
			for _, d := range v.Nodes[i].Drives {
				all = append(all, d.ID)
			}
		}
		w := drawWidth(t, len(all))
		list := rapid.Permutation(all).Draw(t, "list")[:w.Slots]
		slot := rapid.IntRange(0, w.Slots-1).Draw(t, "slot")
		got, err := SpareFor(NewDrives(v, usable, nil), Vacancy{Slots: list, Slot: slot, Spare: w.Spare, Seed: 3})

		others := slices.Delete(slices.Clone(list), slot, slot+1)
		could := slices.Clone(others) // Where the list can lie.
		for _, d := range drives {
			if d != list[slot] && !slices.Contains(others, d) {
				could = append(could, d)
			}
		}
		share := w.Slots
		if len(could) >= w.Slots {
			share = modelShare(v, could, w)
		}
		onNode := func(l []cluster.DriveID) (most int) {
			nodes := map[cluster.NodeID]int{}
			for _, d := range l {
				nodes[v.NodeOf(d).ID]++
				most = max(most, nodes[v.NodeOf(d).ID])
			}
			return most
		}
		nodes := map[cluster.NodeID]bool{}
		for _, d := range append(slices.Clone(others), drives...) {
			nodes[v.NodeOf(d).ID] = true
		}
		limit := onNode(list)
		if share < w.Slots && len(nodes) >= w.Slots {
			limit = max(limit, share)
		}
		var least *spread
		for _, d := range drives {
			with := append(slices.Clone(others), d)
			here := 0
			for _, o := range with {
				if v.NodeOf(o).ID == v.NodeOf(d).ID {
					here++
				}
			}
			if slices.Contains(list, d) || here > limit {
				continue
			}
			if s := spreadOf(v, with, share); least == nil || s.compare(*least) < 0 {
				least = &s
			}
		}
		if least == nil {
			require.True(t, errs.Is(err, errs.NoSpace))
			require.False(t, HasSpare(NewDrives(v, usable, nil), Vacancy{Slots: list, Slot: slot, Spare: w.Spare}))
			return
		}
		require.NoError(t, err)
		require.True(t, usable(got))
		require.NotContains(t, list, got)
		require.Equal(t, *least, spreadOf(v, append(others, got), share))
	})
}

// Lists that lie anyhow are mended until no list would be better, and then nothing
// makes them worse.
func TestRebalanceMendsToTheBestProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, usable, drives := drawSmall(t)
		if len(drives) == 0 {
			return
		}
		w := drawWidth(t, len(drives))
		share := modelShare(v, drives, w)
		groups := make([]Group, rapid.IntRange(1, 4).Draw(t, "groups"))
		for i := range groups {
			groups[i] = Group{Slots: rapid.Permutation(drives).Draw(t, "slots")[:w.Slots], Spare: w.Spare,
				Bytes: rapid.Uint64Range(0, 100).Draw(t, "bytes")}
		}
		zoneLimit := func(s spread) spread { s.zones = 0; return s } // Evenness within the share is Plan's alone.
		settle(t, v, usable, groups, func(before, after []cluster.DriveID) {
			require.LessOrEqual(t, zoneLimit(spreadOf(v, after, share)).compare(zoneLimit(spreadOf(v, before, share))), 0)
		})
		for _, g := range groups {
			require.Equal(t, zoneLimit(best(v, drives, w, share)), zoneLimit(spreadOf(v, g.Slots, share)), "%v", g.Slots)
		}
	})
}

// A zone of few nodes takes its share on them if that lets any zone be lost.
func TestZoneOfFewNodes(t *testing.T) {
	v := view([]string{"a", "a", "a", "a", "b", "b", "b", "b", "c"}, []int{1, 1, 1, 1, 1, 1, 1, 1, 3})
	zones := func(list []cluster.DriveID) map[string]int {
		in := map[string]int{}
		for _, d := range list {
			in[v.NodeOf(d).Zone]++
		}
		return in
	}
	lists, err := Plan(NewDrives(v, all, nil), Width{Slots: 6, Spare: 2}, 20, 1)
	require.NoError(t, err)
	for _, list := range lists {
		require.Equal(t, map[string]int{"a": 2, "b": 2, "c": 2}, zones(list))
	}
	lists, err = Plan(NewDrives(v, all, nil), Width{Slots: 6, Spare: 1}, 20, 1) // A zone's loss is too much.
	require.NoError(t, err)
	for _, list := range lists {
		require.Equal(t, 1, zones(list)["c"])
	}
	got, err := SpareFor(NewDrives(v, func(d cluster.DriveID) bool { return d != 901 }, nil),
		Vacancy{Slots: []cluster.DriveID{100, 200, 500, 600, 900, 901}, Slot: 5, Spare: 2})
	require.NoError(t, err)
	require.Equal(t, cluster.DriveID(902), got)

	// What was placed by nodes alone is corrected.
	groups := []Group{{Slots: []cluster.DriveID{100, 200, 300, 500, 600, 900}, Spare: 2, Bytes: 1}}
	settle(t, v, all, groups, nil)
	require.Equal(t, map[string]int{"a": 2, "b": 2, "c": 2}, zones(groups[0].Slots))
}

// Drives on hold are passed over until all else is worse, or asked for.
func TestHeldDrives(t *testing.T) {
	v := uniform(4, 1, 1)
	d := NewDrives(v, all, nil)
	q := Vacancy{Slots: []cluster.DriveID{100, 200, 300}, Slot: 0, Spare: 1}
	d.Hold(400)
	_, err := SpareFor(d, q)
	require.True(t, errs.Is(err, errs.NoSpace))
	require.False(t, HasSpare(d, q))
	q.Held = true
	require.True(t, HasSpare(d, q))
	got, err := SpareFor(d, q)
	require.NoError(t, err)
	require.Equal(t, cluster.DriveID(400), got)
}
