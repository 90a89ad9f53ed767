package upkeep

import (
	"context"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta/metapb"
)

// raiseLevel raises the cluster's feature level to the newest that every node knows.
func (u *Upkeep) raiseLevel(ctx context.Context) error {
	topo, err := u.c.Metadata.Topology(ctx)
	if err != nil {
		return err
	}
	level := commonLevel(topo.View.Nodes)
	if level <= topo.FeatureLevel {
		return nil
	}
	// The command is refused where an older node has come meanwhile. The next round sees that.
	_, err = u.c.Metadata.Propose(ctx, &metapb.Command{Op: &metapb.Command_RaiseFeatureLevel{
		RaiseFeatureLevel: &metapb.RaiseFeatureLevel{Level: level}}})
	return err
}

// commonLevel returns the newest feature level that all nodes know; 0 where there are no nodes.
func commonLevel(nodes []cluster.Node) uint32 {
	var level uint32
	for i := range nodes {
		if i == 0 || nodes[i].FeatureLevelMax < level {
			level = nodes[i].FeatureLevelMax
		}
	}
	return level
}
