package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/place"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/shard"
)

// lookWhole takes a picture as look does, and adds what the volumes hold and what may be lost.
func (s *service) lookWhole(ctx context.Context) (*picture, error) {
	p, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	if p.stats, err = s.stats(ctx); err != nil {
		return nil, err
	}
	p.tolerance = s.tolerances.Of(p.topo, p.stats, p.gone)
	return p, nil
}

// stats returns what every volume holds and misses.
func (s *service) stats(ctx context.Context) (map[shard.VolumeID]*metapb.VolumeStats, error) {
	a, err := s.c.Metadata.Read(ctx, &metapb.Query{Op: &metapb.Query_VolumeStats{VolumeStats: &metapb.ListVolumeStats{}}})
	if err != nil {
		return nil, err
	}
	stats := map[shard.VolumeID]*metapb.VolumeStats{}
	for _, v := range a.GetVolumeStats().GetVolumes() {
		stats[shard.VolumeID(v.Volume)] = v.Stats
	}
	return stats, nil
}

// gone reports whether the data of a drive cannot be reached now. A node that does not answer counts as
// dead even while gossip calls it alive: what may be lost must not be told on the word of a dead node.
func (p *picture) gone(d cluster.DriveID) bool { return p.slot(d) != slotOK || p.silent(d) }

// metadataBears returns how many nodes, and how many zones, may be lost while the metadata go on. Zones
// with the most voters are taken away first, so the answer holds for any zones.
func (p *picture) metadataBears() (nodes, zones int) {
	all, counted := p.votes()
	alive := 0
	inZone := map[string]int{}
	for _, id := range counted {
		if p.state[id] == nodeAlive {
			alive++
			if n := p.topo.View.Node(id); n != nil {
				inZone[n.Zone]++
			}
		}
	}
	spare := max(0, alive-(all/2+1))
	var sizes []int
	for _, n := range inZone {
		sizes = append(sizes, n)
	}
	slices.Sort(sizes)
	for left := spare; len(sizes) > 0 && sizes[len(sizes)-1] <= left; sizes = sizes[:len(sizes)-1] {
		left -= sizes[len(sizes)-1]
		zones++
	}
	return spare, zones
}

// tell returns a tolerance as the API tells it. Its text speaks of the metadata only where they bear
// less than the data.
func (p *picture) tell(t meta.Tolerance) *adminpb.Tolerance {
	nodes, zones := p.metadataBears()
	out := &adminpb.Tolerance{Nodes: uint32(t.Now.Nodes), Drives: uint32(t.Now.Drives), Zones: uint32(t.Now.Zones), Zoned: t.Zones > 1,
		PromisedNodes: uint32(t.Promised.Nodes), PromisedDrives: uint32(t.Promised.Drives), PromisedZones: uint32(t.Promised.Zones),
		Volumes: uint32(t.Volumes), Unreadable: uint32(t.Unreadable), Short: uint32(t.Short), Crowded: uint32(t.Crowded),
		MetadataNodes: uint32(nodes), MetadataZones: uint32(zones)}
	switch {
	case t.Volumes == 0:
		out.Text = "nothing is stored"
	case t.Unreadable == t.Volumes:
		out.Text = fmt.Sprintf("%s what cannot be read now", plural(t.Unreadable, "volume holds", "volumes hold"))
	case t.Unreadable > 0:
		out.Text = fmt.Sprintf("%s what cannot be read now; of the others %s", plural(t.Unreadable, "volume holds", "volumes hold"), bears(t.Now, t.Zones > 1))
	default:
		out.Text = bears(t.Now, t.Zones > 1)
	}
	meta := place.Tolerance{Nodes: nodes, Zones: zones}
	if nodes < t.Now.Nodes || t.Zones > 1 && zones < t.Now.Zones {
		out.Text += "; the metadata would stop sooner: of its voters " + bears(meta, t.Zones > 1)
	}
	return out
}

