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

// Members implements upkeep.Voters.
func (v voters) Members() []upkeep.Voter {
	members, _ := v.Group.Members()
	out := make([]upkeep.Voter, len(members))
	for i, m := range members {
		now, known := v.incarnation(m.Node)
		out[i] = upkeep.Voter{Node: m.Node, RaftAddr: m.RaftAddr, Votes: m.Voter, Stale: known && now != m.Incarnation}
	}
	return out
}

// incarnation returns as which a node takes part in the metadata's group, where the
// topology that was read last has the node.
func (v voters) incarnation(id cluster.NodeID) (string, bool) {
	topo := v.topology()
	if topo == nil {
		return "", false
	}
	of := topo.View.Node(id)
	if of == nil {
		return "", false
	}
	return of.Incarnation, true
}

// AddStandby implements upkeep.Voters.
func (v voters) AddStandby(ctx context.Context, node cluster.NodeID, raftAddr string) error {
	return v.AddNonvoter(ctx, node, raftAddr)
}
