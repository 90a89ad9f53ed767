package place

import (
	"cmp"
	"slices"

	"github.com/cairnstore/cairn/cluster"
)

// candidate is a usable drive.
type candidate struct {
	id     cluster.DriveID
	node   int     // Index into the view.
	weight float64 // Capacity, as a multiple of the mean.
	slots  int     // Held before and planned so far.
	held   bool    // Takes nothing for now: see Hold.
	taken  bool    // In the current list.
}

// filled returns how full the drive is once it has one slot more. It divides only: some machines
// round a multiplication with an addition differently.
func (c *candidate) filled() float64 { return float64(c.slots+1) / c.weight }

// Drives is the usable drives of a view and what they hold, for many choices one after the other.
// It belongs to one goroutine.
type Drives struct {
	view   *cluster.View
	list   []candidate // In the view's order.
	index  map[cluster.DriveID]int
	first  []int // In list, of each node of the view; one more for the end.
	zoneOf []int // Of each node of the view.
	inZone []int // Usable drives of each zone.
	nodes  int   // With usable drives.
	chosen chooser
}

// NewDrives returns the drives of a view that are usable. load is how many slots a drive holds;
// nil: none holds any.
func NewDrives(v *cluster.View, usable func(cluster.DriveID) bool, load func(cluster.DriveID) int) *Drives {
	d := &Drives{view: v, index: map[cluster.DriveID]int{}, first: make([]int, len(v.Nodes)+1), zoneOf: make([]int, len(v.Nodes))}
	zones := make(map[string]int) // It is never walked: map order must not matter.
	var sum float64
	for i := range v.Nodes {
		z, ok := zones[v.Nodes[i].Zone]
		if !ok {
			z = len(zones)
			zones[v.Nodes[i].Zone] = z
			d.inZone = append(d.inZone, 0)
		}
		d.zoneOf[i] = z
		for _, drive := range v.Nodes[i].Drives {
			if !usable(drive.ID) {
				continue
			}
			c := candidate{id: drive.ID, node: i, weight: float64(max(1, drive.CapacityBytes))}
			if load != nil {
				c.slots = max(0, load(drive.ID))
			}
			sum += c.weight
			d.index[drive.ID] = len(d.list)
			d.list = append(d.list, c)
			d.inZone[z]++
		}
		if d.first[i+1] = len(d.list); d.first[i+1] > d.first[i] {
			d.nodes++
		}
	}
	for i := range d.list {
		d.list[i].weight /= sum / float64(len(d.list))
	}
	return d
}

// Add notes that a drive holds some slots more.
func (d *Drives) Add(id cluster.DriveID, slots int) {
	if i, ok := d.index[id]; ok {
		d.list[i].slots = max(0, d.list[i].slots+slots)
	}
}

// Hold notes that a drive gets no new slots for now, though it could hold them.
func (d *Drives) Hold(id cluster.DriveID) {
	if i, ok := d.index[id]; ok {
		d.list[i].held = true
	}
}

// domains is Domains of the usable drives.
func (d *Drives) domains() int {
	if d.nodes > 1 {
		return d.nodes
	}
	return len(d.list)
}

// nodeOf returns the index of the node that has a drive, usable or not; -1: none.
func (d *Drives) nodeOf(id cluster.DriveID) int {
	if i, ok := d.index[id]; ok {
		return d.list[i].node
	}
	n := d.view.NodeOf(id)
	if n == nil {
		return -1
	}
	i, _ := slices.BinarySearchFunc(d.view.Nodes, n.ID, func(n cluster.Node, id cluster.NodeID) int { return cmp.Compare(n.ID, id) })
	return i
}

// share returns how many slots of a list a zone may have by rule 2, or the number of all slots if
// the rule does not apply.
func (d *Drives) share(w Width) int { return zoneShare(w, d.inZone) }

// zoneShare is share for zones with the given numbers of drives.
func zoneShare(w Width, drives []int) int {
	if least := leastShare(w.Slots, drives); least <= w.Spare {
		return least
	}
	return w.Slots
}

// leastShare returns the least number of slots per zone by which the slots find room in zones with
// the given numbers of drives. It returns slots if they find none.
func leastShare(slots int, drives []int) int {
	for share := 1; share < slots; share++ {
		room := 0
		for _, n := range drives {
			room += min(share, n)
		}
		if room >= slots {
			return share
		}
	}
	return slots
}
