package meta

import (
	"maps"
	"slices"
	"sync"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/place"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// Tolerance is what may be lost now, whichever it is, while all data can be read: the
// worst of all volumes that hold something (of the widest ones, where none does), less
// what is missing already.
type Tolerance struct {
	Now      place.Tolerance
	Promised place.Tolerance // What the same volumes would bear if their slots lay as evenly as drives allow.

	Volumes    int // That count.
	Unreadable int // Of these, that hold something which cannot be read now. Now is of the others.
	Short      int // That bear less than is promised of them, because slots or shards are missing.
	Crowded    int // That do because of where their slots lie.

	// Of the crowded volumes, where most of them have more than one slot: a node, and how
	// many volumes that is of. Zero: of none.
	CrowdedNode    cluster.NodeID
	CrowdedNodeHas int

	Zones int // Of the cluster. With one there is nothing to be said of them.
}

// HoldingOf is a list of slots of a volume, with what the sums say that its extents miss.
func HoldingOf(v *shard.Volume, slots []cluster.DriveID, stats *metapb.VolumeStats) place.Holding {
	h := place.Holding{Slots: slots, Spare: int(v.Scheme.M), Most: len(stats.GetMissing())}
	for slot, n := range stats.GetMissingSlots() {
		if n > 0 {
			h.Missing |= 1 << slot
		}
	}
	return h
}

// Tolerance returns what may be lost. Drives that are gone hold nothing; beyond what the
// metadata says of them, the caller knows who does not answer.
func (t *Topology) Tolerance(stats map[shard.VolumeID]*metapb.VolumeStats, gone func(cluster.DriveID) bool) Tolerance {
	j := newJudge(t, gone)
	counted := t.counted(stats)
	out := Tolerance{Volumes: len(counted), Zones: zonesOf(t.View)}
	crowded := map[cluster.NodeID]int{}
	for i, v := range counted {
		promised := j.promised(v)
		now, readable := j.here.Tolerance(HoldingOf(v, v.Slots, stats[v.ID]))
		switch {
		case !readable:
			out.Unreadable++
		case !now.Below(promised):
		case j.spread(v).Below(promised):
			out.Crowded++
			j.crowds(crowded, v)
		default:
			out.Short++
		}
		if i == 0 {
			out.Promised = promised
		}
		out.Promised = out.Promised.Min(promised)
		if readable && out.Unreadable == i {
			out.Now = now
		} else if readable {
			out.Now = out.Now.Min(now)
		}
	}
	for id, n := range crowded {
		if n > out.CrowdedNodeHas || n == out.CrowdedNodeHas && id < out.CrowdedNode {
			out.CrowdedNode, out.CrowdedNodeHas = id, n
		}
	}
	return out
}

// counted returns the volumes that hold something, or, where none does, the widest.
func (t *Topology) counted(stats map[shard.VolumeID]*metapb.VolumeStats) (counted []*shard.Volume) {
	widest := 0
	for id, v := range t.Volumes {
		if stats[id].GetExtents() > 0 {
			counted = append(counted, v)
		}
		widest = max(widest, v.Scheme.N())
	}
	if len(counted) > 0 {
		return counted
	}
	for _, v := range t.Volumes {
		if v.Scheme.N() == widest {
			counted = append(counted, v)
		}
	}
	return counted
}

// zonesOf returns how many zones the nodes of a view are in.
func zonesOf(v *cluster.View) int {
	zones := map[string]bool{}
	for i := range v.Nodes {
		zones[v.Nodes[i].Zone] = true
	}
	return len(zones)
}

// judge compares volumes with what is promised of them.
type judge struct {
	t         *Topology
	here, all *place.Units           // With what is there now; with every drive that belongs to the cluster.
	drives    map[bool]*place.Drives // That slots may lie on: cold ones and others.
	promises  map[promise]place.Tolerance
}

// promise is what a promise depends on.
type promise struct {
	scheme shard.Scheme
	cold   bool
}

func newJudge(t *Topology, gone func(cluster.DriveID) bool) *judge {
	none := func(cluster.DriveID) bool { return false }
	return &judge{t: t, here: place.NewUnits(t.View, gone), all: place.NewUnits(t.View, none),
		drives: map[bool]*place.Drives{}, promises: map[promise]place.Tolerance{}}
}

// promised returns what slots of a volume could bear to lose.
func (j *judge) promised(v *shard.Volume) place.Tolerance {
	key := promise{v.Scheme, j.t.View.ColdApart() && j.t.View.AnyCold(v.Slots)}
	p, known := j.promises[key]
	if known {
		return p
	}
	d := j.drives[key.cold]
	if d == nil {
		d = place.NewDrives(j.t.View, func(id cluster.DriveID) bool { return j.t.Takes(id, key.cold) }, nil)
		j.drives[key.cold] = d
	}
	p = d.Promised(place.Width{Slots: v.Scheme.N(), Spare: int(v.Scheme.M)})
	j.promises[key] = p
	return p
}

// Takes reports whether slots of a kind may lie on a drive for long, as far as is decided
// of it: whether it is alive or full does not count.
func (t *Topology) Takes(id cluster.DriveID, cold bool) bool {
	return t.View.StateOf(id) == cluster.Active && t.View.Cold(id) == cold
}

// crowds counts a volume for each node that has more than one slot of it.
func (j *judge) crowds(nodes map[cluster.NodeID]int, v *shard.Volume) {
	for i, d := range v.Slots {
		n, before := j.t.View.NodeOf(d), 0
		for _, o := range v.Slots[:i] {
			if n != nil && j.t.View.NodeOf(o) == n {
				before++
			}
		}
		if before == 1 {
			nodes[n.ID]++
		}
	}
}

// spread returns what a volume would bear if all of its slots were there that lie on
// drives of the cluster.
func (j *judge) spread(v *shard.Volume) place.Tolerance {
	slots := v.Slots
	if slices.ContainsFunc(slots, func(d cluster.DriveID) bool { return j.t.View.NodeOf(d) == nil }) {
		slots = slices.DeleteFunc(slices.Clone(slots), func(d cluster.DriveID) bool { return j.t.View.NodeOf(d) == nil })
	}
	t, _ := j.all.Tolerance(place.Holding{Slots: slots, Spare: int(v.Scheme.M)})
	return t
}

// Moved is where slots of volumes will lie; of volumes that it does not have, as they do.
type Moved map[shard.VolumeID][]cluster.DriveID

// With returns the topology with slots moved.
func (t *Topology) With(moved Moved) *Topology {
	after := *t
	after.Volumes = maps.Clone(t.Volumes)
	for id, slots := range moved {
		v := *t.Volumes[id]
		v.Slots, v.Move = slots, nil
		after.Volumes[id] = &v
	}
	return &after
}

// Worse returns the volumes that hold something and would bear less where they are to lie
// than where they lie otherwise: less than the drives that there are now can promise. Of
// the zones only that counts; nodes and drives are as many as the scheme says.
func (t *Topology) Worse(moved, otherwise Moved, stats map[shard.VolumeID]*metapb.VolumeStats,
	gone func(cluster.DriveID) bool) (worse []*shard.Volume) {
	j := newJudge(t, gone)
	for id, slots := range moved {
		v := t.Volumes[id]
		if stats[id].GetExtents() == 0 {
			continue
		}
		instead, known := otherwise[id]
		if !known {
			instead = v.Slots
		}
		now, readable := j.here.Tolerance(HoldingOf(v, instead, stats[id]))
		now.Zones = min(now.Zones, j.promised(v).Zones)
		then, _ := j.here.Tolerance(HoldingOf(v, slots, stats[id]))
		if readable && then.Below(now) {
			worse = append(worse, v)
		}
	}
	return worse
}

// Tolerances remembers what may be lost for as long as nothing changes that it depends
// on: asked every few seconds of 100,000 volumes, it would keep a processor busy. The zero
// value is ready. Safe for concurrent use.
type Tolerances struct {
	mu   sync.Mutex
	key  toleranceKey
	last Tolerance
}

// toleranceKey is what a Tolerance depends on.
type toleranceKey struct{ epoch, gone, stats uint64 }

// Of is Topology.Tolerance.
func (c *Tolerances) Of(t *Topology, stats map[shard.VolumeID]*metapb.VolumeStats, gone func(cluster.DriveID) bool) Tolerance {
	key := toleranceKey{epoch: t.View.Epoch}
	for i := range t.View.Nodes {
		for _, d := range t.View.Nodes[i].Drives {
			if gone(d.ID) {
				key.gone += mix(uint64(d.ID))
			}
		}
	}
	for id, s := range stats {
		if s.GetExtents() == 0 {
			continue
		}
		h := HoldingOf(&shard.Volume{}, nil, s)
		key.stats += mix(uint64(id)<<32 ^ uint64(h.Missing) ^ mix(uint64(h.Most)))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.key != key {
		c.key, c.last = key, t.Tolerance(stats, gone)
	}
	return c.last
}

// mix spreads the bits of a number (splitmix64), so that sums of many tell sets apart.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
