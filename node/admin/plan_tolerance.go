package admin

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/place"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/shard"
)

// settle returns where the slots of volumes will lie once all moves are over. These are the moves that
// are under way, those from drives that are not active, and, if of is not nil, those from the subject.
// Slots that no drive can take stay. The slots of the volumes in the result are then spread as well as
// the drives allow. A volume of which nothing moves is left out unless all is set.
func (p *picture) settle(of *subjectOf, all bool) meta.Moved {
	moved := meta.Moved{}
	groups, ids := map[bool][]place.Group{}, map[bool][]shard.VolumeID{}
	to := spares{view: p.topo.View, of: of}
	for _, v := range p.volumesByID() {
		slots, changed := p.settleVolume(v, of, &to)
		if !changed && !all {
			continue
		}
		moved[v.ID] = slots
		cold := p.topo.View.AnyCold(v.Slots)
		groups[cold] = append(groups[cold], place.Group{Slots: slots, Spare: int(v.Scheme.M), Bytes: 1})
		ids[cold] = append(ids[cold], v.ID)
	}
	for cold, list := range groups {
		usable := func(d cluster.DriveID) bool { return p.topo.Takes(d, cold) && !of.has(d) }
		for i, slots := range place.Mended(p.topo.View, usable, list) {
			moved[ids[cold][i]] = slots
		}
	}
	return moved
}

func (p *picture) volumesByID() []*shard.Volume {
	list := make([]*shard.Volume, 0, len(p.topo.Volumes))
	for _, v := range p.topo.Volumes {
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b *shard.Volume) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// settleVolume returns where the slots of one volume will lie before settle spreads them better, and
// whether anything moves. It does not change v.
func (p *picture) settleVolume(v *shard.Volume, of *subjectOf, to *spares) (list []cluster.DriveID, changed bool) {
	list = v.Slots
	set := func(slot int, d cluster.DriveID) {
		if !changed {
			list, changed = slices.Clone(list), true
		}
		list[slot] = d
	}
	if v.Move != nil {
		set(v.Move.Slot, v.Move.To)
	}
	for i, d := range list {
		if !of.has(d) && p.topo.View.StateOf(d) == cluster.Active {
			continue
		}
		drives := to.takers(p.topo.View.AnyCold(v.Slots))
		spare, err := place.SpareFor(drives, place.Vacancy{Slots: list, Slot: i, Spare: int(v.Scheme.M), Held: true, Seed: uint64(v.ID)})
		if err == nil {
			set(i, spare)
		}
	}
	return list, changed
}

// outlook fills in what may be lost now, and what once the plan is carried out. It returns why a drain
// should not be made, which is that volumes could lose less afterwards; empty if there is no reason. A
// drain of what drains already, or is given up, changes nothing. For a removal there is never a reason
// here: After tells its cost.
func (p *picture) outlook(of *subjectOf, out *adminpb.Plan, remove bool) (why string) {
	out.Before = p.tell(p.tolerance)
	if remove {
		gone := func(d cluster.DriveID) bool { return of.has(d) || p.gone(d) }
		out.After = p.tell(p.topo.Tolerance(p.stats, gone))
		return ""
	}
	moved := p.settle(of, false)
	after := p.topo.With(moved).Tolerance(p.stats, p.gone)
	out.After = p.tell(after)
	if out.Life != cluster.Active.String() || len(p.topo.Worse(moved, nil, p.stats, p.gone)) == 0 {
		return ""
	}
	// What becomes worse by moves that were decided before is not the fault of this drain.
	worse := p.topo.Worse(moved, p.settle(nil, false), p.stats, p.gone)
	if len(worse) == 0 {
		return ""
	}
	return p.whyWorse(worse, moved, after)
}

// whyWorse says in words what would be worse for volumes after a drain. It names the node that would
// have several slots of the most volumes: that shows where a node has to be added.
func (p *picture) whyWorse(worse []*shard.Volume, moved meta.Moved, after meta.Tolerance) string {
	crowded := map[cluster.NodeID]int{}
	for _, v := range worse {
		seen := map[cluster.NodeID]int{}
		for _, d := range moved[v.ID] {
			if n := p.topo.View.NodeOf(d); n != nil {
				if seen[n.ID]++; seen[n.ID] == 2 {
					crowded[n.ID]++
				}
			}
		}
	}
	text := fmt.Sprintf("%s could lose less than now: %s then", plural(len(worse), "volume", "volumes"), bears(after.Now, after.Zones > 1))
	var most cluster.NodeID
	for id, n := range crowded {
		if n > crowded[most] || n == crowded[most] && id < most {
			most = id
		}
	}
	if most == 0 {
		return text + ". Add a node to the same zone first"
	}
	return fmt.Sprintf("%s, for node %s would have two or more slots of %s. Add a node to that zone first", text, p.nodeWithZone(most),
		plural(crowded[most], "volume", "volumes"))
}

// undrained fills in the outlook of a subject that is used again. It is that of a view in which the
// subject is active. Nothing moves at once, but slots that could lie better then are moved in time.
func (p *picture) undrained(of *subjectOf, out *adminpb.Plan) {
	out.Before = p.tell(p.tolerance)
	nodes := slices.Clone(p.topo.View.Nodes)
	for i := range nodes {
		n := &nodes[i]
		if n.ID != of.node.ID {
			continue
		}
		if of.drive == nil {
			n.State = cluster.Active
			continue
		}
		n.Drives = slices.Clone(n.Drives)
		for j := range n.Drives {
			if n.Drives[j].ID == of.drive.ID {
				n.Drives[j].State = cluster.Active
			}
		}
	}
	used, topo := *p, *p.topo
	topo.View = cluster.NewView(p.topo.View.Epoch, nodes)
	used.topo = &topo
	out.After = used.tell(topo.With(used.settle(nil, true)).Tolerance(p.stats, used.gone))
}
