package upkeep

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// planned is a cluster of nodes with one drive each, drive i+1 on node i+1, and
// volumes of 2+1.
type planned struct {
	nodes   []cluster.Node
	volumes map[shard.VolumeID]*shard.Volume
	stats   map[shard.VolumeID]*metapb.VolumeStats
	dead    map[cluster.NodeID]bool
	paused  map[string]bool
}

func newPlanned(nodes int, volumes ...[]cluster.DriveID) *planned {
	p := &planned{volumes: map[shard.VolumeID]*shard.Volume{}, stats: map[shard.VolumeID]*metapb.VolumeStats{},
		dead: map[cluster.NodeID]bool{}, paused: map[string]bool{}}
	for i := range nodes {
		id := cluster.NodeID(i + 1)
		p.nodes = append(p.nodes, cluster.Node{ID: id, Zone: fmt.Sprint(i), Drives: []cluster.Drive{
			{ID: cluster.DriveID(id), Node: id, CapacityBytes: 1 << 30}}})
	}
	for i, slots := range volumes {
		id := shard.VolumeID(i + 1)
		p.volumes[id] = &shard.Volume{ID: id, Epoch: 1, Scheme: shard.Scheme{K: 2, M: 1}, Slots: slots}
		p.stats[id] = &metapb.VolumeStats{Extents: 10, PlainBytes: 1000}
	}
	return p
}

func (p *planned) plan() movePlan {
	t := &meta.Topology{View: cluster.NewView(1, p.nodes), Volumes: p.volumes}
	return planMoves(t, p.stats, func(n cluster.NodeID) bool { return !p.dead[n] }, func(job string) bool { return p.paused[job] })
}

// said returns the moves of a plan in words.
func (p movePlan) said() (out []string) {
	for _, s := range p.start {
		out = append(out, fmt.Sprintf("%s %d.%d to %d", s.reason, s.volume.ID, s.slot, s.to))
	}
	for _, v := range p.cancel {
		out = append(out, fmt.Sprintf("cancel %d", v.ID))
	}
	return out
}

func drives(ids ...cluster.DriveID) []cluster.DriveID { return ids }

func TestPlanMoves(t *testing.T) {
	for _, c := range []struct {
		name    string
		nodes   int
		change  func(p *planned)
		want    []string
		noSpare int
	}{
		{"all is well", 3, func(*planned) {}, nil, 0},
		{"a node is down but not lost", 4, func(p *planned) { p.dead[1] = true }, nil, 0},
		{"a lost node", 4, func(p *planned) { p.nodes[0].State, p.dead[1] = cluster.Lost, true }, []string{"rebuild 1.0 to 4"}, 0},
		{"a failed drive", 4, func(p *planned) { p.nodes[1].Drives[0].State = cluster.Failed }, []string{"rebuild 1.1 to 4"}, 0},
		{"a removed node", 4, func(p *planned) { p.nodes = p.nodes[1:] }, []string{"rebuild 1.0 to 4"}, 0},
		{"no spare", 3, func(p *planned) { p.nodes[0].State = cluster.Lost }, nil, 1},
		{"a second drive of a node is no spare", 3, func(p *planned) {
			p.nodes[0].State = cluster.Lost
			p.nodes[1].Drives = append(p.nodes[1].Drives, cluster.Drive{ID: 9, Node: 2, CapacityBytes: 1 << 30})
		}, nil, 1},
		{"the spare is down", 4, func(p *planned) { p.nodes[0].State, p.dead[4] = cluster.Lost, true }, nil, 1},
		{"the spare is full", 4, func(p *planned) { p.nodes[0].State, p.nodes[3].Drives[0].Full = cluster.Lost, true }, nil, 1},
		{"a draining node", 4, func(p *planned) { p.nodes[2].State = cluster.Draining }, []string{"drain 1.2 to 4"}, 0},
		{"draining is paused", 4, func(p *planned) { p.nodes[2].State, p.paused[jobDrain] = cluster.Draining, true }, nil, 0},
		{"the lost slot comes before the draining one", 5, func(p *planned) {
			p.nodes[0].State, p.nodes[2].State, p.nodes[4].Drives[0].Full = cluster.Lost, cluster.Draining, true
		}, []string{"rebuild 1.0 to 4"}, 0},
		{"a copy gives way to a loss", 5, func(p *planned) {
			p.nodes[0].State = cluster.Lost
			p.volumes[1].Move = &shard.Move{Slot: 1, To: 4}
		}, []string{"cancel 1"}, 0},
		{"what was lost is back", 5, func(p *planned) { p.volumes[1].Move = &shard.Move{Slot: 0, To: 4, Rebuild: true} }, []string{"cancel 1"}, 0},
		{"the target is lost", 5, func(p *planned) {
			p.nodes[3].State = cluster.Lost
			p.volumes[1].Move = &shard.Move{Slot: 0, To: 4}
		}, []string{"cancel 1"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlanned(c.nodes, drives(1, 2, 3))
			p.paused[jobRebalance] = true
			c.change(p)
			got := p.plan()
			require.Equal(t, c.want, got.said())
			require.Equal(t, c.noSpare, got.noSpare)
		})
	}
}

