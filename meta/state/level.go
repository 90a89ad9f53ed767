package state

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// compatible returns what is wrong with a node that is to work at a feature level;
// empty if nothing is. A node of before feature levels has none and is taken for one
// that works at any; so is any node before the first level.
func compatible(n *metapb.Node, level uint32) string {
	switch {
	case level == 0 || n.FeatureLevelMax == 0:
		return ""
	case n.FeatureLevelMax < level:
		return fmt.Sprintf("node %016x runs version %s, which knows feature level %d at most, but the cluster is at level %d: "+
			"run the version of the other nodes", n.Id, n.Version, n.FeatureLevelMax, level)
	case n.FeatureLevelMin > level:
		return fmt.Sprintf("node %016x runs version %s, which needs feature level %d, but the cluster is at level %d: "+
			"upgrade the other nodes to a version in between first", n.Id, n.Version, n.FeatureLevelMin, level)
	}
	return ""
}

// raiseFeatureLevel raises the feature level to what every node understands.
func (t *tx) raiseFeatureLevel(c *metapb.RaiseFeatureLevel) *metapb.Result {
	if c.Level <= t.mem.cluster.FeatureLevel {
		return &metapb.Result{}
	}
	for _, n := range t.mem.nodes {
		if n.FeatureLevelMax < c.Level {
			return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_INCOMPATIBLE,
				Detail: fmt.Sprintf("node %016x (version %s) knows feature level %d at most", n.Id, n.Version, n.FeatureLevelMax)}
		}
	}
	t.changeCluster(func(rec *metapb.Cluster) { rec.FeatureLevel = c.Level; rec.ViewEpoch++ })
	return &metapb.Result{}
}

// beginEra makes the state safe to go on from, though later commands may have been
// lost: nothing made by them is taken for something else.
func (t *tx) beginEra(c *metapb.BeginEra) *metapb.Result {
	if c.Era <= t.mem.cluster.Era {
		return &metapb.Result{}
	}
	for _, s := range slices.Clone(t.mem.ordered) {
		if s.rec.Ended == 0 {
			t.endSession(s)
		}
	}
	// The metadata may be older than those of the era before, which have made volumes that
	// these do not know, under ids that these will give out again.
	first := c.Era * c.SkipBlocks
	for i := range t.mem.nextFree {
		t.mem.nextFree[i] = max(t.mem.nextFree[i]+c.SkipBlocks, first)
		t.setBytes(keys.AppendNextBlock(t.key(), shard.VolumeID(i+1)), binary.BigEndian.AppendUint64(nil, t.mem.nextFree[i]))
	}
	t.changeCluster(func(rec *metapb.Cluster) {
		rec.Era, rec.OrphansHeld, rec.FirstBlock = c.Era, true, first
		rec.ViewEpoch++
	})
	return &metapb.Result{}
}

// releaseOrphans lets shards that nothing knows be deleted again: not before every
// drive was compared with the metadata of this era, and not while an extent lacks a
// shard that may lie among them.
func (t *tx) releaseOrphans(c *metapb.ReleaseOrphans) *metapb.Result {
	if !t.mem.cluster.OrphansHeld {
		return &metapb.Result{}
	}
	if why := t.orphansNeeded(); why != "" && !c.Force {
		return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_ORPHANS_NEEDED, Detail: why}
	}
	t.changeCluster(func(rec *metapb.Cluster) { rec.OrphansHeld = false; rec.ViewEpoch++ })
	return &metapb.Result{}
}

// namedMax bounds the drives and extents that a refusal names.
const namedMax = 8

// orphansNeeded says why shards that nothing knows may still be needed; empty if they
// are not.
func (t *tx) orphansNeeded() string {
	if drives := t.mem.unreconciled(); len(drives) > 0 {
		var names []string
		for _, d := range drives[:min(namedMax, len(drives))] {
			names = append(names, fmt.Sprintf("%016x", d))
		}
		return fmt.Sprintf("%d drives have not been compared with these metadata yet (%s): start their nodes and wait, "+
			"or remove those that are no more", len(drives), strings.Join(names, ", "))
	}
	var lacking []string
	for _, v := range t.mem.volumes {
		if gone := t.mem.goneSlots(v); gone != 0 && t.mem.stats(v.Id).Extents > 0 {
			lacking = append(lacking, fmt.Sprintf("all of volume %d", v.Id))
		}
	}
	t.fail(record.ScanKind(t.batch, keys.KindMissing, func(k keys.Key, _ []byte) error {
		if len(lacking) >= namedMax {
			return record.ErrStop
		}
		lacking = append(lacking, k.Extent.String())
		return nil
	}))
	if len(lacking) == 0 {
		return ""
	}
	return fmt.Sprintf("%d extents are recorded to lack shards, which may be among those that nothing knows (%s): wait until they are repaired, "+
		"or bring back the drives that have them", t.applied.ExtentsMissing, strings.Join(lacking[:min(namedMax, len(lacking))], ", "))
}

// unreconciled returns the drives that were not compared with the metadata of this era.
func (m *memory) unreconciled() (drives []uint64) {
	for _, n := range m.nodes {
		for _, d := range n.Drives {
			if d.ReconciledEra < m.cluster.Era {
				drives = append(drives, d.Id)
			}
		}
	}
	return drives
}

// driveReconciled records that a drive was compared with the metadata of an era.
func (t *tx) driveReconciled(c *metapb.DriveReconciled) *metapb.Result {
	n, d := t.mem.drive(c.Drive)
	switch {
	case d == nil:
		return noSuch("drive", c.Drive)
	case c.Era != t.mem.cluster.Era || d.ReconciledEra == c.Era:
		return &metapb.Result{} // The node does it again, as of the new one.
	}
	n, d = cloneDrive(n, c.Drive)
	d.ReconciledEra = c.Era
	t.replaceNode(n)
	return &metapb.Result{}
}
