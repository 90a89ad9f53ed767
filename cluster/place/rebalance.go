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
)

// Group is a list of slots, as Rebalance sees it.
type Group struct {
	Slots []cluster.DriveID
	Bytes uint64 // What each slot of it holds.
	Fixed bool   // Stays where it is for now, but counts.
}

// Shift is a slot that should lie on another drive.
type Shift struct {
	Group, Slot int
	To          cluster.DriveID
}

// Rebalance returns at most so many shifts, at most one a group, that spread the
// groups better: first slots that share a node or crowd a zone without need go
// elsewhere; then slots go from drives that hold more than their share of the bytes,
// by room, to those that hold less. No shift crowds a node or a zone more than it
// was, and none overshoots by more than half its slot, so little more is moved than
// must be, and repeated calls come to an end.
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
	node   cluster.NodeID
	zone   string
	room   float64
	takes  bool // May get slots.
	load   float64
	target float64
}

// over returns how much more than its share the vessel holds.
func (d *vessel) over() float64 { return d.load - d.target }

// balance is a distribution being changed.
type balance struct {
	vessels []vessel // Usable drives, in the view's order.
	index   map[cluster.DriveID]int
	view    *cluster.View
	groups  []Group
	weight  []float64 // Of a slot of each group.
	zones   int       // With drives that take slots.
}

func newBalance(v *cluster.View, usable func(cluster.DriveID) bool, groups []Group) *balance {
	b := &balance{index: map[cluster.DriveID]int{}, view: v, groups: slices.Clone(groups)}
	var room float64
	zones := map[string]bool{}
	for i := range v.Nodes {
		for _, d := range v.Nodes[i].Drives {
			if !usable(d.ID) {
				continue
			}
			vs := vessel{id: d.ID, node: v.Nodes[i].ID, zone: v.Nodes[i].Zone, room: roomOf(d), takes: !d.Full}
			room += vs.room
			if vs.takes && !zones[vs.zone] {
				zones[vs.zone] = true
				b.zones++
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
	b.vessels[b.index[s.To]].load += w
	g.Slots = slices.Clone(g.Slots)
	g.Slots[s.Slot], g.Fixed = s.To, true
}

// crowd is how many slots of a group share a drive's node and zone.
type crowd struct{ node, zone int }

// around counts the slots of a group on the node and in the zone of a drive, but
// for one slot.
func (b *balance) around(g Group, except int, node cluster.NodeID, zone string) (c crowd) {
	for i, d := range g.Slots {
		n := b.view.NodeOf(d)
		if i == except || n == nil {
			continue
		}
		if n.ID == node {
			c.node++
		}
		if n.Zone == zone {
			c.zone++
		}
	}
	return c
}

// crowds returns how crowded a slot of a group is where it lies, and would be on
// another drive.
func (b *balance) crowds(g Group, slot int, to *vessel) (is, would crowd) {
	from := b.vessels[b.index[g.Slots[slot]]]
	return b.around(g, slot, from.node, from.zone), b.around(g, slot, to.node, to.zone)
}

// zoneShare returns how many slots of a group a zone may hold.
func (b *balance) zoneShare(g Group) int { return (len(g.Slots) + b.zones - 1) / max(1, b.zones) }

// allowed reports whether a slot may go to a drive: nothing is more crowded by it.
func (b *balance) allowed(g Group, slot int, to *vessel) bool {
	if !to.takes || slices.Contains(g.Slots, to.id) {
		return false
	}
	is, would := b.crowds(g, slot, to)
	return would.node <= is.node && (would.zone <= is.zone || would.zone < b.zoneShare(g))
}

// crowded reports whether a slot shares its node, or its zone with more than its
// share of others.
func (b *balance) crowded(g Group, slot int, at *vessel) bool {
	is := b.around(g, slot, at.node, at.zone)
	return is.node > 0 || is.zone >= b.zoneShare(g)
}

// improves reports whether a slot that crowds a node or zone would do so less there.
func (b *balance) improves(g Group, slot int, to *vessel) bool {
	is, would := b.crowds(g, slot, to)
	if would.node < is.node {
		return true
	}
	return would.node == is.node && is.zone >= b.zoneShare(g) && would.zone < b.zoneShare(g)
}

// mend finds a slot that is more crowded than it must be.
func (b *balance) mend() (Shift, bool) {
	for i, g := range b.groups {
		if g.Fixed {
			continue
		}
		for slot, d := range g.Slots {
			from, ok := b.index[d]
			if !ok || !b.crowded(g, slot, &b.vessels[from]) {
				continue
			}
			best := -1
			for j := range b.vessels {
				to := &b.vessels[j]
				if b.allowed(g, slot, to) && b.improves(g, slot, to) &&
					(best < 0 || to.load/to.room < b.vessels[best].load/b.vessels[best].room) {
					best = j
				}
			}
			if best >= 0 {
				return Shift{i, slot, b.vessels[best].id}, true
			}
		}
	}
	return Shift{}, false
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
	for i, g := range b.groups {
		w := b.weight[i]
		if g.Fixed || w > 2*-to.over() || w >= from.over()-to.over() || ok && w <= b.weight[best.Group] {
			continue
		}
		slot := slices.Index(g.Slots, from.id)
		if slot >= 0 && b.allowed(g, slot, to) {
			best, ok = Shift{i, slot, to.id}, true
		}
	}
	return best, ok
}