// A slot is not taken from a drive that may come back where nothing could be made anew
// without it: neither begun, nor gone on with when more is lost meanwhile. What is partly
// missing counts, what holds nothing does not, and what was removed never comes back.
func TestPlanMovesKeepsTheLaw(t *testing.T) {
	lose := func(p *planned, nodes ...int) {
		for _, n := range nodes {
			p.nodes[n-1].State, p.dead[cluster.NodeID(n)] = cluster.Lost, true
		}
	}
	for _, c := range []struct {
		name   string
		change func(p *planned)
		want   []string
		beyond int
	}{
		{"as many as may be", func(p *planned) { lose(p, 1) }, []string{"rebuild 1.0 to 4"}, 0},
		{"one too many", func(p *planned) { lose(p, 1, 2) }, nil, 2},
		{"one too many while a slot is on its way", func(p *planned) {
			lose(p, 1, 2)
			p.volumes[1].Move = &shard.Move{Slot: 0, To: 4, Rebuild: true}
		}, []string{"cancel 1"}, 0},
		{"another slot is not made anew yet", func(p *planned) {
			lose(p, 1)
			p.stats[1].Missing, p.stats[1].MissingSlots = []uint64{1}, []uint64{0, 1}
		}, nil, 1},
		{"the slot itself is marked already", func(p *planned) {
			lose(p, 1)
			p.stats[1].Missing, p.stats[1].MissingSlots = []uint64{1}, []uint64{1}
		}, []string{"rebuild 1.0 to 4"}, 0},
		{"nothing lies there", func(p *planned) {
			lose(p, 1, 2)
			p.stats[1] = &metapb.VolumeStats{}
		}, []string{"rebuild 1.0 to 4"}, 0},
		{"both are removed for good", func(p *planned) { p.nodes = p.nodes[2:] }, []string{"rebuild 1.0 to 4"}, 0},
		{"one is removed for good", func(p *planned) {
			lose(p, 1)
			p.nodes = append(p.nodes[:1:1], p.nodes[2:]...)
		}, []string{"rebuild 1.1 to 4"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlanned(4, drives(1, 2, 3))
			p.paused[jobRebalance] = true
			c.change(p)
			got := p.plan()
			require.Equal(t, c.want, got.said())
			require.Equal(t, c.beyond, got.beyond)
		})
	}
}

// The volumes that can lose the least come first.
func TestPlanMovesMostEndangeredFirst(t *testing.T) {
	p := newPlanned(6, drives(1, 2, 3), drives(1, 3, 4), drives(1, 2, 5))
	for _, v := range p.volumes {
		v.Scheme = shard.Scheme{K: 1, M: 2}
	}
	p.stats[3].Missing, p.stats[3].MissingSlots = []uint64{3}, []uint64{0, 3}
	p.stats[2].PlainBytes = 5000
	p.nodes[0].State = cluster.Lost
	var order []shard.VolumeID
	for _, s := range p.plan().start {
		order = append(order, s.volume.ID)
	}
	require.Equal(t, []shard.VolumeID{3, 2, 1}, order)
}

