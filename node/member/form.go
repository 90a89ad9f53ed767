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

// Join makes this node a member of a cluster: the one that it belongs to, else the one that
// nodes it has found belong to, else a new one (see "Forming a cluster"). It is called
// once, and returns when the node is registered. Where the metadata have no room for it, a
// node that knows its cluster returns earlier: it can answer reads, and registers later.
//
// Errors: Denied, where the node will never be let in; a sentence tells an operator what to
// do. Else Join tries until ctx ends, whose cause it returns.
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

// form finds out which cluster to belong to, or begins one, and registers.
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

// clusterOf returns the cluster that members belong to; empty if none does yet. Errors:
// Denied, where they are of two.
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

// begins reports whether this node is to begin the cluster: as many nodes as it expects are
// alive and expect as many, and it has the lowest id of them. So only one of them does.
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
