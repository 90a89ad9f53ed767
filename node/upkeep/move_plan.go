package upkeep

import (
	"cmp"
	"slices"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/place"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// How many moves may be under way at once.
const (
	rebuildsAtOnce = 32 // Of slots on lost drives. They only mark shards as missing, which is cheap.
	copiesPerDrive = 2  // Copies to one drive.
	copiesPerNode  = 2  // Copies in the whole cluster, for each of its nodes.
)

// The reasons for moves. They are also the names by which an operator pauses them.
const (
	jobRebuild   = "rebuild"
	jobDrain     = "drain"
	jobRebalance = "rebalance"
)

// moveStart is a slot that is to move.
type moveStart struct {
	volume *shard.Volume
	slot   int
	to     cluster.DriveID
	reason string
}

// movePlan says which moves are to be begun and cancelled now, and how much is left.
type movePlan struct {
	start  []moveStart
	cancel []*shard.Volume // Volumes whose move makes no sense any more.

	lost, draining           int // Slots on drives that are gone, and on draining ones.
	lostBytes, drainingBytes uint64
	noSpare                  int // Lost or draining slots that no drive can take.
	beyond                   int // Lost slots of volumes that have lost more than can be rebuilt.
	rebalancing              int // Moves of other slots, under way or in start.
	rebalancingBytes         uint64
}

// movePlanner plans moves. It is pure: the plan follows from what it is given.
type movePlanner struct {
	topo   *meta.Topology
	stats  map[shard.VolumeID]*metapb.VolumeStats
	alive  func(cluster.NodeID) bool
	paused func(job string) bool

	states map[cluster.DriveID]cluster.Life // Of all drives.
	load   map[cluster.DriveID]int          // Slots that a drive holds or is getting, before this plan.
	copies map[cluster.DriveID]int          // Copies on their way to a drive, with those of this plan.
	drives map[bool]*place.Drives           // The drives that take slots, cold ones (true) and others.
	active struct{ rebuilds, copies int }   // Moves under way, with those of this plan.
	plan   movePlan
}

// planMoves says which slots should move now. Slots on lost drives come first, those of the most
// endangered volumes before the others, then slots on draining drives. Only where nothing is lost,
// missing or draining, slots move to drives that hold too little.
func planMoves(t *meta.Topology, stats map[shard.VolumeID]*metapb.VolumeStats, alive func(cluster.NodeID) bool,
	paused func(string) bool) movePlan {
	p := &movePlanner{topo: t, stats: stats, alive: alive, paused: paused,
		states: map[cluster.DriveID]cluster.Life{}, load: map[cluster.DriveID]int{},
		copies: map[cluster.DriveID]int{}, drives: map[bool]*place.Drives{}}
	for i := range t.View.Nodes {
		for _, d := range t.View.Nodes[i].Drives {
			p.states[d.ID] = t.View.StateOf(d.ID)
		}
	}
	volumes := p.byDanger()
	for _, v := range volumes {
		p.count(v)
	}
	for _, v := range volumes {
		p.volume(v)
	}
	if p.plan.lost == 0 && p.plan.draining == 0 && !p.missing() && !p.paused(jobRebalance) {
		p.rebalance(volumes)
	}
	return p.plan
}

// takes reports whether a drive may get slots now: it is active, not full, and its node is alive.
func (p *movePlanner) takes(d cluster.DriveID) bool {
	n := p.topo.View.NodeOf(d)
	return n != nil && p.topo.View.StateOf(d) == cluster.Active && !p.topo.View.Drive(d).Full && p.alive(n.ID)
}

// stateOf is View.StateOf, made quick, since it is asked for every slot of every volume. A drive
// that is not known was removed, so it is lost.
func (p *movePlanner) stateOf(d cluster.DriveID) cluster.Life {
	if s, known := p.states[d]; known {
		return s
	}
	return cluster.Lost
}

// lostSlots returns the slots of a volume that lie on drives that are gone.
func (p *movePlanner) lostSlots(v *shard.Volume) (slots []int) {
	for i, d := range v.Slots {
		if p.stateOf(d).Gone() {
			slots = append(slots, i)
		}
	}
	return slots
}

// spareShards returns how many more shards the worst extent of a volume may lose.
func (p *movePlanner) spareShards(v *shard.Volume) int {
	return int(v.Scheme.M) - meta.WorstMissing(p.gone(v), p.stats[v.ID])
}

// gone returns lostSlots as a set.
func (p *movePlanner) gone(v *shard.Volume) (set shard.SlotSet) {
	for _, slot := range p.lostSlots(v) {
		set = set.With(slot)
	}
	return set
}

// mayRebuild reports whether a slot may be taken from its drive without copying anything. It may
// where all its shards can be rebuilt from others, or where the drive was removed for good.
// Otherwise the drive has what nobody else has: if it comes back, it must find its slots. Apply
// refuses such moves too.
func (p *movePlanner) mayRebuild(v *shard.Volume, slot int) bool {
	return p.topo.View.NodeOf(v.Slots[slot]) == nil || meta.MayBeTaken(v.Scheme, p.gone(v), slot, p.stats[v.ID])
}

// byDanger returns the volumes, those first that can bear the fewest further losses, and of those
// the ones that hold the most.
func (p *movePlanner) byDanger() []*shard.Volume {
	type ranked struct {
		v     *shard.Volume
		spare int
		bytes uint64
	}
	list := make([]ranked, 0, len(p.topo.Volumes))
	for _, v := range p.topo.Volumes {
		list = append(list, ranked{v, p.spareShards(v), p.slotBytes(v)})
	}
	slices.SortFunc(list, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.spare, b.spare), cmp.Compare(b.bytes, a.bytes), cmp.Compare(a.v.ID, b.v.ID))
	})
	volumes := make([]*shard.Volume, len(list))
	for i := range list {
		volumes[i] = list[i].v
	}
	return volumes
}

