package member

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// register tells the cluster who this node is, and learns the cluster's id. It tries until it
// succeeds or is refused. If the metadata have no room, a node that knows its cluster still comes
// up, to answer reads, and registers when there is room.
func (n *Self) register(ctx context.Context) error {
	err := n.tryToRegister(ctx, n.home.Cluster() != "")
	if errs.Is(err, errs.NoSpace) {
		n.log.Warn("the metadata have no room: this node comes up to answer reads, and takes no changes until there is room",
			"cause", err)
		n.cfg.Go(func() {
			if err := n.tryToRegister(ctx, false); err != nil && ctx.Err() == nil {
				n.cfg.Fail(joinError(err))
			}
		})
		return nil
	}
	return err
}

// tryToRegister tries until it succeeds or is refused. If readOnly, it also returns if there is no
// room. Errors: Denied, NoSpace, or the cause of ctx.
func (n *Self) tryToRegister(ctx context.Context, readOnly bool) error {
	for {
		err := n.peers.refusal()
		if err == nil {
			err = n.tryRegister(ctx)
		}
		if err == nil || errs.Is(err, errs.Denied) || ctx.Err() != nil || readOnly && errs.Is(err, errs.NoSpace) {
			return err
		}
		n.log.Debug("not registered yet", "cause", err)
		if err := n.peers.Await(ctx, registerRetry); err != nil {
			return err
		}
	}
}

// tryRegister goes once through the steps of joining: see "Joining".
func (n *Self) tryRegister(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, proposeWait)
	defer cancel()
	if n.home.Cluster() == "" {
		// The first node that proposes this names the cluster. The others are refused, which does
		// no harm: they learn the name when they register.
		cmd := &metapb.Command{Op: &metapb.Command_FormCluster{FormCluster: &metapb.FormCluster{Id: newClusterID()}}}
		if _, err := n.client.Propose(ctx, cmd); err != nil {
			return err
		}
	}
	if err := n.fitToJoin(ctx); err != nil {
		return err
	}
	res, err := n.client.Propose(ctx, &metapb.Command{Op: &metapb.Command_RegisterNode{
		RegisterNode: &metapb.RegisterNode{Node: n.describe(), ClusterId: n.home.Cluster()}}})
	if err != nil {
		return err
	}
	if err := n.registerRefused(res); err != nil {
		return errs.New("node.register", errs.Denied, err)
	}
	if err := n.home.Join(res.ClusterId); err != nil {
		return errs.New("node.register", errs.Denied, err)
	}
	for _, d := range n.cfg.Drives {
		if err := d.SetCluster(res.ClusterId); err != nil {
			return errs.New("node.register", errs.Denied, err)
		}
	}
	if err := n.gossip.SetCluster(res.ClusterId, n.home.Era()); err != nil {
		return err
	}
	return n.client.OpenSession(ctx)
}

// describe returns the record by which this node registers.
func (n *Self) describe() *metapb.Node {
	d := n.cfg.Describe()
	d.Id, d.Run, d.Incarnation = uint64(n.home.ID()), n.run, n.group.Incarnation()
	return d
}

func newClusterID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // Never fails.
	return hex.EncodeToString(b[:])
}

// joinError is the error of a node that is not a member, or no longer one.
func joinError(err error) error { return fmt.Errorf("join the cluster: %w", err) }

// registerRefused returns, in a sentence, why the cluster did not take this node; nil if it did.
func (n *Self) registerRefused(res *metapb.Result) error {
	switch res.Refusal {
	case metapb.Refusal_REFUSAL_NONE:
		return nil
	case metapb.Refusal_REFUSAL_OTHER_CLUSTER:
		return fmt.Errorf("this node's data belongs to cluster %s, but the nodes it found are of cluster %s: "+
			"check --join and --data", n.home.Cluster(), res.ClusterId)
	case metapb.Refusal_REFUSAL_INCOMPATIBLE:
		return errors.New(res.Detail)
	case metapb.Refusal_REFUSAL_DRIVE_ELSEWHERE:
		return errors.New("one of the drives in --data belongs to another node of the cluster: " +
			"name this node's own directories; to use the disk here, empty it")
	}
	return fmt.Errorf("the cluster refuses this node: %s (%s)", res.Detail, res.Refusal)
}
