package alloc

import (
	"context"
	"errors"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/place"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

const (
	// candidatesFor bounds how old the cached candidates may be. They depend on which nodes are
	// alive, and that has no epoch to compare.
	candidatesFor = time.Second
	// planTries bounds how often planning starts over because the view changed.
	planTries = 5
	// topologyPoll is how often a new volume is looked for.
	topologyPoll = 10 * time.Millisecond
)

// candidates are the volumes that new extents may go to.
type candidates struct {
	topology *meta.Topology
	at       time.Time
	scheme   shard.Scheme
	volumes  []*shard.Volume
	nodes    []cluster.NodeID // The nodes that hold their slots.
}

// planMark is for what volumes were last planned. The same view with the same living drives is not
// planned for twice.
type planMark struct {
	epoch  uint64
	scheme shard.Scheme
	usable uint64 // Hash of the usable drives.
}

// outlook is what a topology can hold right now.
type outlook struct {
	topology *meta.Topology
	mine     func(cluster.DriveID) bool // The drive is for this kind of data.
	alive    func(cluster.DriveID) bool // It is mine, takes slots, and its node is alive.
	sound    func(cluster.DriveID) bool // It is alive, not suspected, and neither full nor slow.
}

func (a *Allocator) look(t *meta.Topology, p Placement) outlook {
	suspects := a.suspected()
	mine := func(d cluster.DriveID) bool { return !t.View.ColdApart() || t.View.Cold(d) == (p == Cold) }
	alive := func(d cluster.DriveID) bool {
		n := t.View.NodeOf(d)
		return n != nil && mine(d) && t.View.StateOf(d) == cluster.Active && a.alive(n.ID)
	}
	sound := func(d cluster.DriveID) bool {
		drive := t.View.Drive(d)
		return !suspects[d] && alive(d) && !drive.Full && !drive.Slow
	}
	return outlook{topology: t, mine: mine, alive: alive, sound: sound}
}

// pick returns a volume to write to: of the widest scheme of its kind that the living domains
// allow, with all slots alive.
func (a *Allocator) pick(ctx context.Context, p Placement, avoid []shard.VolumeID) (*shard.Volume, error) {
	c, err := a.candidates(ctx, p)
	if err != nil {
		return nil, err
	}
	left := c.volumes
	if len(avoid) > 0 {
		left = slices.DeleteFunc(slices.Clone(left), func(v *shard.Volume) bool { return slices.Contains(avoid, v.ID) })
	}
	if len(left) == 0 {
		return nil, errs.Newf("alloc.pick", errs.Unavailable,
			"all %d volumes of scheme %s that could take the extent have failed", len(c.volumes), c.scheme)
	}
	return a.choose(left), nil
}

// candidates returns at least one volume. They are remembered for a moment, but not if one of their
// nodes has died since.
func (a *Allocator) candidates(ctx context.Context, p Placement) (candidates, error) {
	t, err := a.topology.Topology(ctx)
	if err != nil {
		return candidates{}, errs.Wrap("alloc.pick", err)
	}
	a.mu.Lock()
	c := a.healthy[p]
	a.mu.Unlock()
	if c.topology == t && len(c.volumes) > 0 && time.Since(c.at) < candidatesFor && a.allAlive(c.nodes) {
		return c, nil
	}
	c, err = a.find(ctx, p, a.look(t, p))
	for tries := 1; errors.Is(err, errViewChanged) && tries < planTries; tries++ {
		if t, err = a.topology.Topology(ctx); err != nil {
			return candidates{}, errs.Wrap("alloc.pick", err)
		}
		c, err = a.find(ctx, p, a.look(t, p)) // The nodes of the new view may allow another scheme.
	}
	if err != nil {
		return candidates{}, err
	}
	c.nodes = nodesOf(c.topology, c.volumes)
	a.mu.Lock()
	a.healthy[p] = c
	a.mu.Unlock()
	return c, nil
}

func (a *Allocator) allAlive(nodes []cluster.NodeID) bool {
	return !slices.ContainsFunc(nodes, func(n cluster.NodeID) bool { return !a.alive(n) })
}

// nodesOf returns the nodes that hold slots of the volumes, each once.
func nodesOf(t *meta.Topology, volumes []*shard.Volume) []cluster.NodeID {
	var nodes []cluster.NodeID
	for _, v := range volumes {
		for _, d := range v.Slots {
			if n := t.View.NodeOf(d); n != nil && !slices.Contains(nodes, n.ID) {
				nodes = append(nodes, n.ID)
			}
		}
	}
	return nodes
}

// find tries, in this order: volumes of the scheme that the living nodes allow, without suspected
// drives; volumes of that scheme with so few suspected drives that the others are a quorum; volumes
// of the scheme that the drives without suspicion allow. The last are made if there are none.
func (a *Allocator) find(ctx context.Context, p Placement, o outlook) (candidates, error) {
	scheme, err := a.schemeFor(p, o, o.alive)
	if err != nil {
		return candidates{}, err
	}
	narrow, err := a.schemeFor(p, o, o.sound)
	if err != nil || narrow == scheme {
		usable := o.sound
		if err != nil {
			usable = o.alive // A suspicion may be wrong, so it alone must not stop writes.
		}
		return a.ensure(ctx, p, o, scheme, usable)
	}
	if within := o.tolerant(scheme); len(within) > 0 {
		return candidates{topology: o.topology, at: time.Now(), scheme: scheme, volumes: settled(within)}, nil
	}
	return a.ensure(ctx, p, o, narrow, o.sound)
}

// schemeFor returns the widest scheme of a kind of data for the usable drives. It returns an error
// rather than a scheme without redundancy if the cluster, all of it alive, could have redundancy.
func (a *Allocator) schemeFor(p Placement, o outlook, usable func(cluster.DriveID) bool) (shard.Scheme, error) {
	domains := place.Domains(o.topology.View, usable)
	all := place.Domains(o.topology.View, o.mine)
	if domains == 0 || domains == 1 && all > 1 {
		return shard.Scheme{}, errs.Newf("alloc.pick", errs.Unavailable,
			"%d of %d failure domains are alive: too few to protect what is written", domains, all)
	}
	return a.cfg.scheme(p, domains), nil
}

// whole returns the volumes of a scheme whose drives are all usable and that bear the loss of a
// node, in the order of their ids.
func (o outlook) whole(s shard.Scheme, usable func(cluster.DriveID) bool) []*shard.Volume {
	several := place.SeveralNodes(o.topology.View)
	return o.volumes(s, func(v *shard.Volume) bool {
		return !slices.ContainsFunc(v.Slots, func(d cluster.DriveID) bool { return !usable(d) }) && (!several || o.spread(v))
	})
}

// spread reports whether any one node may be lost with its slots of a volume. It is not so for a
// volume that was made when there was a single node.
func (o outlook) spread(v *shard.Volume) bool {
	var nodes [shard.MaxShards]*cluster.Node
	for i, d := range v.Slots {
		if nodes[i] = o.topology.View.NodeOf(d); nodes[i] == nil {
			continue
		}
		here := 0
		for _, n := range nodes[:i+1] {
			if n == nodes[i] {
				here++
			}
		}
		if here > int(v.Scheme.M) {
			return false
		}
	}
	return true
}

// tolerant returns the volumes of a scheme that are alive and have enough drives without suspicion
// for the quorum. Of these it returns only those with the fewest suspected drives.
func (o outlook) tolerant(s shard.Scheme) []*shard.Volume {
	best := s.N() - s.Quorum()
	suspects := func(v *shard.Volume) int {
		n := 0
		for _, d := range v.Slots {
			if !o.sound(d) {
				n++
			}
		}
		return n
	}
	alive := o.whole(s, o.alive)
	for _, v := range alive {
		best = min(best, suspects(v))
	}
	return slices.DeleteFunc(alive, func(v *shard.Volume) bool { return suspects(v) > best })
}

// settled returns the volumes without a slot that is being moved, or all if there are none. Upkeep
// has to look once more at what is written to a volume while one of its slots moves.
func settled(all []*shard.Volume) []*shard.Volume {
	moving := func(v *shard.Volume) bool { return v.Move != nil }
	if rest := slices.DeleteFunc(slices.Clone(all), moving); len(rest) > 0 {
		return rest
	}
	return all
}

func (o outlook) volumes(s shard.Scheme, keep func(*shard.Volume) bool) []*shard.Volume {
	var out []*shard.Volume
	for _, v := range o.topology.Volumes {
		if v.Scheme == s && keep(v) {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(x, y *shard.Volume) int { return int(x.ID) - int(y.ID) })
	return out
}

// ensure returns the whole volumes of a scheme. It first makes some if there are fewer than half as
// many as wanted, or if a usable drive is in none.
func (a *Allocator) ensure(ctx context.Context, p Placement, o outlook, s shard.Scheme, usable func(cluster.DriveID) bool) (candidates, error) {
	found := o.whole(s, usable)
	mark := planMark{o.topology.View.Epoch, s, a.hashDrives(o.topology.View, usable)}
	a.mu.Lock()
	again := a.planned[p] == mark
	a.mu.Unlock()
	if len(found) > 0 && (again || a.missing(o, s, usable, found) == 0) {
		return candidates{topology: o.topology, at: time.Now(), scheme: s, volumes: settled(found)}, nil
	}
	_, err, _ := a.flights.Do("plan "+s.String(), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.MetaTimeout)
		defer cancel()
		return nil, a.plan(ctx, s, usable)
	})
	a.mu.Lock()
	a.planned[p] = mark
	a.mu.Unlock()
	if errors.Is(err, errViewChanged) || (err != nil && len(found) == 0) {
		return candidates{}, err
	}
	if o.topology, err = a.topology.Topology(ctx); err != nil {
		return candidates{}, errs.Wrap("alloc.pick", err)
	}
	if found = o.whole(s, usable); len(found) == 0 {
		return candidates{}, errs.Newf("alloc.pick", errs.Unavailable, "no volume of scheme %s is whole", s)
	}
	return candidates{topology: o.topology, at: time.Now(), scheme: s, volumes: settled(found)}, nil
}