// slotBytes returns about how many bytes a slot of a volume holds.
func (p *movePlanner) slotBytes(v *shard.Volume) uint64 {
	return p.stats[v.ID].GetPlainBytes() / uint64(v.Scheme.K)
}

// count adds the slots of a volume, and its move, to the sums.
func (p *movePlanner) count(v *shard.Volume) {
	for _, d := range v.Slots {
		p.load[d]++
		switch state := p.stateOf(d); {
		case state.Gone():
			p.plan.lost++
			p.plan.lostBytes += p.slotBytes(v)
		case state == cluster.Draining:
			p.plan.draining++
			p.plan.drainingBytes += p.slotBytes(v)
		}
	}
	switch m := v.Move; {
	case m == nil:
	case m.Rebuild:
		p.load[m.To]++
		p.active.rebuilds++
	default:
		p.load[m.To]++
		p.copies[m.To]++
		p.active.copies++
		if p.topo.View.StateOf(v.Slots[m.Slot]) == cluster.Active {
			p.plan.rebalancing++
			p.plan.rebalancingBytes += p.slotBytes(v)
		}
	}
}

// volume decides about one volume. It has at most one move at a time.
func (p *movePlanner) volume(v *shard.Volume) {
	lost := p.lostSlots(v)
	if v.Move != nil {
		if p.pointless(v, lost) {
			p.plan.cancel = append(p.plan.cancel, v)
		}
		return
	}
	if len(lost) > 0 {
		may := slices.IndexFunc(lost, func(slot int) bool { return p.mayRebuild(v, slot) })
		if may < 0 {
			p.plan.beyond += len(lost)
			return
		}
		if p.active.rebuilds < rebuildsAtOnce && !p.paused(jobRebuild) && p.begin(v, lost[may], jobRebuild) {
			p.active.rebuilds++
		}
		return
	}
	for slot, d := range v.Slots {
		if p.stateOf(d) != cluster.Draining || p.paused(jobDrain) {
			continue
		}
		if p.active.copies < p.mostCopies() && p.begin(v, slot, jobDrain) {
			p.active.copies++
		}
		return
	}
}

// pointless reports whether the move of a volume should be cancelled. That is so where its drive
// cannot take the slot any more; where a slot is moved since it was lost, and it is back, or so
// much is lost by now that nothing could be rebuilt; and where another slot is lost meanwhile,
// which cannot wait for a copy.
func (p *movePlanner) pointless(v *shard.Volume, lost []int) bool {
	m := v.Move
	switch {
	case p.topo.View.StateOf(m.To) != cluster.Active:
		return true
	case m.Rebuild:
		return !slices.Contains(lost, m.Slot) || !p.mayRebuild(v, m.Slot)
	}
	return len(lost) > 0 && !slices.Contains(lost, m.Slot)
}

