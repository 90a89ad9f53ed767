package place

import (
	"math/bits"
	"slices"

	"github.com/cairnstore/cairn/cluster"
)

// Tolerance is how many nodes, drives or zones may be lost at once, whichever they are, while all
// that lies on them can be read. Each of the three stands by itself: it is that many of one kind
// and none of the others.
type Tolerance struct{ Nodes, Drives, Zones int }

// Min returns what both tolerances allow.
func (t Tolerance) Min(o Tolerance) Tolerance {
	return Tolerance{min(t.Nodes, o.Nodes), min(t.Drives, o.Drives), min(t.Zones, o.Zones)}
}

// Below reports whether t allows less than o does, of at least one kind.
func (t Tolerance) Below(o Tolerance) bool {
	return t.Nodes < o.Nodes || t.Drives < o.Drives || t.Zones < o.Zones
}

// Units are the nodes and zones with which drives are lost together.
type Units struct {
	of map[cluster.DriveID]site
}

// NewUnits returns the units of a view. Drives that are gone hold nothing.
func NewUnits(v *cluster.View, gone func(cluster.DriveID) bool) *Units {
	u := &Units{of: make(map[cluster.DriveID]site)}
	zones := make(map[string]int) // Looked up, never walked.
	for i := range v.Nodes {
		z, known := zones[v.Nodes[i].Zone]
		if !known {
			z = len(zones)
			zones[v.Nodes[i].Zone] = z
		}
		for _, d := range v.Nodes[i].Drives {
			if !gone(d.ID) {
				u.of[d.ID] = site{i, z}
			}
		}
	}
	return u
}

// Holding is a list of slots and what of it is known to be missing.
type Holding struct {
	Slots []cluster.DriveID
	Spare int // How many of the slots may be lost.

	// Missing is a set of slots that some of what lies in the list misses, though their drives are
	// there. Which of them each thing misses is not known; none misses more than Most.
	Missing uint32
	Most    int
}

// Tolerance returns what a list can lose besides what it misses already. Of all that may lie in it
// as Holding says, the worst case is meant. It returns false if some of it cannot be read as it is.
func (u *Units) Tolerance(h Holding) (Tolerance, bool) {
	var nodes, zones groups
	var gone uint32
	for i, d := range h.Slots {
		at, here := u.of[d]
		if !here {
			gone |= 1 << i
			continue
		}
		nodes.add(at.node, 1<<i)
		zones.add(at.zone, 1<<i)
	}
	l := loss{gone: gone, missing: h.Missing, most: min(h.Most, bits.OnesCount32(h.Missing)), spare: h.Spare}
	if l.most == 0 {
		l.missing = 0
	}
	all, known := l.left()
	if all <= 0 && known <= 0 {
		return Tolerance{}, false
	}
	// A drive has one slot of a list, so the drives whose loss costs the most come first.
	return Tolerance{Nodes: l.bears(&nodes), Drives: max(all, known) - 1, Zones: l.bears(&zones)}, true
}

// maxSlots is the most slots that a list has here: sets of them are 32 bits.
const maxSlots = 32

// groups are the slots of a list by the unit that they are lost with.
type groups struct {
	unit  [maxSlots]int32
	slots [maxSlots]uint32
	n     int
}

func (g *groups) add(unit int, slot uint32) {
	for i := range g.n {
		if g.unit[i] == int32(unit) {
			g.slots[i] |= slot
			return
		}
	}
	g.unit[g.n], g.slots[g.n] = int32(unit), slot
	g.n++
}

// loss is what a list misses already. Something in it misses any `most` of the slots `missing`, as
// far as is known: so with the slots L lost besides, the worst misses min(|gone ∪ L| + most, |gone
// ∪ L ∪ missing|) of them.
type loss struct {
	gone, missing uint32
	most, spare   int
}

// left returns how many slots have to be lost before it is too much: so many of all that are there,
// and so many of those that are not known to be missing. It is too much once both are.
func (l loss) left() (all, known int) {
	return l.spare + 1 - bits.OnesCount32(l.gone) - l.most, l.spare + 1 - bits.OnesCount32(l.gone|l.missing)
}

