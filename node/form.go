package node

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/upkeep"
	"github.com/cairnstore/cairn/s3api"
)

const (
	formPoll      = 200 * time.Millisecond
	registerRetry = 500 * time.Millisecond
	proposeWait   = 5 * time.Second
)

// form makes this node part of a cluster: the one it belongs to, one that
// members it found belong to, or a new one once as many nodes as expected have
// found each other. The new cluster is begun by the node with the lowest id
// alone, as a single voter; upkeep adds the others.
func (n *Node) form(ctx context.Context) error {
	for n.home.cluster() == "" && !n.group.HasState() {
		members := n.gossip.Members()
		id, err := clusterOf(members)
		if err == nil {
			err = n.joinRefused()
		}
		if err != nil {
			return err
		}
		if id != "" {
			if err := n.home.join(id); err != nil {
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
		if err := n.await(ctx, formPoll); err != nil {
			return err
		}
	}
	return n.register(ctx)
}

// votersWait is how long a node that forms a cluster waits for its voters; beyond it
// some of them must have died, and upkeep goes on.
const votersWait = 30 * time.Second

// awaitVoters waits until the metadata of a new cluster have all their voters: until
// then what is acknowledged lies on fewer nodes than it should.
func (n *Node) awaitVoters(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, votersWait)
	defer cancel()
	want, have := upkeep.VoterCount(n.cfg.BootstrapExpect), 0
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
		if n.await(ctx, formPoll) != nil {
			n.log.Warn("the metadata have fewer voters than they should", "voters", have, "wanted", want)
			return
		}
	}
}

// formingWait is how long a request waits for the voters of a new cluster; it may then
// find that no metadata can be reached.
const formingWait = 10 * time.Second

// whenFormed has S3 requests wait for the voters of a new cluster.
func (n *Node) whenFormed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s3api.Unheld(r) {
			n.holdUntilFormed(r.Context())
		}
		h.ServeHTTP(w, r)
	})
}

func (n *Node) holdUntilFormed(ctx context.Context) {
	select {
	case <-n.formed:
		return
	default:
	}
	t := time.NewTimer(formingWait)
	defer t.Stop()
	select {
	case <-n.formed:
	case <-t.C:
	case <-ctx.Done():
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
func (n *Node) begins(members []gossip.Member) bool {
	if n.cfg.BootstrapExpect == 0 {
		return false
	}
	expecting := 0
	for _, m := range members {
		if m.State != gossip.Alive || m.Expect != n.cfg.BootstrapExpect {
			continue
		}
		expecting++
		if m.Node < n.home.id() {
			return false
		}
	}
	return expecting >= n.cfg.BootstrapExpect
}

// await pauses until gossip has news or d is over.
func (n *Node) await(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
	case <-n.gossip.Changed():
	}
	return nil
}

// register tells the cluster who this node is, and learns the cluster's id. It
// tries until it succeeds or is refused. Where the metadata have no room for it, a node
// that is a member comes up without, to answer reads, and registers when there is some.
func (n *Node) register(ctx context.Context) error {
	err := n.tryToRegister(ctx, n.home.cluster() != "")
	if errs.Is(err, errs.NoSpace) {
		n.log.Warn("the metadata have no room: this node comes up to answer reads, and takes no changes until there is room", "cause", err)
		n.wg.Go(func() {
			if err := n.tryToRegister(ctx, false); err != nil && ctx.Err() == nil {
				n.fail(joinError(err))
			}
		})
		return nil
	}
	return err
}

// tryToRegister returns when it has succeeded or is refused; readOnly, also (NoSpace)
// where there is no room.
func (n *Node) tryToRegister(ctx context.Context, readOnly bool) error {
	for {
		err := n.joinRefused()
		if err == nil {
			err = n.tryRegister(ctx)
		}
		if err == nil || errs.Is(err, errs.Denied) || ctx.Err() != nil || readOnly && errs.Is(err, errs.NoSpace) {
			return err
		}
		n.log.Debug("not registered yet", "cause", err)
		if err := n.await(ctx, registerRetry); err != nil {
			return err
		}
	}
}

func (n *Node) tryRegister(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, proposeWait)
	defer cancel()
	if n.home.cluster() == "" {
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
		RegisterNode: &metapb.RegisterNode{Node: n.describe(), ClusterId: n.home.cluster()}}})
	if err != nil {
		return err
	}
	if err := n.registerRefused(res); err != nil {
		return errs.New("node.register", errs.Denied, err)
	}
	if err := n.home.join(res.ClusterId); err != nil {
		return errs.New("node.register", errs.Denied, err)
	}
	for _, d := range n.drives {
		if err := d.SetCluster(res.ClusterId); err != nil {
			return errs.New("node.register", errs.Denied, err)
		}
	}
	if err := n.gossip.SetCluster(res.ClusterId, n.home.era()); err != nil {
		return err
	}
	return n.client.OpenSession(ctx)
}

// describe returns this node as it registers.
func (n *Node) describe() *metapb.Node {
	c := &n.cfg
	out := &metapb.Node{Id: uint64(n.home.id()), Zone: c.Zone, RpcAddr: c.hostPort(c.RPC), RaftAddr: c.hostPort(c.Raft),
		GossipAddr: c.hostPort(c.Gossip), S3Addr: c.hostPort(c.S3), Run: n.run, Version: n.env.Version,
		FeatureLevelMin: min(cluster.FeatureLevelMin, uint32(c.PretendLevel)), FeatureLevelMax: uint32(c.PretendLevel), Incarnation: n.group.Incarnation()}
	for i, d := range n.drives {
		out.Drives = append(out.Drives, &metapb.Drive{Id: uint64(d.ID()), CapacityBytes: uint64(d.Usage().CapacityBytes),
			Cold: slices.ContainsFunc(c.ColdDrives, func(dir string) bool { return samePath(dir, c.DataDirs[i]) })})
	}
	return out
}

func newClusterID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // Never fails.
	return hex.EncodeToString(b[:])
}

// rpcAddr returns the internode address of a node, as gossip has it.
func (n *Node) rpcAddr(id cluster.NodeID) (string, bool) {
	m, ok := n.gossip.Member(id)
	return m.RPCAddr, ok
}

// others returns the other nodes of the cluster that are alive: whom copies may ask
// for help.
func (n *Node) others() []cluster.NodeID {
	var ids []cluster.NodeID
	for _, m := range n.gossip.Members() {
		if m.State == gossip.Alive && m.Node != n.home.id() && m.ClusterID == n.home.cluster() {
			ids = append(ids, m.Node)
		}
	}
	return ids
}

// candidates returns the nodes to ask who leads: those alive, others of the same
// cluster first.
func (n *Node) candidates() []cluster.NodeID {
	var ids []cluster.NodeID
	for _, m := range n.gossip.Members() {
		if m.State != gossip.Down {
			ids = append(ids, m.Node)
		}
	}
	return ids
}
