package upkeep

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/buf"
	"github.com/cairnstore/cairn/shard/stripe"
)

// fakeDamage is metadata in which extents of volumes miss a shard, as in order.
type fakeDamage struct {
	topo  *meta.Topology
	stats []*metapb.VolumeStat
	items map[uint32][]*metapb.WorkItem

	mu       sync.Mutex
	listed   []uint32
	repaired []*metapb.ExtentSlots
}

func (f *fakeDamage) Topology(context.Context) (*meta.Topology, error) { return f.topo, nil }

func (f *fakeDamage) Propose(_ context.Context, cmd *metapb.Command) (*metapb.Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.repaired = append(f.repaired, cmd.GetSetMissing().Remove...)
	return &metapb.Result{}, nil
}

func (f *fakeDamage) Read(_ context.Context, q *metapb.Query) (*metapb.Answer, error) {
	if q.GetVolumeStats() != nil {
		return &metapb.Answer{VolumeStats: &metapb.VolumeStatsAnswer{Volumes: f.stats}}, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listed = append(f.listed, q.GetListWork().Volume)
	return &metapb.Answer{Work: &metapb.WorkAnswer{Items: f.items[q.GetListWork().Volume]}}, nil
}

// wholeDrive has all shards but some.
type wholeDrive struct {
	gauge
	without map[shard.ExtentID]bool
}

func (d *wholeDrive) Verify(_ context.Context, id shard.ID) error {
	if d.without[id.Extent] {
		return errs.Newf("test", errs.NotFound, "no shard %s", id)
	}
	return nil
}

// A node that comes back gets only what it misses: shards that it has are counted again
// and nothing is read for them. The volumes that can lose the least come first.
func TestRepairOfOneThatWasAway(t *testing.T) {
	p := newPlanned(3, drives(1, 2, 3), drives(1, 3, 2), drives(2, 3, 1))
	f := &fakeDamage{topo: &meta.Topology{View: cluster.NewView(1, p.nodes), Volumes: p.volumes}, items: map[uint32][]*metapb.WorkItem{}}
	p.volumes[2].Scheme = shard.Scheme{K: 1, M: 2}
	missing := func(volume uint32, slots uint32, n int) {
		for seq := range uint64(n) {
			f.items[volume] = append(f.items[volume], &metapb.WorkItem{Volume: volume, Seq: seq + 1,
				Extent: &metapb.Extent{PlainBytes: 1000, FullBlocks: 0, TailBlockBytes: 1000, Missing: slots}})
		}
		slot := []uint64{0, 0, 0}
		slot[map[uint32]int{0b001: 0, 0b010: 1, 0b100: 2}[slots]] = uint64(n)
		f.stats = append(f.stats, &metapb.VolumeStat{Volume: volume, Stats: &metapb.VolumeStats{Missing: []uint64{uint64(n)}, MissingSlots: slot}})
	}
	missing(1, 0b001, 3)
	missing(2, 0b001, 2)
	missing(3, 0b010, 4) // Of another drive.
	lacks := shard.ExtentID{Volume: 1, Seq: 2}
	own := &wholeDrive{gauge: gauge{id: 1}, without: map[shard.ExtentID]bool{lacks: true}}
	var mu sync.Mutex
	var asked []cluster.DriveID
	engine := stripe.New(stripe.Config{Pool: buf.New(buf.Config{}), Stores: func(d cluster.DriveID) (shard.Store, error) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, d)
		return nil, errs.Newf("test", errs.Unavailable, "drive %s is down", d)
	}})
	t.Cleanup(engine.Close)
	var rebuilt []shard.ExtentID
	u := &Upkeep{c: Config{Metadata: f, Alive: func(cluster.NodeID) bool { return true }, Drives: []Drive{own}, Engine: engine,
		Events: Events{Repaired: func(id shard.ExtentID, _ shard.SlotSet) { mu.Lock(); defer mu.Unlock(); rebuilt = append(rebuilt, id) }}}.withDefaults(),
		repairPace: newPacer(unlimited, nil)}
	require.NoError(t, u.repair(t.Context()))
	require.Equal(t, []uint32{1, 2}, f.listed, "one lost shard more loses volume 1")
	require.Len(t, f.repaired, 4, "all but the one that is really gone")
	for _, r := range f.repaired {
		require.NotEqual(t, lacks, shard.ExtentID{Volume: shard.VolumeID(r.Volume), Seq: r.Seq})
		require.Equal(t, uint32(0b001), r.Slots)
	}
	require.Len(t, rebuilt, 4)
	require.NotEmpty(t, asked, "that one is rebuilt, as far as possible")

	asked, own.without = nil, nil
	f.repaired = nil
	require.NoError(t, u.repair(t.Context()))
	require.Len(t, f.repaired, 5)
	require.Empty(t, asked)
}

// Where too few shards are known to be there for anything to be made anew, each node says
// what it has, though the extent is another's to repair.
func TestRepairTellsWhatIsThere(t *testing.T) {
	p := newPlanned(3, drives(1, 2, 3))
	for _, c := range []struct {
		name    string
		missing uint32
		told    bool
	}{{"another node can make it anew", 0b001, false}, {"nobody can", 0b011, true}} {
		t.Run(c.name, func(t *testing.T) {
			f := &fakeDamage{topo: &meta.Topology{View: cluster.NewView(1, p.nodes), Volumes: p.volumes},
				stats: []*metapb.VolumeStat{{Volume: 1, Stats: &metapb.VolumeStats{Extents: 1, Missing: []uint64{1}, MissingSlots: []uint64{1, 1, 1}}}},
				items: map[uint32][]*metapb.WorkItem{1: {{Volume: 1, Seq: 1,
					Extent: &metapb.Extent{PlainBytes: 1000, TailBlockBytes: 1000, Missing: c.missing}}}}}
			u := &Upkeep{c: Config{Metadata: f, Alive: func(cluster.NodeID) bool { return true },
				Drives: []Drive{&wholeDrive{gauge: gauge{id: 2}}}}.withDefaults(), repairPace: newPacer(unlimited, nil)}
			require.NoError(t, u.repair(t.Context()))
			require.Equal(t, c.told, len(f.repaired) == 1)
			if c.told {
				require.Equal(t, uint32(0b010), f.repaired[0].Slots)
			}
		})
	}
}
