package place

import (
	"slices"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
)

// Domains returns the number of failure domains: the nodes with a usable drive if
// they are more than one, else the usable drives of the one node.
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
	if nodes > 1 {
		return nodes
	}
	return drives
}

// Plan returns count lists of n drives each, by the rules of the package. load is
// the number of slots that a drive holds already; the lists planned before count
// as well. Equal arguments give equal lists; seed varies them. The order of a
// list is varied too, so that parity, which has the last slots, is spread.
//
// Errors: Invalid; NoSpace where there are fewer than n usable drives.
func Plan(v *cluster.View, usable func(cluster.DriveID) bool, load func(cluster.DriveID) int,
	n, count int, seed uint64) ([][]cluster.DriveID, error) {
	const op = "place.Plan"
	if n < 1 || count < 0 {
		return nil, errs.Newf(op, errs.Invalid, "cannot plan %d lists of %d slots", count, n)
	}
	p := newPlanner(v, usable, load)
	if have := len(p.drives); have < n {
		return nil, errs.Newf(op, errs.NoSpace, "%d slots need as many failure domains, %d are missing: "+
			"%d usable drives on %d nodes", n, n-have, have, Domains(v, usable))
	}
	lists := make([][]cluster.DriveID, count)
	for i := range lists {
		p.begin(seed, uint64(i))
		list := make([]cluster.DriveID, n)
		for s := range list {
			list[s] = p.drives[p.take()].id
		}
		slices.SortFunc(list, byOrderHash(seed, uint64(i)))
		lists[i] = list
	}
	return lists, nil
}

// SpareFor returns the drive that best replaces the one in slots[slot] while the
// others stay. It is none of the list. It shares a node with another slot only
// where no other node has a usable drive; whether that is wanted is for the
// caller to judge.
//
// Errors: Invalid; NoSpace where every usable drive is in the list.
func SpareFor(v *cluster.View, usable func(cluster.DriveID) bool, load func(cluster.DriveID) int,
	slots []cluster.DriveID, slot int, seed uint64) (cluster.DriveID, error) {
	const op = "place.SpareFor"
	if slot < 0 || slot >= len(slots) {
		return 0, errs.Newf(op, errs.Invalid, "slot %d of a list of %d", slot, len(slots))
	}
	p := newPlanner(v, usable, load)
	p.begin(seed, uint64(slots[slot]))
	for i, id := range slots {
		p.occupy(v, id, i != slot)
	}
	i := p.take()
	if i < 0 {
		return 0, errs.Newf(op, errs.NoSpace, "no spare for drive %s: none of the %d usable drives is outside its volume",
			slots[slot], len(p.drives))
	}
	return p.drives[i].id, nil
}