// Rebalancing waits until nothing is lost or missing.
func TestPlanMovesRebalances(t *testing.T) {
	p := newPlanned(4, drives(1, 2, 3), drives(2, 3, 1), drives(3, 1, 2), drives(1, 3, 2))
	for _, n := range []int{0, 1, 2, 3} {
		p.nodes[n].Zone = ""
	}
	for _, v := range p.volumes {
		v.Scheme = shard.Scheme{K: 2, M: 2}
		v.Slots = append(v.Slots, 99)
	}
	require.Zero(t, p.plan().rebalancing, "a slot lies on a drive that is no more")
	p = newPlanned(5, drives(1, 2, 3, 4), drives(2, 3, 1, 4), drives(3, 1, 2, 4), drives(1, 3, 2, 4))
	for _, v := range p.volumes {
		v.Scheme = shard.Scheme{K: 2, M: 2}
	}
	got := p.plan()
	require.NotEmpty(t, got.start)
	for _, s := range got.start {
		require.Equal(t, cluster.DriveID(5), s.to)
		require.Equal(t, jobRebalance, s.reason)
	}
	require.Equal(t, len(got.start), got.rebalancing)
	require.EqualValues(t, 500*len(got.start), got.rebalancingBytes)
	p.stats[1].Missing = []uint64{1}
	require.Empty(t, p.plan().start)
}

// Levelling begins no more copies than the cluster may have under way, those that are
// counted.
func TestPlanMovesLevelsWithinBounds(t *testing.T) {
	var volumes [][]cluster.DriveID
	for range 24 {
		volumes = append(volumes, drives(1, 2, 3, 4))
	}
	p := newPlanned(4, volumes...)
	for _, v := range p.volumes {
		v.Scheme = shard.Scheme{K: 2, M: 2}
	}
	for i := range p.nodes { // Each has four empty drives beside its full one.
		for k := range 4 {
			id := cluster.DriveID(10*(i+1) + k)
			p.nodes[i].Drives = append(p.nodes[i].Drives, cluster.Drive{ID: id, Node: p.nodes[i].ID, CapacityBytes: 1 << 30})
		}
	}
	most := copiesPerNode * len(p.nodes)
	got := p.plan()
	require.Len(t, got.start, most)
	require.Equal(t, most, got.rebalancing)
	for under := range most + 1 {
		if under > 0 {
			s := got.start[under-1]
			p.volumes[s.volume.ID].Move = &shard.Move{Slot: s.slot, To: s.to}
		}
		require.Len(t, p.plan().start, most-under, "%d are under way", under)
	}
}

// Slots on drives set aside for cold data go to such drives, and others to others.
func TestPlanMovesOfColdDrives(t *testing.T) {
	p := newPlanned(4, drives(1, 2, 3), drives(11, 12, 13))
	for i := range p.nodes {
		p.nodes[i].Drives = append(p.nodes[i].Drives, cluster.Drive{ID: cluster.DriveID(11 + i), Node: p.nodes[i].ID, CapacityBytes: 1 << 40, Cold: true})
	}
	p.nodes[0].Drives[0].State, p.nodes[0].Drives[1].State = cluster.Failed, cluster.Failed
	require.ElementsMatch(t, []string{"rebuild 1.0 to 4", "rebuild 2.0 to 14"}, p.plan().said())
	p.nodes[3].Drives = p.nodes[3].Drives[1:] // Labels no longer tell: its other drive is gone.
	p.nodes[3].Drives = append(p.nodes[3].Drives, cluster.Drive{ID: 4, Node: 4, CapacityBytes: 1 << 30, State: cluster.Draining})
	require.Equal(t, []string{"rebuild 2.0 to 14"}, p.plan().said()) // A cold drive is no spare for the other volume.
}
