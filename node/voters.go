package node

import (
	"context"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/group"
	"github.com/cairnstore/cairn/node/upkeep"
)

// voters adapts the Raft group to upkeep.
type voters struct {
	*group.Group
	topology func() *meta.Topology // The one that was read last; nil before there is one.
}

var _ upkeep.Voters = voters{}

func (n *Node) voters() voters { return voters{n.group, n.client.LastTopology} }

// Members implements upkeep.Voters.
func (v voters) Members() []upkeep.Voter {
	members, _ := v.Group.Members()
	out := make([]upkeep.Voter, len(members))
	for i, m := range members {
		out[i] = upkeep.Voter{Node: m.Node, RaftAddr: m.RaftAddr, Votes: m.Voter, Stale: v.stale(m)}
	}
	return out
}

// stale reports whether a member is an earlier incarnation of its node, as the topology has it that was
// read last.
func (v voters) stale(m group.Member) bool {
	topo := v.topology()
	return topo != nil && topo.View.Stale(m.Node, m.Incarnation)
}

// AddStandby implements upkeep.Voters.
func (v voters) AddStandby(ctx context.Context, node cluster.NodeID, raftAddr string) error {
	return v.AddNonvoter(ctx, node, raftAddr)
}
