package group

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
)

const (
	// handOverPoll is how often a leader looks whether it still leads.
	handOverPoll = 20 * time.Millisecond
	// stuckTransfer is for how many election timeouts a transfer of leadership may hold writes
	// up before the process ends.
	stuckTransfer = 5
)

// HandOver makes another voter the leader. A transfer that is cut short can leave the leader
// of hashicorp/raft refusing all writes until it is restarted (its issue 696). A group that
// finds itself in that state ends the process through Events.Fatal (G4). Errors: Unavailable,
// where this node leads as before, or never did.
func (g *Group) HandOver(ctx context.Context, to cluster.NodeID) error {
	const op = "group.HandOver"
	if !g.enter() {
		return errNotLeader
	}
	defer g.leave()
	id, addr, err := g.voter(to)
	if err != nil {
		return errs.New(op, errs.Unavailable, err)
	}
	done := make(chan error, 1)
	g.wg.Go(func() { done <- g.raft.LeadershipTransferToServer(id, addr).Error() })
	select {
	case err = <-done:
	case <-time.After(stuckTransfer * g.cfg.Timing.Election): // A transfer that is stuck never answers.
		err = errors.New("no answer")
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err == nil || g.raft.State() != raft.Leader {
		return nil
	}
	if stuck := g.awaitWrites(); stuck != nil {
		g.cfg.Events.Fatal(errs.Newf(op, errs.Internal,
			"leadership could not be handed over and this node refuses writes since; restart it: %w", stuck))
	}
	return errs.Newf(op, errs.Unavailable, "leadership could not be handed to node %s: %w", to, err)
}

// awaitWrites returns nil once this node takes writes again or does not lead any more. It
// returns the error of a write where they are refused for too long.
func (g *Group) awaitWrites() error {
	for deadline := time.Now().Add(stuckTransfer * g.cfg.Timing.Election); ; {
		if g.raft.State() != raft.Leader {
			return nil
		}
		err := g.raft.Barrier(g.cfg.Timing.RPC).Error()
		if !errors.Is(err, raft.ErrLeadershipTransferInProgress) {
			return nil
		}
		if time.Now().After(deadline) {
			return err
		}
		time.Sleep(handOverPoll)
	}
}

// voter returns a node's present server. Errors: Invalid where it has no vote.
func (g *Group) voter(node cluster.NodeID) (raft.ServerID, raft.ServerAddress, error) {
	id, err := g.serverOf(node)
	if err != nil {
		return "", "", err
	}
	for _, s := range g.servers() {
		if s.ID == id && s.Suffrage == raft.Voter {
			return s.ID, s.Address, nil
		}
	}
	return "", "", errs.Newf("group.HandOver", errs.Invalid, "node %s is no voter", node)
}
