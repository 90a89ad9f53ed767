package group

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/rpc"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/metapb/metapbconnect"
)

// catchUpPoll is how often a new member is asked how far it has applied the log.
const catchUpPoll = 100 * time.Millisecond

// Member is one server of the Raft configuration.
type Member struct {
	Node        cluster.NodeID
	Incarnation string // The incarnation of the node that was added; empty: the first.
	RaftAddr    string
	Voter       bool
}

// serverOf returns the id of a node's present server: that of the incarnation under which the
// node has registered. Where it has not, that is the first one.
func (g *Group) serverOf(n cluster.NodeID) (raft.ServerID, error) {
	if n == g.cfg.Node {
		return g.id, nil
	}
	a, err := g.fsm.state.query(&metapb.Query{Op: &metapb.Query_View{View: &metapb.GetView{}}})
	if err != nil {
		return "", err
	}
	for _, r := range a.GetView().GetNodes() {
		if r.Id == uint64(n) {
			return serverID(n, r.Incarnation), nil
		}
	}
	return serverID(n, ""), nil
}

// Incarnation returns the incarnation of this node that takes part; empty for the first.
func (g *Group) Incarnation() string { return incarnationOf(g.id) }

func member(s raft.Server) Member {
	return Member{Node: parseServerID(s.ID), Incarnation: incarnationOf(s.ID), RaftAddr: string(s.Address),
		Voter: s.Suffrage == raft.Voter}
}

// servers returns the newest Raft configuration, committed or not.
func (g *Group) servers() []raft.Server {
	return g.raft.GetConfiguration().Configuration().Servers
}

// Members returns the Raft configuration and the leader, as this node knows them; the leader
// is 0 where it knows of none.
func (g *Group) Members() (members []Member, leader cluster.NodeID) {
	for _, s := range g.servers() {
		members = append(members, member(s))
	}
	return members, g.Leader()
}

// Heard notes what another node says of itself: the id of its server, and up to which entry
// it has applied the log. Nodes tell each other every few seconds. See Incarnations in the
// package comment.
func (g *Group) Heard(server string, applied uint64) {
	g.peers.Applied(raft.ServerID(server), applied)
	if servers := g.servers(); len(servers) > 0 {
		g.peers.KeepOnly(servers)
		g.heard.keepOnly(servers)
	}
}

// KnownOf returns the index up to which this node knows a server to have applied the log; 0
// where it knows nothing.
func (g *Group) KnownOf(server string) uint64 { return g.peers.Known(raft.ServerID(server)) }

// LastContacts returns how long ago each other member has last answered this node, for those
// that ever have. It is nil where this node does not lead.
func (g *Group) LastContacts() map[cluster.NodeID]time.Duration {
	if !g.IsLeader() {
		return nil
	}
	out := map[cluster.NodeID]time.Duration{}
	for _, s := range g.servers() {
		if at := g.transport.LastAnswer(s.ID); s.ID != g.id && !at.IsZero() {
			out[parseServerID(s.ID)] = time.Since(at)
		}
	}
	return out
}

// AddVoter adds a node without a vote, waits until it has caught up, and gives it one. It
// does nothing where the node has a vote at that address already.
//
// This and the changes below are for the leader. Errors: Unavailable where this node does not
// lead, and nothing was changed; Unknown where the change may or may not be made. It does no
// harm to repeat a change.
func (g *Group) AddVoter(ctx context.Context, node cluster.NodeID, raftAddr string) error {
	id, err := g.serverOf(node)
	if err != nil {
		return err
	}
	for _, s := range g.servers() {
		if s.ID == id && s.Suffrage == raft.Voter && string(s.Address) == raftAddr {
			return nil
		}
	}
	if err := g.AddNonvoter(ctx, node, raftAddr); err != nil {
		return err
	}
	return g.Promote(ctx, node, raftAddr)
}

// AddNonvoter adds a node that is sent the log but has no vote. A voter keeps its vote.
func (g *Group) AddNonvoter(ctx context.Context, node cluster.NodeID, raftAddr string) error {
	return g.change(ctx, "group.AddNonvoter", node, func(id raft.ServerID) raft.Future {
		return g.raft.AddNonvoter(id, raft.ServerAddress(raftAddr), 0, g.cfg.Timing.RPC)
	})
}

