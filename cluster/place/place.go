package place

import (
	"slices"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
)

// Domains returns the number of failure domains. These are the nodes with a usable drive, or the
// usable drives if the cluster has only one node. If only one node of several is usable, its drives
// are one domain: what lay on them alone would be lost with it.
func Domains(v *cluster.View, usable func(cluster.DriveID) bool) int {
	nodes, drives := 0, 0
	for i := range v.Nodes {
		here := 0
		for _, d := range v.Nodes[i].Drives {
			if usable(d.ID) {
				here++
			}
		}
		if here > 0 {
			nodes++
			drives += here
		}
	}
	if SeveralNodes(v) {
		return nodes
	}
	return drives
}

// SeveralNodes reports whether more than one node has drives, usable or not. Then nodes are the
// failure domains.
func SeveralNodes(v *cluster.View) bool {
	withDrives := 0
	for i := range v.Nodes {
		if len(v.Nodes[i].Drives) > 0 {
			withDrives++
		}
	}
	return withDrives > 1
}

// Width is how wide lists are.
type Width struct {
	Slots int
	Spare int // How many of the slots may be lost.
}

// Plan returns count lists of drives, by the rules of the package. load is the number of slots that
// a drive holds already; the lists planned before count as well. Equal arguments give equal lists,
// and seed varies them. The order of a list is varied too, so that parity, which has the last
// slots, is spread.
//
// Errors: Invalid; NoSpace if there are fewer usable drives than slots.
func Plan(d *Drives, w Width, count int, seed uint64) ([][]cluster.DriveID, error) {
	const op = "place.Plan"
	if w.Slots < 1 || count < 0 {
		return nil, errs.Newf(op, errs.Invalid, "cannot plan %d lists of %d slots", count, w.Slots)
	}
	if have := len(d.list); have < w.Slots {
		return nil, errs.Newf(op, errs.NoSpace, "%d slots need as many failure domains, %d are missing: "+
			"%d usable drives on %d nodes", w.Slots, w.Slots-have, have, d.domains())
	}
	share := d.share(w)
	lists := make([][]cluster.DriveID, count)
	for i := range lists {
		c := d.choose(seed, uint64(i), share)
		list := make([]cluster.DriveID, w.Slots)
		for s := range list {
			list[s] = c.take().id
		}
		slices.SortFunc(list, byOrderHash(seed, uint64(i)))
		lists[i] = list
	}
	return lists, nil
}

// Vacancy is a slot that needs another drive while the other slots of its list stay.
type Vacancy struct {
	Slots []cluster.DriveID
	Slot  int
	Spare int  // How many slots of the list may be lost.
	Held  bool // Drives on hold may take it too.
	Seed  uint64
}

// SpareFor returns the best drive to take a slot over. The list has no other slot there, and no
// node gets more slots of the list than the fullest one has now. A second shard on a node is no
// redundancy against the loss of that node, and must not look like it. Only if the cluster has a
// node for every slot may a node get as many as its zone's share, by rule 2 of the package. From
// now on the slot counts as the drive's.
//
// Errors: Invalid; NoSpace if no usable drive can take it.
func SpareFor(d *Drives, q Vacancy) (cluster.DriveID, error) {
	const op = "place.SpareFor"
	if q.Slot < 0 || q.Slot >= len(q.Slots) {
		return 0, errs.Newf(op, errs.Invalid, "slot %d of a list of %d", q.Slot, len(q.Slots))
	}
	c := d.chooseSpare(q)
	spare := c.take()
	if spare == nil {
		return 0, errs.Newf(op, errs.NoSpace, "no spare for drive %s: each of the %d usable drives is in its volume, "+
			"or on a node that has a slot of it", q.Slots[q.Slot], len(d.list))
	}
	return spare.id, nil
}

// HasSpare reports whether SpareFor would find a drive.
func HasSpare(d *Drives, q Vacancy) bool { return d.chooseSpare(q).any() }
