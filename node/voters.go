package node

import (
	"context"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta/group"
	"github.com/cairnstore/cairn/node/upkeep"
)

// voters adapts the Raft group to upkeep.
type voters struct{ *group.Group }

var _ upkeep.Voters = voters{}

// Members implements upkeep.Voters.
func (v voters) Members() []upkeep.Voter {
	members, _ := v.Group.Members()
	out := make([]upkeep.Voter, len(members))
	for i, m := range members {
		out[i] = upkeep.Voter{Node: m.Node, RaftAddr: m.RaftAddr, Votes: m.Voter}
	}
	return out
}

// AddStandby implements upkeep.Voters.
func (v voters) AddStandby(ctx context.Context, node cluster.NodeID, raftAddr string) error {
	return v.AddNonvoter(ctx, node, raftAddr)
}
