package member

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/node/upkeep"
)

const (
	// peerLook is how often a node looks at what gossip says of the others.
	peerLook = time.Second
	// clockEvery is how often it compares clocks, logs and settings with them.
	clockEvery = 10 * time.Second
)

// Watch looks for as long as the node runs whether it is still a member, and of the era
// of the others. Where it is not, the node is ended.
func (n *Self) Watch(ctx context.Context) {
	t := time.NewTicker(peerLook)
	defer t.Stop()
	for {
		if err := n.checkEra(); err != nil {
			n.cfg.Fail(err)
			return
		}
		n.checkMember(ctx)
		if topo := n.client.LastTopology(); topo != nil {
			n.peers.note(topo)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Compare compares this node with the others for as long as it runs: clocks, logs, settings,
// and what the states of the metadata have refused. It returns at once.
func (n *Self) Compare(ctx context.Context) {
	n.cfg.Go(func() { n.watchClocks(ctx) })
	n.cfg.Go(func() { n.watchRefusals(ctx) })
}

// watchClocks compares this node's clock and log with those of the others for as long as
// it runs, at once where it does not know whether its clock is right.
func (n *Self) watchClocks(ctx context.Context) {
	var last time.Time
	for {
		if time.Since(last) >= clockEvery || n.cfg.Clock.Check() != nil {
			last = time.Now()
			n.comparePeers(ctx)
		}
		if n.peers.Await(ctx, peerLook) != nil {
			return
		}
	}
}

// clockWait is how long a node that starts waits until its clock was compared; then it
// serves, and what it is to change waits.
const clockWait = 10 * time.Second

// AwaitClock waits until it is known whether this node's clock is right, but not for ever.
func (n *Self) AwaitClock(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, clockWait)
	defer cancel()
	for n.cfg.Clock.Check() != nil && n.cfg.Clock.Suspect() == nil {
		if n.peers.Await(ctx, formPoll) != nil {
			return
		}
	}
}

// judgeClock decides by the voters' clocks whether this node's is right: a majority of
// them, itself included where it votes, must be near to it. Where too few answered,
// what was found before holds, and the monotonic clock tells of jumps.
func (n *Self) judgeClock(ctx context.Context, ahead map[cluster.NodeID]time.Duration) {
	members, _ := n.group.Members()
	var diffs []time.Duration // Of this node's clock, ahead of a voter's.
	voters, near := 0, 0
	for _, m := range members {
		if !m.Voter {
			continue
		}
		voters++
		d, measured := ahead[m.Node]
		if m.Node == n.home.ID() {
			d, measured = 0, true
		}
		if !measured {
			continue
		}
		diffs = append(diffs, -d)
		if d.Abs() <= n.cfg.MaxClockSkew {
			near++
		}
	}
	if voters == 0 { // Not told yet who votes: those that are there have to do.
		for _, d := range ahead {
			diffs = append(diffs, -d)
			if d.Abs() <= n.cfg.MaxClockSkew {
				near++
			}
		}
		voters = len(diffs)
	}
	majority := voters/2 + 1
	if voters == 0 || len(diffs) < majority {
		return
	}
	was := n.cfg.Clock.Suspect()
	slices.SortFunc(diffs, func(a, b time.Duration) int { return cmp.Compare(a.Abs(), b.Abs()) })
	if near >= majority {
		n.cfg.Clock.Compared(diffs[near/2])
	} else {
		n.cfg.Clock.Compared(diffs[majority-1]) // As far off as the nearest majority puts it.
	}
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

// leaveLead hands the lead of the metadata to a node whose clock may be right.
func (n *Self) leaveLead(ctx context.Context) {
	if !n.group.IsLeader() {
		return
	}
	members, _ := n.group.Members()
	for _, m := range members {
		if !m.Voter || m.Node == n.home.ID() || !n.peers.Alive(m.Node) {
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

// comparePeers measures how far the clocks of the living are from this node's, and
// counts the settings of which they have other values.
func (n *Self) comparePeers(ctx context.Context) {
	var far []string
	var differ []string
	measured := map[cluster.NodeID]time.Duration{}
	defer func() { n.judgeClock(ctx, measured) }()
	for _, m := range n.gossip.Members() {
		if m.Node == n.home.ID() || m.State != gossip.Alive || m.ClusterID != n.home.Cluster() {
			continue
		}
		a, ahead, err := n.askAbout(ctx, m.RPCAddr)
		if err != nil {
			continue
		}
		n.compareLogs(ctx, m.Node, a)
		n.heardRefusals(a)
		measured[m.Node] = ahead
		for _, name := range n.differing(a.Settings) {
			n.log.Warn("a setting that must be equal on every node differs", "setting", name, "node", m.Node.String())
			if !slices.Contains(differ, name) {
				differ = append(differ, name)
			}
		}
		n.events.ClockSkew(m.Node, ahead)
		if ahead.Abs() > n.cfg.MaxClockSkew {
			far = append(far, fmt.Sprintf("the clock of node %s (%s) is %s that of node %s: set both by NTP", m.Node, m.S3Addr, aheadOf(ahead), n.home.ID()))
			n.log.Warn("clocks differ", "node", m.Node.String(), "ahead", ahead, "allowed", n.cfg.MaxClockSkew)
		}
	}
	n.judgeState()
	n.skewed.Store(&far)
	n.events.SettingsDiffer(len(differ))
}

// compareLogs notes how far another node has applied the metadata's log, and ends this
// one where the other knows that it was further once: its disks hold an older copy. Where
// the node that was further runs elsewhere, this process has a copy of its directories.
// That is told first: to start this one again, as the other sentence says, would not help.
func (n *Self) compareLogs(ctx context.Context, id cluster.NodeID, a about) {
	if a.Server != "" {
		n.group.Heard(a.Server, a.Applied)
	}
	last := n.group.Stats().LastLogIndex
	if a.AskerApplied <= last {
		return
	}
	if topo, err := n.client.Topology(ctx); err == nil {
		if err := n.checkClone(ctx, topo); err != nil {
			n.cfg.Fail(err)
			return
		}
	}
	if err := n.group.Distrust(a.AskerApplied); err != nil {
		n.log.Error("what this node once held of the metadata cannot be noted", "cause", err)
	}
	n.cfg.Fail(fmt.Errorf("node %s knows that this node had applied log entry %d of the metadata, but its log ends at entry %d: its disks hold an older copy; "+
		"start it again: it takes part without a vote until it has caught up", id, a.AskerApplied, last))
}

// forgotWarning says what this node's metadata have lost, for as long as that counts: an
// earlier incarnation of the node is a member, or there are too few voters.
func (n *Self) forgotWarning(ctx context.Context) string {
	what := n.group.Forgot()
	if what == "" {
		return ""
	}
	r, err := n.client.Members(ctx)
	topo := n.client.LastTopology()
	if err != nil || topo == nil {
		return what
	}
	voters := 0
	for _, m := range r.Members {
		if m.Voter {
			voters++
		}
		if m.Node == uint64(n.home.ID()) && m.Incarnation != n.group.Incarnation() {
			return what
		}
	}
	if voters < upkeep.VoterCount(len(topo.View.Nodes)) {
		return what
	}
	return ""
}

// Warnings are what this node has to say of itself among the others, besides what the
// metadata tell.
func (n *Self) Warnings(ctx context.Context) (out []string) {
	if p := n.skewed.Load(); p != nil {
		out = append(out, *p...)
	}
	if what := n.forgotWarning(ctx); what != "" {
		out = append(out, what)
	}
	if err := n.cfg.Clock.Suspect(); err != nil {
		out = append(out, err.Error())
	}
	return out
}
