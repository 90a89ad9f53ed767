package place

import (
	"cmp"
	"slices"

	"github.com/cairnstore/cairn/cluster"
)

const (
	// hysteresis is by which share of its due a drive must hold too much, or another
	// too little, before anything is moved: else every write would move something.
	hysteresis = 0.05
	// fullShare is the share of its room that a drive below its reserve is held to
	// have, so that it sheds slots.
	fullShare = 0.8
	// emptySlotShare is what an empty slot weighs, as a share of the mean one: the
	// volumes of tomorrow's writes are to be spread as well.
	emptySlotShare = 0.125
	// exact is what a shift must fall short of swapping two drives' loads, as a share:
	// sums are rounded, and one that only swaps them would be taken back for ever.
	exact = 1 - 1e-6
)

// Group is a list of slots, as Rebalance sees it.
type Group struct {
	Slots []cluster.DriveID
	Spare int    // So many of them may be lost.
	Bytes uint64 // What each slot of it holds.
	Fixed bool   // Stays where it is for now, but counts.
}

// Shift is a slot that should lie on another drive.
type Shift struct {
	Group, Slot int
	To          cluster.DriveID
}

// Rebalance returns at most so many shifts, at most one a group, that spread the
// groups better: first slots that lie worse by the rules of the package than they must
// (in a zone that has more than its share, on a node with others) go elsewhere; then
// slots go from drives that hold more than their share of the bytes, by room, to those
// that hold less. Those crowd neither a node nor a zone more than it was, and none
// overshoots by more than half its slot, so little more is moved than must be, and
// repeated calls come to an end.
func Rebalance(v *cluster.View, usable func(cluster.DriveID) bool, groups []Group, most int) []Shift {
	b := newBalance(v, usable, groups)
	var shifts []Shift
	for len(shifts) < most {
		s, ok := b.mend()
		if !ok {
			s, ok = b.level()
		}
		if !ok {
			break
		}
		b.apply(s)
		shifts = append(shifts, s)
	}
	return shifts
}

// vessel is a drive that slots lie on.
type vessel struct {
	id     cluster.DriveID
	site   site
	room   float64
	takes  bool // May get slots.
	load   float64
	target float64
	groups []int // That have a slot here, or had.
}

// site is where a drive is: indexes of its node and zone.
type site struct{ node, zone int }

// over returns how much more than its share the vessel holds.
func (d *vessel) over() float64 { return d.load - d.target }

// balance is a distribution being changed.
type balance struct {
	vessels []vessel // Usable drives, in the view's order.
	index   map[cluster.DriveID]int
	sites   map[cluster.DriveID]site // Of all drives.
	groups  []Group
	weight  []float64         // Of a slot of each group.
	inZone  []int             // Drives that take slots, of each zone.
	shares  map[Width]shareOf // Worked out so far.
	mended  int               // Groups before this one lie as well as they can.
}

// shareOf is what a zone's share of a list is.
type shareOf struct {
	slots int
	first bool // It comes before distinct nodes: rule 2.
}

func newBalance(v *cluster.View, usable func(cluster.DriveID) bool, groups []Group) *balance {
	b := &balance{index: map[cluster.DriveID]int{}, sites: map[cluster.DriveID]site{}, groups: slices.Clone(groups),
		shares: map[Width]shareOf{}}
	var room float64
	zones := map[string]int{} // Looked up, never walked.
	for i := range v.Nodes {
		z, ok := zones[v.Nodes[i].Zone]
		if !ok {
			z = len(zones)
			zones[v.Nodes[i].Zone] = z
			b.inZone = append(b.inZone, 0)
		}
		for _, d := range v.Nodes[i].Drives {
			b.sites[d.ID] = site{i, z}
			if !usable(d.ID) {
				continue
			}
			vs := vessel{id: d.ID, site: site{i, z}, room: roomOf(d), takes: !d.Full}
			room += vs.room
			if vs.takes {
				b.inZone[z]++
			}
			b.index[d.ID] = len(b.vessels)
			b.vessels = append(b.vessels, vs)
		}
	}
	b.weigh()
	var load float64
	for i := range b.vessels {
		load += b.vessels[i].load
	}
	for i := range b.vessels {
		b.vessels[i].target = load / room * b.vessels[i].room
	}
	return b
}

// roomOf returns what a drive can hold of shards, in bytes.
func roomOf(d cluster.Drive) float64 {
	room := float64(d.UsedBytes) + float64(d.FreeBytes)
	if room == 0 {
		room = float64(max(1, d.CapacityBytes))
	}
	if d.Full {
		room *= fullShare
	}
	return room
}

// weigh gives each group the weight of its slots and adds up what drives hold.
func (b *balance) weigh() {
	var bytes, slots float64
	for _, g := range b.groups {
		bytes += float64(g.Bytes) * float64(len(g.Slots))
		slots += float64(len(g.Slots))
	}
	empty := 1.0
	if bytes > 0 {
		empty = bytes / slots * emptySlotShare
	}
	b.weight = make([]float64, len(b.groups))
	for i, g := range b.groups {
		b.weight[i] = float64(g.Bytes) + empty
		for _, d := range g.Slots {
			if j, ok := b.index[d]; ok {
				b.vessels[j].load += b.weight[i]
				b.vessels[j].groups = append(b.vessels[j].groups, i)
			}
		}
	}
}

