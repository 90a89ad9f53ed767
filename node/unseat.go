package node

import (
	"context"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// Unseat implements PeerService. A change of the group takes effect only with a majority
// of those who are left, so what this takes cannot be what the cluster needs.
func (p peer) Unseat(ctx context.Context, r *adminpb.UnseatRequest) (*adminpb.UnseatResponse, error) {
	const op = "node.Unseat"
	g, id := p.n.group, cluster.NodeID(r.Node)
	if !g.IsLeader() {
		return nil, errs.Newf(op, errs.Unavailable, "this node does not lead the metadata any more: ask again")
	}
	if err := g.Expel(ctx, id); err != nil {
		return nil, err
	}
	members, _ := g.Members()
	for _, m := range members {
		switch {
		case m.Node != id || !m.Voter:
			continue
		case id == p.n.home.ID():
			return nil, errs.Newf(op, errs.Precondition, "node %s leads the metadata: stop it, and another one does", id)
		case p.n.gossip.State(id) == gossip.Alive:
			return nil, errs.Newf(op, errs.Precondition, "node %s is alive and its vote counts: it would be given it back at once. Drain the node, or stop it first", id)
		}
		if err := g.Demote(ctx, id); err != nil {
			return nil, err
		}
	}
	return &adminpb.UnseatResponse{}, nil
}