// bears returns the largest number of units, whichever they are, that may be lost.
func (l loss) bears(g *groups) int {
	switch all, known := l.left(); {
	case known <= 0 || l.most == 0:
		return g.fewest(0, all) - 1
	case all <= 0:
		return g.fewest(l.missing, known) - 1
	default:
		return l.fewestOfBoth(g, all, known) - 1
	}
}

// fewest returns the least number of units that have so many slots together, those of a set left
// out.
func (g *groups) fewest(without uint32, slots int) int {
	var ofSize [maxSlots + 1]uint8
	largest := 0
	for i := range g.n {
		size := bits.OnesCount32(g.slots[i] &^ without)
		ofSize[size]++
		largest = max(largest, size)
	}
	units := 0
	for size := largest; size > 0; size-- {
		for range ofSize[size] {
			units++
			if slots -= size; slots <= 0 {
				return units
			}
		}
	}
	return g.n + 1
}

// fewestOfBoth returns the least number of units whose slots are so many in all and so many besides
// the missing ones. need[a][b] is the least number for the sums a and b.
func (l loss) fewestOfBoth(g *groups, all, known int) int {
	var need [maxSlots + 1][maxSlots + 1]uint8
	for a := range all + 1 {
		for b := range known + 1 {
			need[a][b] = maxSlots + 1
		}
	}
	need[0][0] = 0
	for i := range g.n {
		size, apart := bits.OnesCount32(g.slots[i]), bits.OnesCount32(g.slots[i]&^l.missing)
		for a := all; a >= 0; a-- {
			for b := known; b >= 0; b-- {
				to := &need[min(all, a+size)][min(known, b+apart)]
				*to = min(*to, need[a][b]+1)
			}
		}
	}
	return int(need[all][known])
}

// Promised returns what lists of a width can bear to lose where their slots lie as evenly over
// nodes, and over zones, as there are drives for that. Rules 2 and 3 of the package cannot always
// give both.
func (d *Drives) Promised(w Width) Tolerance {
	onNode := make([]int, len(d.first)-1)
	for n := range onNode {
		onNode[n] = d.first[n+1] - d.first[n]
	}
	return Tolerance{Nodes: w.Spare / leastShare(w.Slots, onNode), Drives: w.Spare, Zones: w.Spare / leastShare(w.Slots, d.inZone)}
}

// attainableLists is how many lists Attainable looks at: they differ little.
const attainableLists = 16

// Attainable returns what lists of a width can bear to lose that Plan makes.
func Attainable(v *cluster.View, usable func(cluster.DriveID) bool, w Width) Tolerance {
	lists, err := Plan(NewDrives(v, usable, nil), w, attainableLists, 0)
	if err != nil {
		return Tolerance{}
	}
	u := NewUnits(v, func(d cluster.DriveID) bool { return !usable(d) })
	t := Tolerance{w.Slots, w.Slots, w.Slots}
	for _, list := range lists {
		of, _ := u.Tolerance(Holding{Slots: list, Spare: w.Spare})
		t = t.Min(of)
	}
	return t
}

// Mended returns the lists of groups as Rebalance leaves them in the end, before it levels
// anything: no slot lies worse by the rules of the package than it must.
func Mended(v *cluster.View, usable func(cluster.DriveID) bool, groups []Group) [][]cluster.DriveID {
	groups = slices.Clone(groups)
	for range maxSlots { // Each round mends at most one slot of a group.
		b := newBalance(v, usable, groups)
		mended := false
		for s, ok := b.mend(); ok; s, ok = b.mend() {
			b.apply(s)
			groups[s.Group].Slots = b.groups[s.Group].Slots
			mended = true
		}
		if !mended {
			break
		}
	}
	lists := make([][]cluster.DriveID, len(groups))
	for i := range groups {
		lists[i] = groups[i].Slots
	}
	return lists
}
