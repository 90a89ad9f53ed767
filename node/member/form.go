package member

import (
	"context"
	"fmt"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/gossip"
)

const (
	formPoll      = 200 * time.Millisecond
	registerRetry = 500 * time.Millisecond
	proposeWait   = 5 * time.Second
)

// Join makes this node a member of a cluster: the one that it belongs to, or else the one that
// nodes it has found belong to, or else a new one (see "Forming a cluster"). It must be called
// once, and returns when the node is registered. If the metadata have no room for that, a node that
// knows its cluster returns earlier: it can answer reads, and registers later.
//
// Errors: Denied, if the node will never be let in; a sentence tells an operator what to do.
// Otherwise Join tries until ctx ends, and returns the cause of ctx.
func (n *Self) Join(ctx context.Context) error {
	n.forms = n.home.Cluster() == "" && n.cfg.Expect > 1
	if !n.forms {
		close(n.formed)
	}
	if err := n.form(ctx); err != nil {
		return joinError(err)
	}
	return nil
}

// form finds the cluster to which this node is to belong, or begins one, and registers.
func (n *Self) form(ctx context.Context) error {
	for n.home.Cluster() == "" && !n.group.HasState() {
		members := n.gossip.Members()
		id, err := clusterOf(members)
		if err == nil {
			err = n.peers.refusal()
		}
		if err != nil {
			return err
		}
		if id != "" {
			if err := n.home.Join(id); err != nil {
				return err
			}
			break
		}
		if n.begins(members) {
			if err := n.group.Bootstrap(); err != nil {
				return fmt.Errorf("begin a new cluster: %w", err)
			}
			break
		}
		if err := n.peers.Await(ctx, formPoll); err != nil {
			return err
		}
	}
	return n.register(ctx)
}

// clusterOf returns the cluster that members belong to; empty if none belongs to one yet. Errors:
// Denied, if they belong to two.
func clusterOf(members []gossip.Member) (string, error) {
	id := ""
	for _, m := range members {
		if m.ClusterID == "" || m.ClusterID == id {
			continue
		}
		if id != "" {
			return "", errs.Newf("node.form", errs.Denied,
				"the nodes that --join leads to are of two clusters, %s and %s: name nodes of one", id, m.ClusterID)
		}
		id = m.ClusterID
	}
	return id, nil
}

// begins reports whether this node must begin the cluster: as many nodes as it expects are alive
// and expect as many, and its id is the lowest of theirs. So only one of them begins.
func (n *Self) begins(members []gossip.Member) bool {
	if n.cfg.Expect == 0 {
		return false
	}
	expecting := 0
	for _, m := range members {
		if m.State != gossip.Alive || m.Expect != n.cfg.Expect {
			continue
		}
		expecting++
		if m.Node < n.home.ID() {
			return false
		}
	}
	return expecting >= n.cfg.Expect
}
