package member

import (
	"context"
	"fmt"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/identity"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
)

const (
	// joinRefusals is after how many rounds a node gives up if nobody let it in and somebody never
	// will.
	joinRefusals = 2
	// askedPeers is how many nodes are asked for their time and settings, and whether they accept
	// this node's certificate.
	askedPeers = 5
)

// fitToJoin checks what must hold before this node registers: see "Joining". Errors: Denied, if
// another try cannot help.
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
		if err := n.checkClock(ctx); err != nil { // A member is let in whatever its clock is.
			return err
		}
		return n.checkAgreed(ctx, false)
	}
	if err := n.checkClone(ctx, topo); err != nil {
		return err
	}
	return n.checkAgreed(ctx, true)
}

// checkEra refuses to go on with metadata of an earlier era than the others'. Theirs were restored
// from a backup or recovered since. This node's may have what the cluster no longer knows, and its
// vote would count for that. A node without metadata takes over the era. Errors: Denied.
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
		return errs.Newf("node.join", errs.Denied, "the cluster's metadata were restored or recovered without this node "+
			"(era %d), and this node's are of before that (era %d): move %s away and start it again; it gets them anew, "+
			"and its drives keep their data", newest, n.home.Era(), n.home.MetaDir())
	}
	return n.peers.Begin(newest)
}

// checkTrust refuses to go on if all members that answer refuse a connection because of
// certificates. Gossip does not show that, because it depends only on the cluster key. Errors:
// Unavailable at first, because somebody may be replacing a certificate at this moment; then
// Denied.
func (n *Self) checkTrust(ctx context.Context) error {
	asked := 0
	var last error
	for _, m := range n.peers.living() {
		if asked == askedPeers {
			break
		}
		_, _, err := n.askAbout(ctx, m.RPCAddr)
		switch {
		case identity.Distrusted(err):
			asked, last = asked+1, err
		case err == nil:
			n.distrusted.Store(0)
			return nil
		}
	}
	if asked == 0 {
		return nil // Nobody answered.
	}
	kind := errs.Unavailable
	if n.distrusted.Add(1) >= joinRefusals {
		kind = errs.Denied
	}
	return errs.Newf("node.join", kind, "no node of the cluster takes a connection with this node's certificate, "+
		"or this node does not believe theirs (%d asked): give all nodes --internode-cert, --internode-key and "+
		"--internode-ca of the same authorities, or none of them; where this node was removed from the cluster, "+
		"empty its data directories to let it join as a new one (%w)", asked, last)
}

// checkClone refuses to run beside another process with this node's id: one of the two has a copy
// of the other's data directories. Both would answer for the same vote and the same drives, and
// each would take back what the other has promised. The other process is the one that answers at
// the address under which the node is registered. If nobody answers there, or somebody else does,
// the node has moved here together with its directories. Errors: Denied.
func (n *Self) checkClone(ctx context.Context, topo *meta.Topology) error {
	own := topo.View.Node(n.home.ID())
	if own == nil || own.Run == n.run || own.RPCAddr == n.cfg.RPCAddr {
		return nil // Only this process has this address.
	}
	a, _, err := n.askAbout(ctx, own.RPCAddr)
	if err != nil || a.Node != n.home.ID().String() || a.Run == n.run {
		return nil // It has moved here.
	}
	return errs.Newf("node.join", errs.Denied, "node %s runs at %s already: the data directory %s is a copy of that "+
		"node's. Stop one of the two; a new node starts with empty directories", n.home.ID(), own.RPCAddr, n.home.Dir())
}

// CheckOnlyRun ends this process if another one has registered with this node's id. It must be
// called when the session of this process was ended, because a process that joins ends the other
// sessions of its node.
func (n *Self) CheckOnlyRun() {
	ctx, cancel := context.WithTimeout(context.Background(), proposeWait)
	defer cancel()
	a, err := n.client.Read(ctx, &metapb.Query{Op: &metapb.Query_View{View: &metapb.GetView{}}})
	if err != nil {
		return // Its next session will tell.
	}
	topo := meta.NewTopology(a.View)
	if own := topo.View.Node(n.home.ID()); own != nil && own.Run != 0 && own.Run != n.run {
		n.cfg.Fail(fmt.Errorf("another process has joined as node %s, from %s: is its data directory a copy "+
			"of this one's (%s)?", n.home.ID(), own.RPCAddr, n.home.Dir()))
	}
}

// checkMember ends this process if its node was removed from the cluster, because perhaps nobody
// has told it. It tries to register, and ends with the refusal that a restart would meet.
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
