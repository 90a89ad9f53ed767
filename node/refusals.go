package node

import (
	"context"
	"fmt"
	"time"

	"github.com/cairnstore/cairn/cluster/gossip"
)

// refusalsLook is the pause before a node asks the others again what they have refused, while too
// few have answered.
const refusalsLook = 200 * time.Millisecond

// watchRefusals compares, whenever this node has refused a command for a contradiction, what it has
// refused with what the voters have. It does so as long as the node runs. All nodes compare every
// clockEvery besides: a node that should have refused something and has not cannot notice it by
// itself.
func (n *Node) watchRefusals(ctx context.Context) {
	for {
		for n.group.Judge().Open {
			n.askRefusals(ctx)
			if n.await(ctx, refusalsLook) != nil {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-n.anew:
		}
	}
}

// contradicted is called when this node's state has refused a command.
func (n *Node) contradicted() {
	select {
	case n.anew <- struct{}{}:
	default: // The comparison is waiting to begin already.
	}
}

func (n *Node) askRefusals(ctx context.Context) {
	for _, m := range n.gossip.Members() {
		if m.Node == n.home.id() || m.State != gossip.Alive || m.ClusterID != n.home.cluster() {
			continue
		}
		if a, _, err := n.askAbout(ctx, m.RPCAddr); err == nil {
			n.heardRefusals(a)
		}
	}
	n.judgeState()
}

// heardRefusals notes what another node's server has refused. A node of a release that does not
// compare tells nothing.
func (n *Node) heardRefusals(a about) {
	if a.Server != "" && a.Refusals != nil {
		n.group.HeardRefusals(a.Server, *a.Refusals)
	}
}

// judgeState ends this node if most voters agree with each other about what was refused, and not
// with it. Its metadata are damaged then. When it starts again, they are made anew from those of
// the others, and the node is another server, without a vote.
func (n *Node) judgeState() {
	j := n.group.Judge()
	n.obs.Disagree(len(j.Differ))
	if j.Wrong == "" {
		return
	}
	if err := n.group.Disown(j.Wrong); err != nil {
		n.log.Error("that this node's metadata are damaged cannot be noted", "cause", err)
	}
	n.fail(fmt.Errorf("this node's metadata %s: they are damaged. Start it again: it takes part without a vote while its metadata are made anew "+
		"from the others'; what it had is kept in meta/disowned, for whoever wants to find out why, and may be removed", j.Wrong))
}