// bears says in words what may be lost, such as "any 2 nodes, any 2 drives or any zone".
func bears(t place.Tolerance, zoned bool) string {
	var some, none []string
	of := func(n int, one, many string) {
		switch n {
		case 0:
			none = append(none, "no "+one)
		case 1:
			some = append(some, "any "+one)
		default:
			some = append(some, fmt.Sprintf("any %d %s", n, many))
		}
	}
	of(t.Nodes, "node", "nodes")
	if t.Drives > 0 {
		of(t.Drives, "drive", "drives")
	}
	if zoned {
		of(t.Zones, "zone", "zones")
	}
	text := orList(some, "or") + " may be lost"
	switch {
	case len(some) == 0:
		return "no node and no drive may be lost"
	case len(none) > 0:
		text += ", but " + orList(none, "and")
	}
	return text
}

// orList joins the elements of a list by commas, and the last two by a word such as "or".
func orList(list []string, last string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " " + last + " " + list[len(list)-1]
}

// checkTolerance compares what may be lost with what the schemes promise.
func (p *picture) checkTolerance() (out []finding) {
	t := p.tolerance
	if t.Unreadable > 0 { // checkUnreadable tells of data that cannot be read.
		out = append(out, finding{critical,
			plural(t.Unreadable, "volume has", "volumes have") + " lost more than may be lost",
			"bring back the nodes and drives that do not answer"})
	}
	if t.Short > 0 {
		state := warning
		if t.Now.Drives == 0 {
			state = critical
		}
		out = append(out, finding{state, fmt.Sprintf("%s shards or slots: %s, where %s", plural(t.Short, "volume lacks", "volumes lack"),
			bears(t.Now, t.Zones > 1), promises(t)), "bring back the nodes and drives that are down; what is given up is rebuilt by itself"})
	}
	if t.Crowded > 0 {
		out = append(out, p.checkCrowded(t))
	}
	return out
}

// promises says in words what the schemes of the data promise.
func promises(t meta.Tolerance) string {
	return "its coding promises: " + bears(t.Promised, t.Zones > 1)
}

// checkCrowded tells that slots lie too close together, so that less may be lost than their number
// would allow. If new volumes could not bear what is promised either, nodes must be added. Otherwise
// the slots are moved apart without the operator.
func (p *picture) checkCrowded(t meta.Tolerance) finding {
	found := fmt.Sprintf("slots of %s too close together: %s, where %s", plural(t.Crowded, "volume lie", "volumes lie"), bears(t.Now, t.Zones > 1), promises(t))
	if t.CrowdedNodeHas > 0 {
		found += fmt.Sprintf(" (node %s has two or more slots of %s)", p.nodeWithZone(t.CrowdedNode), plural(t.CrowdedNodeHas, "volume", "volumes"))
	}
	if attainable := p.attainable(); attainable.Below(t.Promised) {
		return finding{warning, found, "add nodes to the zones that have the fewest: a zone's share of the slots does not fit on distinct nodes there"}
	}
	return finding{warning, found, "wait: slots are moved apart by themselves while nothing is lost or drained; see `cairn job list`"}
}

// nodeWithZone returns how a node and its zone are called in a sentence.
func (p *picture) nodeWithZone(id cluster.NodeID) string {
	n := p.topo.View.Node(id)
	if n == nil || n.Zone == "" {
		return id.String()
	}
	return fmt.Sprintf("%s of zone %s", id, n.Zone)
}

// attainable returns the least that new volumes would bear, of all schemes that hold data.
func (p *picture) attainable() place.Tolerance {
	type kind struct {
		scheme shard.Scheme
		cold   bool
	}
	all := place.Tolerance{Nodes: shard.MaxShards, Drives: shard.MaxShards, Zones: shard.MaxShards}
	seen := map[kind]bool{}
	for id, v := range p.topo.Volumes {
		k := kind{v.Scheme, p.topo.View.ColdApart() && p.topo.View.AnyCold(v.Slots)}
		if seen[k] || p.stats[id].GetExtents() == 0 {
			continue
		}
		seen[k] = true
		takes := func(d cluster.DriveID) bool { return p.topo.Takes(d, k.cold) }
		all = all.Min(place.Attainable(p.topo.View, takes, place.Width{Slots: v.Scheme.N(), Spare: int(v.Scheme.M)}))
	}
	return all
}