// missing returns how many volumes of a scheme should be made. As long as there are half as many as
// wanted it is zero, so that nodes which come and go do not lead to volumes for every set of living
// nodes. But it is not zero while a drive that could take data is in no volume at all.
func (a *Allocator) missing(o outlook, s shard.Scheme, usable func(cluster.DriveID) bool, found []*shard.Volume) int {
	drives, idle := 0, 0
	load := loads(o.topology)
	for i := range o.topology.View.Nodes {
		for _, d := range o.topology.View.Nodes[i].Drives {
			if !usable(d.ID) {
				continue
			}
			drives++
			if load[d.ID] == 0 {
				idle++
			}
		}
	}
	want := max(a.cfg.VolumesPerScheme, a.cfg.VolumesPerDrive*drives/s.N())
	switch {
	case 2*len(found) < want:
		return want - len(found)
	case idle > 0:
		return max(1, a.cfg.VolumesPerDrive*idle/s.N())
	}
	return 0
}

// loads counts the slots that each drive holds.
func loads(t *meta.Topology) map[cluster.DriveID]int {
	load := make(map[cluster.DriveID]int)
	for _, v := range t.Volumes {
		for _, d := range v.Slots {
			load[d]++
		}
	}
	return load
}

// errViewChanged says that volumes were planned on a view that is not the newest. The scheme to
// plan for has to be decided anew.
var errViewChanged = errs.New("alloc.plan", errs.Unavailable,
	errors.New("the view of the cluster changed while volumes were planned"))