// mostCopies returns how many copies may be under way in the whole cluster.
func (p *movePlanner) mostCopies() int { return max(1, copiesPerNode*len(p.topo.View.Nodes)) }

// drivesFor returns the drives that take slots of cold data, or of other data.
func (p *movePlanner) drivesFor(cold bool) *place.Drives {
	d := p.drives[cold]
	if d == nil {
		takes := func(d cluster.DriveID) bool { return p.takes(d) && p.topo.View.Cold(d) == cold }
		d = place.NewDrives(p.topo.View, takes, func(d cluster.DriveID) int { return p.load[d] })
		for id, copies := range p.copies {
			if copies >= copiesPerDrive {
				d.Hold(id)
			}
		}
		p.drives[cold] = d
	}
	return d
}

// begin plans a move of a slot to the best drive for it; false where there is none now.
func (p *movePlanner) begin(v *shard.Volume, slot int, reason string) bool {
	drives := p.drivesFor(p.topo.View.AnyCold(v.Slots))
	vacancy := place.Vacancy{Slots: v.Slots, Slot: slot, Spare: int(v.Scheme.M), Seed: uint64(v.ID),
		Held: reason == jobRebuild}
	to, err := place.SpareFor(drives, vacancy)
	if err != nil {
		vacancy.Held = true // With the drives that are only busy with other copies.
		if !place.HasSpare(drives, vacancy) {
			p.plan.noSpare++
		}
		return false
	}
	p.add(moveStart{v, slot, to, reason})
	return true
}

// add adds a move to the plan. A drive that gets as many copies as it may takes no more.
func (p *movePlanner) add(s moveStart) {
	if s.reason != jobRebuild {
		if p.copies[s.to]++; p.copies[s.to] >= copiesPerDrive {
			for _, d := range p.drives {
				d.Hold(s.to)
			}
		}
	}
	p.plan.start = append(p.plan.start, s)
}

// missing reports whether any extent misses a shard. Repair comes before rebalancing then.
func (p *movePlanner) missing() bool {
	for _, s := range p.stats {
		if len(s.Missing) > 0 {
			return true
		}
	}
	return false
}

// rebalance plans moves to drives that hold too little. Cold drives are balanced among themselves.
func (p *movePlanner) rebalance(volumes []*shard.Volume) {
	p.rebalanceKind(volumes, false)
	if p.topo.View.ColdApart() {
		p.rebalanceKind(volumes, true)
	}
}

// rebalanceKind balances the cold drives, or the others. Volumes of a scheme that is narrower than
// the standard one stay where they are, since widening empties them.
func (p *movePlanner) rebalanceKind(all []*shard.Volume, cold bool) {
	room := p.mostCopies() - p.active.copies
	if room <= 0 {
		return
	}
	standard := shard.DefaultScheme(place.Domains(p.topo.View, func(d cluster.DriveID) bool {
		return p.takes(d) && p.topo.View.Cold(d) == cold
	}))
	var groups []place.Group
	var volumes []*shard.Volume
	for _, v := range all {
		g := place.Group{Slots: v.Slots, Spare: int(v.Scheme.M), Bytes: p.slotBytes(v), Fixed: v.Move != nil}
		if v.Scheme.N() < standard.N() || p.topo.View.AnyCold(v.Slots) != cold {
			continue
		}
		if m := v.Move; m != nil {
			g.Slots = slices.Clone(v.Slots)
			g.Slots[m.Slot] = m.To // Where it will be.
		}
		groups, volumes = append(groups, g), append(volumes, v)
	}
	usable := func(d cluster.DriveID) bool {
		n := p.topo.View.NodeOf(d)
		return n != nil && p.topo.View.Cold(d) == cold && p.topo.View.StateOf(d) == cluster.Active && p.alive(n.ID)
	}
	for _, s := range place.Rebalance(p.topo.View, usable, groups, room) {
		v := volumes[s.Group]
		if p.copies[s.To] < copiesPerDrive {
			p.add(moveStart{v, s.Slot, s.To, jobRebalance})
			p.plan.rebalancing++
			p.plan.rebalancingBytes += p.slotBytes(v)
		}
	}
}
