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