// plan makes the volumes that are missing and waits until this node knows them. If the view has
// changed meanwhile, it waits for the new one and returns errViewChanged.
func (a *Allocator) plan(ctx context.Context, s shard.Scheme, usable func(cluster.DriveID) bool) error {
	const op = "alloc.plan"
	t, err := a.topology.Topology(ctx)
	if err != nil {
		return errs.Wrap(op, err)
	}
	o := outlook{topology: t}
	count := a.missing(o, s, usable, o.whole(s, usable))
	if count == 0 {
		return nil
	}
	load := loads(t)
	drives := place.NewDrives(t.View, usable, func(d cluster.DriveID) int { return load[d] })
	lists, err := place.Plan(drives, place.Width{Slots: s.N(), Spare: int(s.M)}, count, rand.Uint64())
	if err != nil {
		return errs.New(op, errs.Unavailable, err)
	}
	res, err := a.meta.Propose(ctx, createVolumes(t.View.Epoch, s, lists))
	if err != nil {
		return OutOfTime(op, err)
	}
	switch res.Refusal {
	case metapb.Refusal_REFUSAL_NONE:
		a.events.VolumesMade(len(res.Volumes), s)
		return a.await(ctx, func(t *meta.Topology) bool { return hasVolumes(t, res.Volumes) })
	case metapb.Refusal_REFUSAL_STALE_EPOCH:
		if err := a.await(ctx, func(n *meta.Topology) bool { return n.View.Epoch > t.View.Epoch }); err != nil {
			return err
		}
		return errViewChanged
	default:
		return errs.Newf(op, errs.Internal, "volumes refused: %v %s", res.Refusal, res.Detail)
	}
}

