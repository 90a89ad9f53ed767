package admin

import (
	"context"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// UnseatNode implements AdminService. It asks the leader to take the node's vote, and answers only when
// the metadata show that the vote is gone. Errors: NotFound and Invalid for the name of the node, what
// the leader refuses with, Unavailable if there is no leader or the node votes again already, and
// Unknown if the vote was taken but the members cannot be read afterwards.
func (s *service) UnseatNode(ctx context.Context, r *adminpb.NodeRef) (*adminpb.NodeStatus, error) {
	const op = "admin.UnseatNode"
	p, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	n, err := findNode(p.topo, r.Node)
	if err != nil {
		return nil, err
	}
	leader := p.topo.View.Node(cluster.NodeID(p.raft.Leader))
	if leader == nil {
		return nil, errs.Newf(op, errs.Unavailable, "no node leads the metadata: a vote can only be taken by a leader that has a majority without it")
	}
	if _, err := s.c.Peer(leader).Unseat(ctx, &adminpb.UnseatRequest{Node: uint64(n.ID)}); err != nil {
		return nil, err
	}
	raft, err := s.c.Metadata.Members(ctx)
	if err != nil {
		return nil, errs.Newf(op, errs.Unknown, "the vote was taken, but whether it is gone cannot be seen now; ask again: %w", err)
	}
	for _, m := range raft.Members {
		if m.Voter && m.Node == uint64(n.ID) {
			return nil, errs.Newf(op, errs.Unavailable, "node %s votes again already: another change came between", n.ID)
		}
	}
	return s.ShowNode(ctx, &adminpb.NodeRef{Node: n.ID.String()})
}
