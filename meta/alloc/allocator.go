package alloc

import (
	"context"
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// leaseAhead is for how many volumes one command leases extent numbers, at most.
const leaseAhead = 16

// Allocator says where new extents go. It picks volumes that are whole now, makes more of them
// where there are too few, and gives out extent ids from the blocks that it leases. It is safe for
// concurrent use.
//
// Whoever is granted an id calls Resolve once for it, when its extent is committed or given up for
// good. A block whose ids are all resolved is given back to the metadata. From then on the metadata
// take its uncommitted shards for orphans.
type Allocator struct {
	meta     meta.Client
	topology Topology
	alive    func(cluster.NodeID) bool
	cfg      Config
	events   Events

	seed    maphash.Seed
	flights singleflight.Group // Leasing, and planning for each scheme.

	mu       sync.Mutex
	leases   uint64                        // How many lease commands were answered.
	current  map[shard.VolumeID]*block     // The block that ids are taken from.
	blocks   map[blockKey]*block           // All blocks that are leased.
	spent    []*metapb.LeaseBlock          // Blocks that are resolved. The next lease gives them back.
	writing  map[shard.VolumeID]int        // How many ids are not resolved.
	suspects map[cluster.DriveID]time.Time // Until when a drive is avoided.
	healthy  [placements]candidates        // Cached.
	planned  [placements]planMark          // The last attempts to make volumes.
}

type blockKey struct {
	volume shard.VolumeID
	block  uint64
}

// block is a leased run of extent numbers.
type block struct {
	key         blockKey
	lease       uint64 // Which lease command it came with.
	next        uint64 // How many numbers were given out.
	outstanding int    // How many of these are not resolved.
}

func (b *block) spentLocked() bool {
	return b.next == meta.LeaseBlockExtents && b.outstanding == 0
}

// New returns an allocator. alive says whether a node is thought alive, which may be wrong.
func New(m meta.Client, t Topology, alive func(cluster.NodeID) bool, c Config, e Events) *Allocator {
	return &Allocator{
		meta: m, topology: t, alive: alive, cfg: c.withDefaults(), events: e.withDefaults(), seed: maphash.MakeSeed(),
		current:  make(map[shard.VolumeID]*block),
		blocks:   make(map[blockKey]*block),
		writing:  make(map[shard.VolumeID]int),
		suspects: make(map[cluster.DriveID]time.Time),
	}
}

// Grant is an extent that may be written.
type Grant struct {
	ID     shard.ExtentID
	Volume *shard.Volume
}

// Grant picks a volume for a kind of data, none of avoid, and returns a new extent id in it. The
// caller calls Resolve for it. Errors: Unavailable, if no volume can take writes at full
// protection.
func (a *Allocator) Grant(ctx context.Context, p Placement, avoid ...shard.VolumeID) (Grant, error) {
	v, err := a.pick(ctx, p, avoid)
	if err != nil {
		return Grant{}, err
	}
	for {
		if id, ok := a.take(v.ID); ok {
			return Grant{ID: id, Volume: v}, nil
		}
		if err := ctx.Err(); err != nil {
			return Grant{}, errs.New("alloc.Grant", errs.Canceled, err)
		}
		if err := a.lease(ctx, p, v.ID); err != nil {
			return Grant{}, err
		}
	}
}

// take gives out the next id of the block of a volume, if it has one.
func (a *Allocator) take(v shard.VolumeID) (shard.ExtentID, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	b := a.current[v]
	if b == nil || b.next == meta.LeaseBlockExtents {
		return shard.ExtentID{}, false
	}
	b.next++
	b.outstanding++
	a.writing[v]++
	return shard.ExtentID{Volume: v, Seq: b.key.block*meta.LeaseBlockExtents + b.next}, true
}

// Resolve ends a grant: the extent was committed, or nobody will commit it.
func (a *Allocator) Resolve(id shard.ExtentID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := a.writing[id.Volume] - 1; n > 0 {
		a.writing[id.Volume] = n
	} else {
		delete(a.writing, id.Volume)
	}
	key := blockOf(id)
	b := a.blocks[key]
	if b == nil {
		return // LeaseGone has dropped its lease meanwhile.
	}
	if b.outstanding--; b.spentLocked() {
		delete(a.blocks, key)
		a.spent = append(a.spent, &metapb.LeaseBlock{Volume: uint32(key.volume), Block: key.block})
	}
}

// Outstanding returns how many grants are not resolved yet.
func (a *Allocator) Outstanding() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, writing := range a.writing {
		n += writing
	}
	return n
}

// LeaseGone tells that a commit found the lease of an extent gone, because the session that held it
// is over. So are all leases that came no later, and they are forgotten.
func (a *Allocator) LeaseGone(id shard.ExtentID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	gone := a.blocks[blockOf(id)]
	if gone == nil {
		return
	}
	for key, b := range a.blocks {
		if b.lease <= gone.lease {
			delete(a.blocks, key)
			if a.current[key.volume] == b {
				delete(a.current, key.volume)
			}
		}
	}
	a.spent = nil // A lease that is over need not be given back.
}

func blockOf(id shard.ExtentID) blockKey {
	return blockKey{id.Volume, (id.Seq - 1) / meta.LeaseBlockExtents}
}