// apply makes a shift; its group stays as it is from then on.
func (b *balance) apply(s Shift) {
	g := &b.groups[s.Group]
	w := b.weight[s.Group]
	if i, ok := b.index[g.Slots[s.Slot]]; ok {
		b.vessels[i].load -= w
	}
	b.vessels[b.index[s.To]].load += w // The group is fixed now: it need not be among the vessel's.
	g.Slots = slices.Clone(g.Slots)
	g.Slots[s.Slot], g.Fixed = s.To, true
}

// share returns what a zone's share of a group is.
func (b *balance) share(g Group) shareOf {
	w := Width{Slots: len(g.Slots), Spare: g.Spare}
	s, known := b.shares[w]
	if !known {
		s.slots = leastShare(w.Slots, b.inZone)
		s.first = s.slots <= w.Spare
		b.shares[w] = s
	}
	return s
}

// crowd is how a slot of a group lies: how many others share its node, and whether its
// zone has more than its share.
type crowd struct {
	node     int
	zone     int // Others in the zone.
	overZone bool
}

// around returns where the other slots of a group are.
func (b *balance) around(g Group, slot int) []site {
	others := make([]site, 0, len(g.Slots))
	for i, d := range g.Slots {
		if s, known := b.sites[d]; known && i != slot {
			others = append(others, s)
		}
	}
	return others
}

// at returns how a slot would lie at a site, with others around.
func (s shareOf) at(to site, others []site) (c crowd) {
	for _, o := range others {
		if o.node == to.node {
			c.node++
		}
		if o.zone == to.zone {
			c.zone++
		}
	}
	c.overZone = c.zone >= s.slots
	return c
}

// allowed reports whether a slot may go to a drive: nothing is more crowded by it.
func (b *balance) allowed(g Group, slot int, to *vessel) bool {
	if !to.takes || slices.Contains(g.Slots, to.id) {
		return false
	}
	share, others := b.share(g), b.around(g, slot)
	is, would := share.at(b.sites[g.Slots[slot]], others), share.at(to.site, others)
	return would.node <= is.node && (would.zone <= is.zone || !would.overZone)
}

// better reports whether a slot lies better in one way than in another, by the rules 2
// to 4 of the package.
func (s shareOf) better(a, b crowd) bool {
	if s.first && a.overZone != b.overZone {
		return b.overZone
	}
	if a.node != b.node {
		return a.node < b.node
	}
	return !a.overZone && b.overZone
}

// mend finds a slot that lies worse than it must.
func (b *balance) mend() (Shift, bool) {
	for ; b.mended < len(b.groups); b.mended++ {
		i := b.mended
		g := b.groups[i]
		if g.Fixed {
			continue
		}
		for slot, d := range g.Slots {
			if _, ok := b.index[d]; !ok {
				continue
			}
			if best := b.betterPlace(g, slot); best >= 0 {
				return Shift{i, slot, b.vessels[best].id}, true
			}
		}
	}
	return Shift{}, false
}

// betterPlace returns the vessel where a slot lies best, the emptiest of them; -1 where
// it lies nowhere better than it does.
func (b *balance) betterPlace(g Group, slot int) (best int) {
	share, others := b.share(g), b.around(g, slot)
	is := share.at(b.sites[g.Slots[slot]], others)
	best = -1
	if is.node == 0 && !is.overZone {
		return best
	}
	worse := -1 // The last node found to be worse than what there is.
	for j := range b.vessels {
		to := &b.vessels[j]
		if !to.takes || to.site.node == worse || slices.Contains(g.Slots, to.id) {
			continue
		}
		would := share.at(to.site, others)
		emptier := best >= 0 && to.load/to.room < b.vessels[best].load/b.vessels[best].room
		switch equal := !share.better(is, would); {
		case share.better(would, is) || emptier && equal:
			best, is = j, would
		case !equal || best < 0:
			worse = to.site.node
		}
	}
	return best
}

// level finds a slot that should go from the fullest drive to the emptiest, or
// between the next ones.
func (b *balance) level() (Shift, bool) {
	order := make([]int, len(b.vessels)) // Fullest first.
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int {
		return cmp.Compare(b.vessels[y].over()/b.vessels[y].room, b.vessels[x].over()/b.vessels[x].room)
	})
	for _, i := range order {
		from := &b.vessels[i]
		if from.over() <= 0 {
			break
		}
		for _, j := range slices.Backward(order) {
			to := &b.vessels[j]
			if to.over() >= 0 {
				break
			}
			if from.over() < hysteresis*from.target && -to.over() < hysteresis*to.target {
				continue
			}
			if s, ok := b.heaviest(from, to); ok {
				return s, true
			}
		}
	}
	return Shift{}, false
}

// heaviest returns the largest slot that may go from one drive to another without
// overshooting.
func (b *balance) heaviest(from, to *vessel) (best Shift, ok bool) {
	for _, i := range from.groups {
		g, w := b.groups[i], b.weight[i]
		if g.Fixed || w > 2*-to.over() || w >= exact*(from.over()-to.over()) || ok && w <= b.weight[best.Group] {
			continue
		}
		slot := slices.Index(g.Slots, from.id)
		if slot >= 0 && b.allowed(g, slot, to) {
			best, ok = Shift{i, slot, to.id}, true
		}
	}
	return best, ok
}
