package member

import (
	"context"
	"fmt"
	"time"
)

// refusalsLook is the pause before a node asks the others again what they have refused, if too few
// have answered.
const refusalsLook = 200 * time.Millisecond

// watchRefusals waits for commands that this node's state refuses because records contradict each
// other, and then asks the others at once whether they refused them too. Besides, all nodes compare
// every clockEvery, because a node that should have refused a command and has not does not notice
// by itself.
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

// askRefusals asks the other nodes what they have refused, and judges this node by the answers.
func (n *Self) askRefusals(ctx context.Context) {
	for _, m := range n.peers.fellows() {
		if a, _, err := n.askAbout(ctx, m.RPCAddr); err == nil {
			n.heardRefusals(a)
		}
	}
	n.judgeState()
}

// heardRefusals notes what the server of another node has refused. Releases that do not compare say
// nothing.
func (n *Self) heardRefusals(a about) {
	if a.Server != "" && a.Refusals != nil {
		n.group.HeardRefusals(a.Server, *a.Refusals)
	}
}

// judgeState ends this node if most voters agree about what was refused and this node does not
// agree with them: its metadata are damaged then. When it starts again, it is another server
// without a vote, and its metadata are made anew from the others'.
func (n *Self) judgeState() {
	j := n.group.Judge()
	n.events.Disagree(len(j.Differ))
	if j.Wrong == "" {
		return
	}
	if err := n.group.Disown(j.Wrong); err != nil {
		n.log.Error("that this node's metadata are damaged cannot be noted", "cause", err)
	}
	n.cfg.Fail(fmt.Errorf("this node's metadata %s: they are damaged. Start it again: "+
		"it takes part without a vote while its metadata are made anew from the others'; what it had is kept in "+
		"meta/disowned, for whoever wants to find out why, and may be removed", j.Wrong))
}
