package place

import (
	"fmt"
	"math/bits"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster"
)

// stored is a list with what lies in it, extent by extent.
type stored struct {
	slots   []cluster.DriveID
	spare   int
	extents []uint32 // The slots that each misses.
}

// holding is what is known of it: sums.
func (s stored) holding() (h Holding) {
	h.Slots, h.Spare = s.slots, s.spare
	for _, e := range s.extents {
		h.Missing |= e
		h.Most = max(h.Most, bits.OnesCount32(e))
	}
	return h
}

// worst is the same list with every extent that could be, as far as the sums tell.
func (s stored) worst() stored {
	h := s.holding()
	s.extents = nil
	for e := range uint32(1) << len(s.slots) {
		if e&^h.Missing == 0 && bits.OnesCount32(e) <= h.Most {
			s.extents = append(s.extents, e)
		}
	}
	return s
}

// readable reports whether all that lies in a list can be read while drives are gone.
func (s stored) readable(gone func(cluster.DriveID) bool) bool {
	var lost uint32
	for i, d := range s.slots {
		if gone(d) {
			lost |= 1 << i
		}
	}
	for _, e := range append([]uint32{0}, s.extents...) {
		if bits.OnesCount32(e|lost) > s.spare {
			return false
		}
	}
	return true
}

// bearsAny returns, by trying every choice, how many of the units may be lost whichever
// they are; -1: something cannot be read as it is.
func bearsAny(units [][]cluster.DriveID, lists []stored, gone map[cluster.DriveID]bool) int {
	most := len(units)
	for choice := range uint(1) << len(units) {
		n := bits.OnesCount(choice)
		if n > most {
			continue
		}
		lost := map[cluster.DriveID]bool{}
		for d := range gone {
			lost[d] = true
		}
		for i, u := range units {
			for _, d := range u {
				lost[d] = lost[d] || choice&(1<<i) != 0
			}
		}
		for _, l := range lists {
			if !l.readable(func(d cluster.DriveID) bool { return lost[d] }) {
				most = n - 1
				break
			}
		}
	}
	return most
}

// unitsOf returns the drives by node, by themselves, and by zone.
func unitsOf(v *cluster.View) (nodes, drives, zones [][]cluster.DriveID) {
	byZone := map[string][]cluster.DriveID{}
	for _, n := range v.Nodes {
		var here []cluster.DriveID
		for _, d := range n.Drives {
			here = append(here, d.ID)
			drives = append(drives, []cluster.DriveID{d.ID})
		}
		nodes = append(nodes, here)
		byZone[n.Zone] = append(byZone[n.Zone], here...)
	}
	for _, z := range byZone {
		zones = append(zones, z)
	}
	return nodes, drives, zones
}

// bruteTolerance is Tolerance of lists, by trying every loss.
func bruteTolerance(v *cluster.View, lists []stored, gone map[cluster.DriveID]bool) Tolerance {
	nodes, drives, zones := unitsOf(v)
	return Tolerance{Nodes: bearsAny(nodes, lists, gone), Drives: bearsAny(drives, lists, gone), Zones: bearsAny(zones, lists, gone)}
}

// What the sums say is the truth: no loss of so many breaks anything, and one more, of
// some choice, may.
func TestToleranceAgainstEveryLossProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, usable, _ := drawSmall(t)
		gone := map[cluster.DriveID]bool{}
		var here []cluster.DriveID
		for _, n := range v.Nodes {
			for _, d := range n.Drives {
				if len(here) < 9 {
					here = append(here, d.ID)
				}
				if !usable(d.ID) && rapid.Bool().Draw(t, "gone") {
					gone[d.ID] = true
				}
			}
		}
		u := NewUnits(v, func(d cluster.DriveID) bool { return gone[d] })
		var lists, worst []stored
		all := Tolerance{len(here), len(here), len(here)}
		readable := true
		for range rapid.IntRange(1, 3).Draw(t, "lists") {
			w := drawWidth(t, len(here))
			s := stored{slots: rapid.Permutation(here).Draw(t, "slots")[:w.Slots], spare: w.Spare}
			for range rapid.IntRange(0, 3).Draw(t, "extents") {
				s.extents = append(s.extents, rapid.Uint32Range(0, 1<<w.Slots-1).Draw(t, "missing"))
			}
			lists, worst = append(lists, s), append(worst, s.worst())
			of, ok := u.Tolerance(s.holding())
			readable = readable && ok
			all = all.Min(of)
		}
		least, most := bruteTolerance(v, worst, gone), bruteTolerance(v, lists, gone)
		if !readable {
			require.Equal(t, -1, least.Drives)
			return
		}
		require.Equal(t, least, all)
		require.False(t, most.Below(all), "what is there bears %v, not %v", most, all)
	})
}