// lease leases a block of extent numbers for a volume, and for some others that will be asked for
// soon. Callers that ask for the same volume share one command.
func (a *Allocator) lease(ctx context.Context, p Placement, v shard.VolumeID) error {
	_, err, _ := a.flights.Do("lease", func() (any, error) {
		// The command serves all callers that wait. It goes on if the first of them leaves.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.MetaTimeout)
		defer cancel()
		volumes, spent := a.wanted(p, v)
		res, err := a.meta.Propose(ctx, &metapb.Command{Op: &metapb.Command_LeaseExtents{
			LeaseExtents: &metapb.LeaseExtents{Volumes: volumes}}})
		if err != nil {
			a.unspend(spent)
			return nil, OutOfTime("alloc.lease", err)
		}
		if res.Refusal != metapb.Refusal_REFUSAL_NONE {
			a.unspend(spent)
			return nil, errs.Newf("alloc.lease", errs.Unavailable, "no extent numbers: %v %s", res.Refusal, res.Detail)
		}
		a.add(res.Leases)
		a.release(ctx, spent)
		return nil, nil
	})
	return err
}

// OutOfTime returns an error of work that several requests share. If the work ran out of its own
// time, the error is Unavailable, because that deadline is not the requests': the metadata did not
// answer in time. Else it keeps its kind.
func OutOfTime(op string, err error) error {
	switch errs.KindOf(err) {
	case errs.Canceled, errs.Unknown:
		return errs.New(op, errs.Unavailable, err)
	}
	return errs.Wrap(op, err)
}

// wanted returns the volumes to lease for, v first, and the blocks to give back.
func (a *Allocator) wanted(p Placement, v shard.VolumeID) (volumes []uint32, spent []*metapb.LeaseBlock) {
	a.mu.Lock()
	defer a.mu.Unlock()
	volumes = []uint32{uint32(v)}
	for _, o := range a.healthy[p].volumes {
		b := a.current[o.ID]
		if len(volumes) < leaseAhead && o.ID != v && (b == nil || b.next == meta.LeaseBlockExtents) {
			volumes = append(volumes, uint32(o.ID))
		}
	}
	spent, a.spent = a.spent, nil
	return volumes, spent
}

func (a *Allocator) unspend(spent []*metapb.LeaseBlock) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.spent = append(a.spent, spent...)
}

func (a *Allocator) add(leases []*metapb.LeaseBlock) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.leases++
	for _, l := range leases {
		key := blockKey{shard.VolumeID(l.Volume), l.Block}
		b := &block{key: key, lease: a.leases}
		a.blocks[key] = b
		a.current[key.volume] = b
	}
}

// release gives resolved blocks back. If it fails, it is tried again with the next lease; until
// then orphans of these blocks are not found.
func (a *Allocator) release(ctx context.Context, spent []*metapb.LeaseBlock) {
	if len(spent) == 0 {
		return
	}
	_, err := a.meta.Propose(ctx, &metapb.Command{Op: &metapb.Command_ReleaseLeases{
		ReleaseLeases: &metapb.ReleaseLeases{Blocks: spent}}})
	if err != nil {
		a.unspend(spent)
	}
}

// Suspect avoids the drives of the given slots for a while. A write has just failed there, and
// gossip may not know yet.
func (a *Allocator) Suspect(v *shard.Volume, slots shard.SlotSet) {
	if slots == 0 {
		return
	}
	until := time.Now().Add(a.cfg.SuspectFor)
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, d := range v.Slots {
		if slots.Has(i) {
			a.suspects[d] = until
		}
	}
	for p := range a.healthy {
		a.healthy[p].at = time.Time{} // Look for volumes again. Topology and scheme stay known.
	}
}

// SlotFailed is to be called by stripe.Events.SlotFailed. The drive that left a write behind is
// avoided for a while, unless the write was given up, which is no fault of the drive.
func (a *Allocator) SlotFailed(id shard.ID, cause error) {
	if errs.Is(cause, errs.Canceled) || errs.Is(cause, errs.Invalid) {
		return
	}
	a.mu.Lock()
	var v *shard.Volume
	for _, c := range a.healthy {
		if c.topology != nil && c.topology.Volumes[id.Extent.Volume] != nil {
			v = c.topology.Volumes[id.Extent.Volume]
		}
	}
	a.mu.Unlock()
	if v != nil {
		a.Suspect(v, shard.SlotSet(0).With(int(id.Slot)))
	}
}

// suspected returns the drives to avoid now.
func (a *Allocator) suspected() map[cluster.DriveID]bool {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.suspects) == 0 {
		return nil
	}
	out := make(map[cluster.DriveID]bool, len(a.suspects))
	for d, until := range a.suspects {
		if now.After(until) {
			delete(a.suspects, d)
		} else {
			out[d] = true
		}
	}
	return out
}

// choose returns the less busy of two volumes taken at random.
func (a *Allocator) choose(volumes []*shard.Volume) *shard.Volume {
	v, o := volumes[rand.IntN(len(volumes))], volumes[rand.IntN(len(volumes))]
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.writing[o.ID] < a.writing[v.ID] {
		return o
	}
	return v
}

// SchemeNow returns the scheme that new extents have at the moment, as far as it is known without
// asking the metadata.
func (a *Allocator) SchemeNow(p Placement) shard.Scheme {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.healthy[p].scheme; s.N() > 0 {
		return s
	}
	return shard.Scheme{K: 4, M: 2}
}

// WidestNow returns the widest scheme that new extents of any kind have.
func (a *Allocator) WidestNow() shard.Scheme {
	widest := a.SchemeNow(Standard)
	if s := a.SchemeNow(Cold); s.N() > widest.N() {
		widest = s
	}
	return widest
}
