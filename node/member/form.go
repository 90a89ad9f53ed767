package member

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/upkeep"
)

const (
	formPoll      = 200 * time.Millisecond
	registerRetry = 500 * time.Millisecond
	proposeWait   = 5 * time.Second
)

// Join makes this node part of a cluster: the one it belongs to, one that
// members it found belong to, or a new one once as many nodes as expected have
// found each other. The new cluster is begun by the node with the lowest id
// alone, as a single voter; upkeep adds the others.
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

// votersWait is how long a node that forms a cluster waits for its voters; beyond it
// some of them must have died, and upkeep goes on.
const votersWait = 30 * time.Second

// Formed is closed when the cluster has its voters, or had them before this node began.
func (n *Self) Formed() <-chan struct{} { return n.formed }

// AwaitVoters waits until the metadata of a cluster that this node has founded with others
// have all their voters: until then what is acknowledged lies on fewer nodes than it
// should. It is called once, after Join.
func (n *Self) AwaitVoters(ctx context.Context) {
	if !n.forms {
		return
	}
	defer close(n.formed)
	ctx, cancel := context.WithTimeout(ctx, votersWait)
	defer cancel()
	want, have := upkeep.VoterCount(n.cfg.Expect), 0
	for have < want {
		if r, err := n.client.Members(ctx); err == nil {
			have = 0
			for _, m := range r.Members {
				if m.Voter {
					have++
				}
			}
		}
		if have >= want {
			return
		}
		if n.peers.Await(ctx, formPoll) != nil {
			n.log.Warn("the metadata have fewer voters than they should", "voters", have, "wanted", want)
			return
		}
	}
}

// clusterOf returns the cluster that members belong to; empty if none does yet.
func clusterOf(members []gossip.Member) (string, error) {
	id := ""
	for _, m := range members {
		if m.ClusterID == "" || m.ClusterID == id {
			continue
		}
		if id != "" {
			return "", errs.Newf("node.form", errs.Denied, "the nodes that --join leads to are of two clusters, %s and %s: name nodes of one", id, m.ClusterID)
		}
		id = m.ClusterID
	}
	return id, nil
}

// begins reports whether this node is to begin the cluster: as many as expected
// are there and it has the lowest id of them.
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

// register tells the cluster who this node is, and learns the cluster's id. It
// tries until it succeeds or is refused. Where the metadata have no room for it, a node
// that is a member comes up without, to answer reads, and registers when there is some.
func (n *Self) register(ctx context.Context) error {
	err := n.tryToRegister(ctx, n.home.Cluster() != "")
	if errs.Is(err, errs.NoSpace) {
		n.log.Warn("the metadata have no room: this node comes up to answer reads, and takes no changes until there is room", "cause", err)
		n.cfg.Go(func() {
			if err := n.tryToRegister(ctx, false); err != nil && ctx.Err() == nil {
				n.cfg.Fail(joinError(err))
			}
		})
		return nil
	}
	return err
}

// tryToRegister returns when it has succeeded or is refused; readOnly, also (NoSpace)
// where there is no room.
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

func (n *Self) tryRegister(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, proposeWait)
	defer cancel()
	if n.home.Cluster() == "" {
		// Ours to name; refused where that is done already, which is as good.
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

// describe returns this node as it registers.
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