// Promote waits until a node that was added has caught up, and gives it a vote. If it got
// the vote earlier, a quorum could depend on a node that has nothing yet.
func (g *Group) Promote(ctx context.Context, node cluster.NodeID, raftAddr string) error {
	if err := g.waitCaughtUp(ctx, node); err != nil {
		return err
	}
	return g.change(ctx, "group.Promote", node, func(id raft.ServerID) raft.Future {
		return g.raft.AddVoter(id, raft.ServerAddress(raftAddr), 0, g.cfg.Timing.RPC)
	})
}

// Demote takes a node's vote away and leaves the node in the configuration.
func (g *Group) Demote(ctx context.Context, node cluster.NodeID) error {
	return g.change(ctx, "group.Demote", node, func(id raft.ServerID) raft.Future {
		return g.raft.DemoteVoter(id, 0, g.cfg.Timing.RPC)
	})
}

// Remove takes a node out of the configuration.
func (g *Group) Remove(ctx context.Context, node cluster.NodeID) error {
	return g.change(ctx, "group.Remove", node, func(id raft.ServerID) raft.Future {
		return g.raft.RemoveServer(id, 0, g.cfg.Timing.RPC)
	})
}

// Expel takes all servers of a node out of the configuration but that of its present
// incarnation. What the others had promised is lost, so they never vote again.
func (g *Group) Expel(ctx context.Context, node cluster.NodeID) error {
	const op = "group.Expel"
	now, err := g.serverOf(node)
	if err != nil {
		return errs.Wrap(op, err)
	}
	for _, s := range g.servers() {
		if parseServerID(s.ID) != node || s.ID == now {
			continue
		}
		err := g.changeServer(ctx, op, s.ID, func(id raft.ServerID) raft.Future {
			return g.raft.RemoveServer(id, 0, g.cfg.Timing.RPC)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// change makes one change of the configuration: start begins it for a node's present server.
func (g *Group) change(ctx context.Context, op string, node cluster.NodeID,
	start func(id raft.ServerID) raft.Future) error {
	id, err := g.serverOf(node)
	if err != nil {
		return errs.Wrap(op, err)
	}
	return g.changeServer(ctx, op, id, start)
}

// changeServer makes one change of the configuration. Nobody can give up waiting for a
// future, so a goroutine waits for it. It ends when the change is made or leadership is lost.
func (g *Group) changeServer(ctx context.Context, op string, id raft.ServerID,
	start func(id raft.ServerID) raft.Future) error {
	if !g.enter() {
		return errNotLeader
	}
	done := make(chan error, 1)
	g.wg.Go(func() {
		defer g.leave()
		done <- start(id).Error()
	})
	select {
	case err := <-done:
		return changeError(op, err)
	case <-ctx.Done():
		return errs.New(op, errs.Unknown, context.Cause(ctx))
	}
}

// changeError gives the error of a change its kind: Unavailable only where the change is
// certainly not in the log.
func changeError(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case notProposed(err):
		return errs.New(op, errs.Unavailable, err)
	default:
		return errs.New(op, errs.Unknown, err)
	}
}

// waitCaughtUp asks a node itself how far it has applied the log, until that is as far as was
// committed when the wait began. Errors: errNotLeader, and Unavailable where ctx ends.
func (g *Group) waitCaughtUp(ctx context.Context, node cluster.NodeID) error {
	const op = "group.Promote"
	if node == g.cfg.Node {
		return nil
	}
	want := g.raft.CommitIndex()
	for {
		if g.raft.State() != raft.Leader {
			return errNotLeader
		}
		if m, err := g.askMembers(ctx, node); err == nil && m.AppliedIndex >= want {
			return nil
		}
		select {
		case <-time.After(catchUpPoll):
		case <-ctx.Done():
			return errs.Newf(op, errs.Unavailable, "node %s has not caught up: %w", node, context.Cause(ctx))
		case <-g.closing:
			return errNotLeader
		}
	}
}

// askMembers asks a node where its group stands.
func (g *Group) askMembers(ctx context.Context, node cluster.NodeID) (*metapb.MembersResponse, error) {
	if g.cfg.HTTP == nil || g.cfg.RPCAddrs == nil {
		return nil, errors.New("no client to reach other nodes")
	}
	addr, ok := g.cfg.RPCAddrs(node)
	if !ok {
		return nil, errs.Newf("group.Members", errs.Unavailable, "the address of node %s is not known", node)
	}
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Timing.RPC)
	defer cancel()
	c := metapbconnect.NewMetaServiceClient(g.cfg.HTTP, "http://"+addr, rpc.ClientOptions()...)
	return c.Members(ctx, &metapb.MembersRequest{})
}
