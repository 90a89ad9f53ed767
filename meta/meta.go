// Package meta holds the nouns of the metadata that are not records: the
// topology as the data path uses it, and Client, through which any node changes
// and reads the metadata. Records, commands and queries are protobuf messages in
// meta/metapb.
package meta

import (
	"context"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// LeaseBlockExtents is how many extent numbers one lease holds. Block b of a
// volume is the numbers b*LeaseBlockExtents+1 to (b+1)*LeaseBlockExtents.
const LeaseBlockExtents = 256

// InlineMaxBytes is the default of the largest object kept in its part record.
const InlineMaxBytes = 8 << 10

// Client changes and reads the metadata from any node. Safe for concurrent use.
type Client interface {
	// Propose applies the command once and returns its result; a refusal is
	// a result (Result.Refusal), not an error. It fills in session, seq, floor
	// and time_ms, and proposes again for as long as ctx allows when the outcome
	// is not known. Errors: Unavailable (certainly not applied), Unknown.
	Propose(ctx context.Context, cmd *metapb.Command) (*metapb.Result, error)

	// Read answers a query linearizably: it sees every change acknowledged
	// before the call. Errors: Unavailable.
	Read(ctx context.Context, q *metapb.Query) (*metapb.Answer, error)
}

// Topology is nodes, drives and volumes as of one epoch. It must not be changed.
type Topology struct {
	ClusterID string

	FeatureLevel uint32                      // What all nodes understand.
	Era          uint64                      // How often the metadata were restored or recovered.
	OrphansHeld  bool                        // Shards that nothing knows are kept until they are released.
	Removed      map[cluster.NodeID]struct{} // Nodes that were removed for good.

	View    *cluster.View
	Volumes map[shard.VolumeID]*shard.Volume
}

// NewTopology returns the topology in a view answer.
func NewTopology(a *metapb.ViewAnswer) *Topology {
	nodes := make([]cluster.Node, len(a.Nodes))
	for i, n := range a.Nodes {
		nodes[i] = cluster.Node{ID: cluster.NodeID(n.Id), Zone: n.Zone, RPCAddr: n.RpcAddr,
			RaftAddr: n.RaftAddr, GossipAddr: n.GossipAddr, S3Addr: n.S3Addr, State: cluster.Life(n.State),
			Version: n.Version, FeatureLevelMax: n.FeatureLevelMax, Run: n.Run, Incarnation: n.Incarnation}
		for _, d := range n.Drives {
			nodes[i].Drives = append(nodes[i].Drives, cluster.Drive{
				ID: cluster.DriveID(d.Id), Node: nodes[i].ID, CapacityBytes: d.CapacityBytes,
				Cold:  d.Cold,
				State: cluster.Life(d.State), Full: d.Full, Slow: d.Slow, UsedBytes: d.UsedBytes, FreeBytes: d.FreeBytes})
		}
	}
	t := &Topology{ClusterID: a.ClusterId, FeatureLevel: a.FeatureLevel, Era: a.Era, OrphansHeld: a.OrphansHeld,
		View:    cluster.NewView(a.Epoch, nodes),
		Removed: make(map[cluster.NodeID]struct{}, len(a.Removed)),
		Volumes: make(map[shard.VolumeID]*shard.Volume, len(a.Volumes))}
	for _, id := range a.Removed {
		t.Removed[cluster.NodeID(id)] = struct{}{}
	}
	for _, v := range a.Volumes {
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
	return t
}
