package member

import (
	"context"
	"fmt"
	"time"

	"github.com/cairnstore/cairn/cluster/gossip"
)

// refusalsLook is the pause before a node asks the others again what they have refused, while too
// few have answered.
const refusalsLook = 200 * time.Millisecond

// watchRefusals has this node compare what it refuses for contradictions with what the
// voters do, at once, for as long as it runs. Besides, all nodes compare every clockEvery:
// who should have refused and has not does not notice by itself.
func (n *Self) watchRefusals(ctx context.Context) {
	for {
		for n.group.Judge().Open {
			n.askRefusals(ctx)
			if n.peers.Await(ctx, refusalsLook) != nil {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-n.cfg.Contradicted:
		}
	}
}

func (n *Self) askRefusals(ctx context.Context) {
	for _, m := range n.gossip.Members() {
		if m.Node == n.home.ID() || m.State != gossip.Alive || m.ClusterID != n.home.Cluster() {
			continue
		}
		if a, _, err := n.askAbout(ctx, m.RPCAddr); err == nil {
			n.heardRefusals(a)
		}
	}
	n.judgeState()
}

// heardRefusals notes what another node's server has refused. A release that does not
// compare says nothing.
func (n *Self) heardRefusals(a about) {
	if a.Server != "" && a.Refusals != nil {
		n.group.HeardRefusals(a.Server, *a.Refusals)
	}
}

// judgeState ends this node where most voters agree with each other about what was refused
// and not with it: its metadata are damaged, and are made anew from the others' when it
// starts again, as another server without a vote.
func (n *Self) judgeState() {
	j := n.group.Judge()
	n.events.Disagree(len(j.Differ))
	if j.Wrong == "" {
		return
	}
	if err := n.group.Disown(j.Wrong); err != nil {
		n.log.Error("that this node's metadata are damaged cannot be noted", "cause", err)
	}
	n.cfg.Fail(fmt.Errorf("this node's metadata %s: they are damaged. Start it again: it takes part without a vote while its metadata are made anew "+
		"from the others'; what it had is kept in meta/disowned, for whoever wants to find out why, and may be removed", j.Wrong))
}
