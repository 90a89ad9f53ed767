package member

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/cluster/identity"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
)

const (
	// joinRefusals is how many rounds of calls in which nobody let this node in, and
	// somebody said that he never will, make it give up.
	joinRefusals = 2
	// askedPeers is how many nodes are asked for their time, and whether they believe
	// this one.
	askedPeers = 5
)

// fitToJoin checks what must hold before this node tells the cluster of itself.
func (n *Self) fitToJoin(ctx context.Context) error {
	if err := n.checkEra(); err != nil {
		return err
	}
	if err := n.checkTrust(ctx); err != nil {
		return err
	}
	topo, err := n.client.Topology(ctx)
	switch {
	case err != nil && n.home.Cluster() == "":
		return nil // The cluster begins with this node.
	case err != nil:
		return err
	case topo.View.Node(n.home.ID()) == nil:
		if err := n.checkClock(ctx); err != nil { // Who is a member already is shown, and let in.
			return err
		}
		return n.checkAgreed(ctx, false)
	}
	if err := n.checkClone(ctx, topo); err != nil {
		return err
	}
	return n.checkAgreed(ctx, true)
}

// checkEra refuses to go on with metadata of before the others' were restored from a
// backup or recovered: they may hold what the cluster knows nothing of, and vote for it.
// A node without metadata takes over the era.
func (n *Self) checkEra() error {
	newest := n.home.Era()
	for _, m := range n.gossip.Members() {
		if m.ClusterID != "" && (n.home.Cluster() == "" || m.ClusterID == n.home.Cluster()) {
			newest = max(newest, m.Era)
		}
	}
	switch {
	case newest == n.home.Era():
		return nil
	case n.group.HasState():
		return errs.Newf("node.join", errs.Denied, "the cluster's metadata were restored or recovered without this node (era %d), and this node's are of before that (era %d): "+
			"move %s away and start it again; it gets them anew, and its drives keep their data", newest, n.home.Era(), n.home.MetaDir())
	}
	return n.peers.Begin(newest)
}

// checkTrust refuses to go on where no member takes a connection because of a
// certificate. Gossip does not show it: that goes by the cluster key.
func (n *Self) checkTrust(ctx context.Context) error {
	asked := 0
	var last error
	for _, m := range n.gossip.Members() {
		if m.Node == n.home.ID() || m.State != gossip.Alive || m.ClusterID == "" || asked == askedPeers {
			continue
		}
		_, _, err := n.askAbout(ctx, m.RPCAddr)
		switch {
		case identity.Distrusted(err):
			asked, last = asked+1, err
		case err == nil:
			n.distrusted = 0
			return nil
		}
	}
	if asked == 0 {
		return nil // Nobody answered.
	}
	kind := errs.Unavailable
	if n.distrusted++; n.distrusted >= joinRefusals {
		kind = errs.Denied
	}
	return errs.Newf("node.join", kind, "no node of the cluster takes a connection with this node's certificate, or this node does not believe theirs (%d asked): "+
		"give all nodes --internode-cert, --internode-key and --internode-ca of the same authorities, or none of them; "+
		"where this node was removed from the cluster, empty its data directories to let it join as a new one (%w)", asked, last)
}

// checkClock refuses a clock that differs much from those of most others.
func (n *Self) checkClock(ctx context.Context) error {
	var ahead []time.Duration
	for _, m := range n.gossip.Members() {
		if m.Node == n.home.ID() || m.State != gossip.Alive || m.ClusterID == "" || len(ahead) == askedPeers {
			continue
		}
		if _, d, err := n.askAbout(ctx, m.RPCAddr); err == nil {
			ahead = append(ahead, d)
		}
	}
	if len(ahead) == 0 {
		return nil
	}
	slices.Sort(ahead)
	skew := -ahead[len(ahead)/2] // Of this node's clock.
	if skew.Abs() <= n.cfg.MaxClockSkew {
		return nil
	}
	return errs.Newf("node.join", errs.Denied, "this node's clock is %s the clocks of the cluster (%d nodes asked; --max-clock-skew allows %s): "+
		"set it, best by NTP, and start the node again", aheadOf(skew), len(ahead), n.cfg.MaxClockSkew)
}

func aheadOf(skew time.Duration) string {
	if skew < 0 {
		return (-skew).Round(time.Second).String() + " behind"
	}
	return skew.Round(time.Second).String() + " ahead of"
}

// checkClone refuses to run beside another process with this node's id: one of them has
// a copy of the other's data directory.
func (n *Self) checkClone(ctx context.Context, topo *meta.Topology) error {
	own := topo.View.Node(n.home.ID())
	if own == nil || own.Run == n.run || own.RPCAddr == n.cfg.RPCAddr {
		return nil // Who has our address now is this process.
	}
	a, _, err := n.askAbout(ctx, own.RPCAddr)
	if err != nil || a.Node != n.home.ID().String() || a.Run == n.run {
		return nil // It has moved here.
	}
	return errs.Newf("node.join", errs.Denied, "node %s runs at %s already: the data directory %s is a copy of that node's. "+
		"Stop one of the two; a new node starts with empty directories", n.home.ID(), own.RPCAddr, n.home.Dir())
}

// CheckOnlyRun ends this process where another one has registered with this node's id.
func (n *Self) CheckOnlyRun() {
	ctx, cancel := context.WithTimeout(context.Background(), proposeWait)
	defer cancel()
	a, err := n.client.Read(ctx, &metapb.Query{Op: &metapb.Query_View{View: &metapb.GetView{}}})
	if err != nil {
		return // Its next session will tell.
	}
	topo := meta.NewTopology(a.View)
	if own := topo.View.Node(n.home.ID()); own != nil && own.Run != 0 && own.Run != n.run {
		n.cfg.Fail(fmt.Errorf("another process has joined as node %s, from %s: is its data directory a copy of this one's (%s)?", n.home.ID(), own.RPCAddr, n.home.Dir()))
	}
}

// checkMember ends this process where its node was removed from the cluster, which it
// may have heard of from nobody. It tells by the refusal that a restart would meet.
func (n *Self) checkMember(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, proposeWait)
	defer cancel()
	topo, err := n.client.Topology(ctx)
	if err != nil || topo.View.Node(n.home.ID()) != nil {
		return
	}
	if err := n.tryRegister(ctx); errs.Is(err, errs.Denied) {
		n.cfg.Fail(joinError(err))
	}
}

// joinError is why this node is no member, or one no longer.
func joinError(err error) error { return fmt.Errorf("join the cluster: %w", err) }

// registerRefused says in a sentence why the cluster did not take this node.
func (n *Self) registerRefused(res *metapb.Result) error {
	switch res.Refusal {
	case metapb.Refusal_REFUSAL_NONE:
		return nil
	case metapb.Refusal_REFUSAL_OTHER_CLUSTER:
		return fmt.Errorf("this node's data belongs to cluster %s, but the nodes it found are of cluster %s: check --join and --data", n.home.Cluster(), res.ClusterId)
	case metapb.Refusal_REFUSAL_INCOMPATIBLE:
		return errors.New(res.Detail)
	case metapb.Refusal_REFUSAL_DRIVE_ELSEWHERE:
		return errors.New("one of the drives in --data belongs to another node of the cluster: name this node's own directories; to use the disk here, empty it")
	}
	return fmt.Errorf("the cluster refuses this node: %s (%s)", res.Detail, res.Refusal)
}
