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

// catchUpPoll is how often a new member is asked how far it has got.
const catchUpPoll = 100 * time.Millisecond

// Member is one server of the Raft configuration.
type Member struct {
	Node        cluster.NodeID
	Incarnation string // Of the node, as which it was added; empty: the first.
	RaftAddr    string
	Voter       bool
}

// serverOf returns the server that a node has in the group now: that of the incarnation
// under which it has registered.
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

// Incarnation returns which incarnation of this node takes part; empty: the first.
func (g *Group) Incarnation() string { return incarnationOf(g.id) }

func member(s raft.Server) Member {
	return Member{Node: parseServerID(s.ID), Incarnation: incarnationOf(s.ID), RaftAddr: string(s.Address), Voter: s.Suffrage == raft.Voter}
}

func (g *Group) servers() []raft.Server {
	return g.raft.GetConfiguration().Configuration().Servers
}

// Members returns the configuration and the leader (0: none), as this node knows
// them.
func (g *Group) Members() (members []Member, leader cluster.NodeID) {
	for _, s := range g.servers() {
		members = append(members, member(s))
	}
	return members, g.Leader()
}

// Heard notes what another node says of its server: its id, and how far it has applied.
func (g *Group) Heard(server string, applied uint64) {
	g.peers.Applied(raft.ServerID(server), applied)
	if servers := g.servers(); len(servers) > 0 {
		g.peers.KeepOnly(servers)
		g.heard.keepOnly(servers)
	}
}

// KnownOf returns how far this node knows another one's server to have applied; 0:
// nothing is known.
func (g *Group) KnownOf(server string) uint64 { return g.peers.Known(raft.ServerID(server)) }

// LastContacts returns since when the leader has heard nothing of each other member;
// nil where this node does not lead.
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

// AddVoter adds a node as a non-voter, waits until it has caught up, and gives it a
// vote. Leader only. Errors of the changes of membership: Unavailable (this node
// does not lead), Unknown; to repeat them does no harm.
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

// AddNonvoter adds a node that gets the log but has no vote. A voter stays one.
func (g *Group) AddNonvoter(ctx context.Context, node cluster.NodeID, raftAddr string) error {
	return g.change(ctx, "group.AddNonvoter", node, func(id raft.ServerID) raft.Future {
		return g.raft.AddNonvoter(id, raft.ServerAddress(raftAddr), 0, g.cfg.Timing.RPC)
	})
}

// Promote waits until a node that was added has caught up, and gives it a vote.
func (g *Group) Promote(ctx context.Context, node cluster.NodeID, raftAddr string) error {
	if err := g.waitCaughtUp(ctx, node); err != nil {
		return err
	}
	return g.change(ctx, "group.Promote", node, func(id raft.ServerID) raft.Future {
		return g.raft.AddVoter(id, raft.ServerAddress(raftAddr), 0, g.cfg.Timing.RPC)
	})
}

// Demote takes a node's vote and leaves it in the configuration.
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

// Expel takes the servers of a node out of the configuration that are not its present
// incarnation: what they had promised is lost, so they never vote again.
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
		err := g.changeServer(ctx, op, s.ID, func(id raft.ServerID) raft.Future { return g.raft.RemoveServer(id, 0, g.cfg.Timing.RPC) })
		if err != nil {
			return err
		}
	}
	return nil
}

// change makes one change of the configuration, of a node's present server.
func (g *Group) change(ctx context.Context, op string, node cluster.NodeID, start func(id raft.ServerID) raft.Future) error {
	id, err := g.serverOf(node)
	if err != nil {
		return errs.Wrap(op, err)
	}
	return g.changeServer(ctx, op, id, start)
}

// changeServer waits for a change in a goroutine, since the future cannot be given up; it
// ends with the change or with leadership.
func (g *Group) changeServer(ctx context.Context, op string, id raft.ServerID, start func(id raft.ServerID) raft.Future) error {
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

// waitCaughtUp asks the node itself how far it has got, until it has everything
// that was committed when the wait began.
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
