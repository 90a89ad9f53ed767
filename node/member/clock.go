package member

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/group"
)

// checkClock refuses to join if this node's clock is further than MaxClockSkew from the median of
// the clocks of the members that answer. If nobody answers, the clock is compared later, and until
// then this node proposes nothing. Errors: Denied.
func (n *Self) checkClock(ctx context.Context) error {
	var ahead []time.Duration
	for _, m := range n.peers.living() {
		if len(ahead) == askedPeers {
			break
		}
		if _, d, err := n.askAbout(ctx, m.RPCAddr); err == nil {
			ahead = append(ahead, d)
		}
	}
	if len(ahead) == 0 {
		return nil
	}
	slices.Sort(ahead)
	skew := -ahead[len(ahead)/2] // How far this node's clock is ahead.
	if skew.Abs() <= n.cfg.MaxClockSkew {
		return nil
	}
	return errs.Newf("node.join", errs.Denied, "this node's clock is %s the clocks of the cluster (%d nodes asked; "+
		"--max-clock-skew allows %s): set it, best by NTP, and start the node again",
		aheadOf(skew), len(ahead), n.cfg.MaxClockSkew)
}

// aheadOf says in words how far a clock is ahead or behind. What it is compared with must follow.
func aheadOf(skew time.Duration) string {
	if skew < 0 {
		return (-skew).Round(time.Second).String() + " behind"
	}
	return skew.Round(time.Second).String() + " ahead of"
}

// clockWait is how long a node that starts waits until its clock was compared. After that it
// serves, and only changes wait longer.
const clockWait = 10 * time.Second

// AwaitClock waits until it is known whether this node's clock is right, but not for ever, because
// a node can answer reads without the others.
func (n *Self) AwaitClock(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, clockWait)
	defer cancel()
	for n.cfg.Clock.Check() != nil && n.cfg.Clock.Suspect() == nil {
		if n.peers.Await(ctx, formPoll) != nil {
			return
		}
	}
}

// judgeClock decides by the clocks of the others whether this node's clock is right. While it is
// not, the node changes nothing and does not lead. If too few have answered, the last decision
// holds, and the monotonic clock tells of jumps.
func (n *Self) judgeClock(ctx context.Context, ahead map[cluster.NodeID]time.Duration) {
	members, _ := n.group.Members()
	off, known := clockOff(n.home.ID(), members, n.stale, ahead, n.cfg.MaxClockSkew)
	if !known {
		return
	}
	was := n.cfg.Clock.Suspect()
	n.cfg.Clock.Compared(off)
	now := n.cfg.Clock.Suspect()
	n.events.ClockOff(now != nil)
	switch {
	case now != nil && was == nil:
		n.log.Error("this node changes nothing: its clock is wrong", "cause", now)
	case now == nil && was != nil:
		n.log.Info("this node's clock is right again")
	}
	if now != nil {
		n.leaveLead(ctx)
	}
}

// stale reports whether a server is known to be an earlier incarnation of its node: see cluster.View.
func (n *Self) stale(id cluster.NodeID, incarnation string) bool {
	if id == n.home.ID() {
		return incarnation != n.group.Incarnation()
	}
	topo := n.client.LastTopology()
	return topo != nil && topo.View.Stale(id, incarnation)
}

// clockOff returns how far the clock of node self is ahead, compared with the clocks of the voters:
// a majority of them, which includes self if it votes, must be within limit of it. ahead is by how
// much the clocks of the nodes that answered are ahead of it. If these are no majority, it is not
// known. A stale voter is one of those whose majority is needed, and its node's clock does not count.
// While nobody has told this node who votes, all that answered count as voters.
func clockOff(self cluster.NodeID, members []group.Member, stale func(cluster.NodeID, string) bool,
	ahead map[cluster.NodeID]time.Duration, limit time.Duration) (off time.Duration, known bool) {
	var diffs []time.Duration // How far this node's clock is ahead of each voter's.
	voters := 0
	for _, m := range members {
		if !m.Voter {
			continue
		}
		voters++
		if stale(m.Node, m.Incarnation) {
			continue
		}
		if d, measured := ahead[m.Node]; m.Node == self {
			diffs = append(diffs, 0)
		} else if measured {
			diffs = append(diffs, -d)
		}
	}
	if voters == 0 {
		for _, d := range ahead {
			diffs = append(diffs, -d)
		}
		voters = len(diffs)
	}
	majority := voters/2 + 1
	if voters == 0 || len(diffs) < majority {
		return 0, false
	}
	slices.SortFunc(diffs, func(a, b time.Duration) int { return cmp.Compare(a.Abs(), b.Abs()) })
	near := 0
	for near < len(diffs) && diffs[near].Abs() <= limit {
		near++
	}
	if near >= majority {
		return diffs[near/2], true
	}
	return diffs[majority-1], true // How far it is off from the nearest majority.
}

// leaveLead hands the lead of the metadata to another node, whose clock may be right.
func (n *Self) leaveLead(ctx context.Context) {
	if !n.group.IsLeader() {
		return
	}
	members, _ := n.group.Members()
	for _, m := range members {
		if !m.Voter || m.Node == n.home.ID() || !n.peers.Alive(m.Node) || n.stale(m.Node, m.Incarnation) {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, proposeWait)
		err := n.group.HandOver(ctx, m.Node)
		cancel()
		if err == nil {
			n.log.Warn("the lead of the metadata was handed over: this node's clock is wrong", "to", m.Node.String())
			return
		}
		n.log.Debug("the lead of the metadata could not be handed over", "cause", err)
	}
}
