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

// compatible says why a node cannot work at a feature level; it returns "" if it can. A node of a
// release before there were levels names none and is let in at any; and before the first level
// every node is.
func compatible(n *metapb.Node, level uint32) string {
	switch {
	case level == 0 || n.FeatureLevelMax == 0:
		return ""
	case n.FeatureLevelMax < level:
		return fmt.Sprintf("node %016x runs version %s, which knows feature level %d at most, "+
			"but the cluster is at level %d: run the version of the other nodes", n.Id, n.Version, n.FeatureLevelMax, level)
	case n.FeatureLevelMin > level:
		return fmt.Sprintf("node %016x runs version %s, which needs feature level %d, but the cluster is at level %d: "+
			"upgrade the other nodes to a version in between first", n.Id, n.Version, n.FeatureLevelMin, level)
	}
	return ""
}

// raiseFeatureLevel raises the feature level. It is refused unless every node understands it.
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

// beginEra makes it safe to go on from a state after which commands may have been lost: a backup
// that was restored, or what a minority of voters had. It ends all sessions, and skips extent
// numbers that the lost commands may have given out, so that nothing they have made is taken for
// something else (docs/architecture.md, "Who votes, and eras").
func (t *tx) beginEra(c *metapb.BeginEra) *metapb.Result {
	if c.Era <= t.mem.cluster.Era {
		return &metapb.Result{}
	}
	for _, s := range slices.Clone(t.mem.ordered) {
		if s.rec.Ended == 0 {
			t.endSession(s)
		}
	}
	// The lost commands may have made volumes too, and their ids will be given out again. So the
	// volumes to come begin at a block that those of no earlier era can have reached.
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

// releaseOrphans lets shards that nothing knows be deleted again. It is refused, unless forced,
// until every drive was compared with the metadata of this era, and while an extent lacks a shard
// that may be among them.
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

// namedMax is how many drives or extents a refusal names at most.
const namedMax = 8

// orphansNeeded says why shards that nothing knows may still be needed; it returns "" if they are
// not.
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
	return fmt.Sprintf("%d extents are recorded to lack shards, which may be among those that nothing knows (%s): "+
		"wait until they are repaired, or bring back the drives that have them",
		t.applied.ExtentsMissing, strings.Join(lacking[:min(namedMax, len(lacking))], ", "))
}

// unreconciled returns the drives that were not compared with the metadata of this era yet.
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

// driveReconciled records that a drive was compared with the metadata of an era. It does nothing
// if that era is over: the node will compare again.
func (t *tx) driveReconciled(c *metapb.DriveReconciled) *metapb.Result {
	n, d := t.mem.drive(c.Drive)
	switch {
	case d == nil:
		return noSuch("drive", c.Drive)
	case c.Era != t.mem.cluster.Era || d.ReconciledEra == c.Era:
		return &metapb.Result{}
	}
	n, d = cloneDrive(n, c.Drive)
	d.ReconciledEra = c.Era
	t.replaceNode(n)
	return &metapb.Result{}
}
