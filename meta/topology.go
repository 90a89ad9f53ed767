package meta

import (
	"cmp"
	"maps"
	"slices"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// NewTopology returns the topology in a view answer, which is whole (its Since is 0).
func NewTopology(a *metapb.ViewAnswer) *Topology {
	nodes := make([]cluster.Node, len(a.Nodes))
	for i, n := range a.Nodes {
		nodes[i] = nodeOf(n)
	}
	t := headOf(a)
	t.View = cluster.NewView(a.Epoch, nodes)
	t.Volumes = make(map[shard.VolumeID]*shard.Volume, len(a.Volumes))
	t.setVolumes(a.Volumes)
	return t
}

// Advanced returns the topology that follows from this one by the differences in a view answer,
// whose Since is this one's epoch. This one stays as it is. The two share what has not changed.
func (t *Topology) Advanced(a *metapb.ViewAnswer) *Topology {
	next := headOf(a)
	next.View, next.Volumes = t.View.At(a.Epoch), t.Volumes
	if len(a.Nodes) > 0 || len(next.Removed) != len(t.Removed) {
		next.View = cluster.NewView(a.Epoch, next.advancedNodes(t.View.Nodes, a.Nodes))
	}
	if len(a.Volumes) > 0 {
		next.Volumes = maps.Clone(t.Volumes)
		next.setVolumes(a.Volumes)
	}
	return next
}

// advancedNodes returns the nodes of an earlier view with those that have changed, and without
// those that were removed.
func (t *Topology) advancedNodes(had []cluster.Node, changed []*metapb.Node) []cluster.Node {
	nodes := slices.Clone(had)
	for _, n := range changed {
		i, found := slices.BinarySearchFunc(nodes, cluster.NodeID(n.Id), func(o cluster.Node, id cluster.NodeID) int {
			return cmp.Compare(o.ID, id)
		})
		if !found {
			nodes = slices.Insert(nodes, i, cluster.Node{})
		}
		nodes[i] = nodeOf(n)
	}
	return slices.DeleteFunc(nodes, func(n cluster.Node) bool {
		_, removed := t.Removed[n.ID]
		return removed
	})
}

// headOf returns a topology with what every view answer has, without nodes and volumes.
func headOf(a *metapb.ViewAnswer) *Topology {
	t := &Topology{ClusterID: a.ClusterId, FeatureLevel: a.FeatureLevel, Era: a.Era, OrphansHeld: a.OrphansHeld,
		Removed: make(map[cluster.NodeID]struct{}, len(a.Removed))}
	for _, id := range a.Removed {
		t.Removed[cluster.NodeID(id)] = struct{}{}
	}
	return t
}

func nodeOf(n *metapb.Node) cluster.Node {
	out := cluster.Node{ID: cluster.NodeID(n.Id), Zone: n.Zone, RPCAddr: n.RpcAddr,
		RaftAddr: n.RaftAddr, GossipAddr: n.GossipAddr, S3Addr: n.S3Addr, State: cluster.Life(n.State),
		Version: n.Version, FeatureLevelMax: n.FeatureLevelMax, Run: n.Run, Incarnation: n.Incarnation}
	for _, d := range n.Drives {
		out.Drives = append(out.Drives, cluster.Drive{
			ID: cluster.DriveID(d.Id), Node: out.ID, CapacityBytes: d.CapacityBytes,
			Cold:  d.Cold,
			State: cluster.Life(d.State), Full: d.Full, Slow: d.Slow, UsedBytes: d.UsedBytes, FreeBytes: d.FreeBytes})
	}
	return out
}

func (t *Topology) setVolumes(volumes []*metapb.Volume) {
	for _, v := range volumes {
		slots := make([]cluster.DriveID, len(v.Slots))
		for i, s := range v.Slots {
			slots[i] = cluster.DriveID(s)
		}
		vol := &shard.Volume{ID: shard.VolumeID(v.Id), Epoch: v.Epoch,
			Scheme: shard.Scheme{K: uint8(v.K), M: uint8(v.M)}, Slots: slots, SlotEpochs: v.SlotEpochs}
		if m := v.Move; m != nil {
			vol.Move = &shard.Move{Slot: int(m.Slot), To: cluster.DriveID(m.To), Rebuild: m.Rebuild}
		}
		for _, f := range v.Former {
			vol.Formers = append(vol.Formers, shard.Former{Slot: int(f.Slot), Drive: cluster.DriveID(f.Drive)})
		}
		t.Volumes[vol.ID] = vol
	}
}
