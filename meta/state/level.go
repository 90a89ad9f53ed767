package state

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
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
	for i := range t.mem.nextFree {
		t.mem.nextFree[i] += c.SkipBlocks
		t.setBytes(keys.AppendNextBlock(t.key(), shard.VolumeID(i+1)), binary.BigEndian.AppendUint64(nil, t.mem.nextFree[i]))
	}
	t.changeCluster(func(rec *metapb.Cluster) { rec.Era, rec.OrphansHeld = c.Era, true; rec.ViewEpoch++ })
	return &metapb.Result{}
}

// releaseOrphans lets shards that nothing knows be deleted again.
func (t *tx) releaseOrphans() *metapb.Result {
	if t.mem.cluster.OrphansHeld {
		t.changeCluster(func(rec *metapb.Cluster) { rec.OrphansHeld = false; rec.ViewEpoch++ })
	}
	return &metapb.Result{}
}
