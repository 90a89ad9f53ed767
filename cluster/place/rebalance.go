package place

import (
	"cmp"
	"slices"

	"github.com/cairnstore/cairn/cluster"
)

const (
	// hysteresis is by which part of its due a drive must hold too much, or another one too little,
	// before anything is moved. Without it every write would move something.
	hysteresis = 0.05
	// fullShare: of a drive that has less room than its reserve, only this part of its room counts,
	// so it gives slots away.
	fullShare = 0.8
	// emptySlotShare is what an empty slot weighs, as a part of what the mean one does. Volumes
	// that will be written to tomorrow are to be spread as well.
	emptySlotShare = 0.125
	// exact keeps a shift from swapping the loads of two drives: it must move less than this part
	// of what would. Sums are rounded, and such a shift would be taken back, again and again.
	exact = 1 - 1e-6
)

// Group is a list of slots, as Rebalance sees it.
type Group struct {
	Slots []cluster.DriveID
	Spare int    // How many of the slots may be lost.
	Bytes uint64 // How much each slot holds.
	Fixed bool   // It stays where it is for now, but counts.
}

// Shift is a slot that should lie on another drive.
type Shift struct {
	Group, Slot int
	To          cluster.DriveID
}

// Rebalance returns the shifts that spread the groups better: at most most of them, and at most one
// a group. First it moves slots that lie worse by the rules of the package than they must: in a
// zone that has more than its share, or on a node with others. Then it moves slots from drives that
// hold more than their part of the bytes, by their room, to drives that hold less.
//
// Such a shift crowds neither a node nor a zone more than before, and it overshoots by at most half
// its slot. So little more is moved than must be, and repeated calls come to an end.
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
	takes  bool // It may get slots.
	load   float64
	due    float64
	groups []int // The groups that have a slot here, or had.
}

// site is where a drive is: indexes of its node and zone.
type site struct{ node, zone int }

// over returns by how much the vessel holds more than its due.
func (d *vessel) over() float64 { return d.load - d.due }

// balance is a distribution being changed.
type balance struct {
	vessels []vessel // Usable drives, in the view's order.
	index   map[cluster.DriveID]int
	sites   map[cluster.DriveID]site // Of all drives.
	groups  []Group
	weight  []float64         // What a slot of each group weighs.
	inZone  []int             // How many drives of each zone take slots.
	shares  map[Width]shareOf // Those that were worked out so far.
	mended  int               // Groups before this one lie as well as they can.
}

// shareOf is the share of a list that a zone has.
type shareOf struct {
	slots int
	first bool // Rule 2 applies: the share comes before distinct nodes.
}

func newBalance(v *cluster.View, usable func(cluster.DriveID) bool, groups []Group) *balance {
	b := &balance{index: map[cluster.DriveID]int{}, sites: map[cluster.DriveID]site{}, groups: slices.Clone(groups),
		shares: map[Width]shareOf{}}
	var room float64
	zones := map[string]int{} // It is never walked: map order must not matter.
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
		b.vessels[i].due = load / room * b.vessels[i].room
	}
	return b
}

// roomOf returns how many bytes of shards a drive can hold.
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
	b.vessels[b.index[s.To]].load += w // The group is fixed now, so the vessel's groups need not have it.
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

// crowd says how a slot of a group lies: how many others share its node and its zone, and whether
// its zone has more than its share.
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

// allowed reports whether a slot may go to a drive: nothing may be more crowded then.
func (b *balance) allowed(g Group, slot int, to *vessel) bool {
	if !to.takes || slices.Contains(g.Slots, to.id) {
		return false
	}
	share, others := b.share(g), b.around(g, slot)
	is, would := share.at(b.sites[g.Slots[slot]], others), share.at(to.site, others)
	return would.node <= is.node && (would.zone <= is.zone || !would.overZone)
}

// better reports whether a slot lies better as a than as b, by the rules 2 to 4 of the package.
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

// betterPlace returns the vessel where a slot lies best, and of several the emptiest. It returns -1
// if the slot lies nowhere better than where it is.
func (b *balance) betterPlace(g Group, slot int) (best int) {
	share, others := b.share(g), b.around(g, slot)
	is := share.at(b.sites[g.Slots[slot]], others)
	best = -1
	if is.node == 0 && !is.overZone {
		return best
	}
	worse := -1 // The last node that was found to be no better.
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

// level finds a slot that should go from the fullest drive to the emptiest, or between the ones
// next to these.
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
			if from.over() < hysteresis*from.due && -to.over() < hysteresis*to.due {
				continue
			}
			if s, ok := b.heaviest(from, to); ok {
				return s, true
			}
		}
	}
	return Shift{}, false
}

// heaviest returns the largest slot that may go from one drive to another without overshooting.
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