func createVolumes(epoch uint64, s shard.Scheme, lists [][]cluster.DriveID) *metapb.Command {
	volumes := make([]*metapb.Volume, len(lists))
	for i, list := range lists {
		slots := make([]uint64, len(list))
		for j, d := range list {
			slots[j] = uint64(d)
		}
		volumes[i] = &metapb.Volume{K: uint32(s.K), M: uint32(s.M), Slots: slots}
	}
	return &metapb.Command{Op: &metapb.Command_CreateVolumes{
		CreateVolumes: &metapb.CreateVolumes{ViewEpoch: epoch, Volumes: volumes}}}
}

// await waits until the topology satisfies ok. Its query makes the client see that the topology it
// remembers is old.
func (a *Allocator) await(ctx context.Context, ok func(*meta.Topology) bool) error {
	tick := time.NewTicker(topologyPoll)
	defer tick.Stop()
	for {
		t, err := a.topology.Topology(ctx)
		if err == nil && ok(t) {
			return nil
		}
		if err == nil {
			_, err = a.meta.Read(ctx, &metapb.Query{Op: &metapb.Query_View{
				View: &metapb.GetView{HaveEpoch: t.View.Epoch}}})
		}
		if err != nil && errs.KindOf(err) != errs.Unavailable {
			return OutOfTime("alloc.await", err)
		}
		select {
		case <-ctx.Done():
			return errs.New("alloc.await", errs.Unavailable, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

func hasVolumes(t *meta.Topology, ids []uint32) bool {
	return !slices.ContainsFunc(ids, func(id uint32) bool { return t.Volumes[shard.VolumeID(id)] == nil })
}

// hashDrives returns a number that tells one set of drives from another, for the life of the
// allocator.
func (a *Allocator) hashDrives(v *cluster.View, usable func(cluster.DriveID) bool) uint64 {
	var h uint64
	for i := range v.Nodes {
		for _, d := range v.Nodes[i].Drives {
			if usable(d.ID) {
				h ^= maphash.Comparable(a.seed, d.ID)
			}
		}
	}
	return h
}

// SameScheme reports whether new extents of both kinds of data have the same scheme now.
func (a *Allocator) SameScheme(ctx context.Context, from, to Placement) (bool, error) {
	if from == to {
		return true, nil
	}
	old, err := a.candidates(ctx, from)
	if err != nil {
		return false, err
	}
	fresh, err := a.candidates(ctx, to)
	return err == nil && old.scheme == fresh.scheme, err
}
