package state

import (
	"maps"
	"slices"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// incompatible says whether a node cannot work at the cluster's feature level.
func (m *model) incompatible(n *metapb.Node) bool {
	level := m.cluster.FeatureLevel
	return level > 0 && n.FeatureLevelMax > 0 && (n.FeatureLevelMax < level || n.FeatureLevelMin > level)
}

func (m *model) raiseFeatureLevel(level uint32) *metapb.Result {
	if level <= m.cluster.FeatureLevel {
		return &metapb.Result{}
	}
	for _, n := range m.nodes {
		if n.FeatureLevelMax < level {
			return no(metapb.Refusal_REFUSAL_INCOMPATIBLE)
		}
	}
	m.cluster.FeatureLevel = level
	m.cluster.ViewEpoch++
	return &metapb.Result{}
}

func (m *model) beginEra(c *metapb.BeginEra) *metapb.Result {
	if c.Era <= m.cluster.Era {
		return &metapb.Result{}
	}
	for _, s := range m.sessions {
		if s.rec.Ended == 0 {
			s.rec.Ended = m.index
			s.results = nil
		}
	}
	maps.DeleteFunc(m.leases, func(record.LeaseName, keys.ID) bool { return true })
	maps.DeleteFunc(m.pins, func(keys.ID, *metapb.Pin) bool { return true })
	for i := range m.next {
		m.next[i] = max(m.next[i]+c.SkipBlocks, c.Era*c.SkipBlocks)
	}
	m.cluster.Era, m.cluster.OrphansHeld, m.cluster.FirstBlock = c.Era, true, c.Era*c.SkipBlocks
	m.cluster.ViewEpoch++
	return &metapb.Result{}
}

func (m *model) releaseOrphans(c *metapb.ReleaseOrphans) *metapb.Result {
	if !m.cluster.OrphansHeld {
		return &metapb.Result{}
	}
	needed := false
	for _, n := range m.nodes {
		for _, d := range n.Drives {
			needed = needed || d.ReconciledEra != m.cluster.Era
		}
	}
	for id, e := range m.extents {
		needed = needed || e.Missing != 0 || slices.ContainsFunc(m.volumes[id.Volume-1].Slots, m.isGone)
	}
	if needed && !c.Force {
		return no(metapb.Refusal_REFUSAL_ORPHANS_NEEDED)
	}
	m.cluster.OrphansHeld = false
	m.cluster.ViewEpoch++
	return &metapb.Result{}
}

func (m *model) driveReconciled(c *metapb.DriveReconciled) *metapb.Result {
	_, d := m.drive(c.Drive)
	if d == nil {
		return no(metapb.Refusal_REFUSAL_NO_SUCH_NODE)
	}
	if c.Era == m.cluster.Era {
		d.ReconciledEra = c.Era
	}
	return &metapb.Result{}
}

// levelOp draws a command of this file, or a node that registers.
func (g *generator) levelOp() *metapb.Command {
	switch g.int("level op", 8) {
	case 0:
		return &metapb.Command{Op: &metapb.Command_RaiseFeatureLevel{RaiseFeatureLevel: &metapb.RaiseFeatureLevel{Level: uint32(g.int("level", 4))}}}
	case 1:
		if g.chance("era", 4) {
			return &metapb.Command{Op: &metapb.Command_BeginEra{BeginEra: &metapb.BeginEra{
				Era: uint64(g.int("era", 4)), SkipBlocks: uint64(g.int("skip", 3))}}}
		}
	case 2:
		if g.chance("clock", 2) {
			return &metapb.Command{TimeMs: int64(g.int("time", 200)), Op: &metapb.Command_LowerClock{LowerClock: &metapb.LowerClock{ToMs: int64(g.int("to", 200))}}}
		}
		return &metapb.Command{Op: &metapb.Command_ReleaseOrphans{ReleaseOrphans: &metapb.ReleaseOrphans{Force: g.chance("force", 4)}}}
	case 5, 6, 7:
		return &metapb.Command{Op: &metapb.Command_DriveReconciled{DriveReconciled: &metapb.DriveReconciled{
			Drive: pick(g, "drive", allDrives), Era: max(1, g.m.cluster.Era) - uint64(g.int("older", 6)/5)}}}
	}
	n := &metapb.Node{Id: uint64(1 + g.int("node", 2)), Run: uint64(g.int("run", 2)),
		FeatureLevelMin: uint32(g.int("min", 3)), FeatureLevelMax: uint32(g.int("max", 4))}
	if n.Id == 1 {
		n.Drives = []*metapb.Drive{{Id: 10}, {Id: 11}, {Id: 12}}
	}
	return &metapb.Command{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{Node: n,
		ClusterId: pick(g, "cluster", []string{"", "c", "other"})}}}
}