// What can just be read bears nothing, and is not called unreadable.
func TestToleranceAtTheBorder(t *testing.T) {
	v := view([]string{"a", "b", "c", "d", "e", "f"}, []int{1, 1, 1, 1, 1, 1})
	slots := []cluster.DriveID{100, 200, 300, 400, 500, 600}
	all := NewUnits(v, func(cluster.DriveID) bool { return false })
	without := NewUnits(v, func(d cluster.DriveID) bool { return d == 100 })
	for _, c := range []struct {
		what     string
		u        *Units
		h        Holding
		readable bool
		want     Tolerance
	}{
		{"two of any three slots are missing", all,
			Holding{Slots: slots, Spare: 2, Missing: 0b111, Most: 2}, true, Tolerance{}},
		{"a third is", all, Holding{Slots: slots, Spare: 2, Missing: 0b111, Most: 3}, false, Tolerance{}},
		{"what is missing was on the drive that is gone", without,
			Holding{Slots: slots, Spare: 1, Missing: 0b1, Most: 1}, true, Tolerance{}},
		{"and a spare is left", without, Holding{Slots: slots, Spare: 2, Missing: 0b1, Most: 1}, true, Tolerance{1, 1, 1}},
		{"another was", without, Holding{Slots: slots, Spare: 1, Missing: 0b10, Most: 1}, false, Tolerance{}},
	} {
		got, readable := c.u.Tolerance(c.h)
		require.Equal(t, c.readable, readable, c.what)
		require.Equal(t, c.want, got, c.what)
	}
}

// The cluster that was called healthy while two dead nodes made volumes unreadable.
func TestToleranceOfASmallZone(t *testing.T) {
	v := view([]string{"a", "b", "b", "b", "c", "c", "c"}, []int{2, 1, 1, 1, 1, 1, 1})
	any := func(cluster.DriveID) bool { return true }
	w := Width{Slots: 6, Spare: 2}
	require.Equal(t, Tolerance{Nodes: 2, Drives: 2, Zones: 1}, NewDrives(v, any, nil).Promised(w))
	require.Equal(t, Tolerance{Nodes: 1, Drives: 2, Zones: 1}, Attainable(v, any, w), "the zone comes before the second node")
	whole := view([]string{"a", "a", "b", "b", "b", "c", "c", "c"}, []int{1, 1, 1, 1, 1, 1, 1, 1})
	require.Equal(t, Tolerance{Nodes: 2, Drives: 2, Zones: 1}, Attainable(whole, any, w))
	two := view([]string{"a", "a", "a", "b", "b", "b"}, []int{1, 1, 1, 1, 1, 1})
	require.Equal(t, Tolerance{Nodes: 2, Drives: 2}, Attainable(two, any, w), "three of six slots are in each zone")
	require.Equal(t, Tolerance{Nodes: 2, Drives: 2}, NewDrives(two, any, nil).Promised(w))
	one := view([]string{""}, []int{6})
	require.Equal(t, Tolerance{Drives: 2}, Attainable(one, any, w))
	require.Equal(t, Tolerance{}, Attainable(one, any, Width{Slots: 7, Spare: 2}), "there is no such list")
}

// Mended lists are those that no call of Rebalance mends any more.
func TestMendedProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, usable, drives := drawSmall(t)
		if len(drives) == 0 {
			return
		}
		w := drawWidth(t, len(drives))
		g := Group{Slots: rapid.Permutation(drives).Draw(t, "slots")[:w.Slots], Spare: w.Spare, Bytes: 1}
		was := fmt.Sprint(g.Slots)
		g.Slots = Mended(v, usable, []Group{g})[0]
		_, more := newBalance(v, usable, []Group{g}).mend()
		require.False(t, more, "%s became %v", was, g.Slots)
	})
}

// BenchmarkTolerance looks at 100,000 volumes over 1,000 nodes, whole ones and such as
// miss shards.
func BenchmarkTolerance(b *testing.B) {
	zones, count := make([]string, 1000), make([]int, 1000)
	for i := range zones {
		zones[i], count[i] = fmt.Sprint(i%20), 12
	}
	v := view(zones, count)
	any := func(cluster.DriveID) bool { return true }
	lists, err := Plan(NewDrives(v, any, nil), Width{12, 4}, 1000, 1)
	require.NoError(b, err)
	for _, missing := range []uint32{0, 0b101} {
		b.Run(fmt.Sprintf("missing=%b", missing), func(b *testing.B) {
			for b.Loop() {
				u := NewUnits(v, func(cluster.DriveID) bool { return false })
				for i := range 100_000 {
					u.Tolerance(Holding{Slots: lists[i%len(lists)], Spare: 4, Missing: missing, Most: 1})
				}
			}
		})
	}
}
