package member

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/node/upkeep"
)

const (
	// peerLook is how often a node looks at what gossip tells about the others.
	peerLook = time.Second
	// clockEvery is how often it compares clocks, logs and settings with the others.
	clockEvery = 10 * time.Second
)

// Watch checks, as long as the node runs, that it is still a member and that its metadata are of
// the others' era. If not, it ends the node. It must be called when Join has returned, and returns
// when ctx ends.
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

// Compare begins to compare this node with the others until ctx ends: clocks, logs, settings, and
// what the states of the metadata have refused. It returns at once. It must be called before Join,
// which waits for what it finds.
func (n *Self) Compare(ctx context.Context) {
	n.cfg.Go(func() { n.watchClocks(ctx) })
	n.cfg.Go(func() { n.watchRefusals(ctx) })
}

// watchClocks calls comparePeers every clockEvery, and every peerLook while it is not known whether
// this node's clock is right.
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

// comparePeers asks all living nodes of the cluster about themselves, and compares clocks, logs,
// refusals and settings.
func (n *Self) comparePeers(ctx context.Context) {
	var far []string
	var differ []string
	measured := map[cluster.NodeID]time.Duration{}
	defer func() { n.judgeClock(ctx, measured) }()
	for _, m := range n.peers.fellows() {
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
			far = append(far, fmt.Sprintf("the clock of node %s (%s) is %s that of node %s: set both by NTP",
				m.Node, m.S3Addr, aheadOf(ahead), n.home.ID()))
			n.log.Warn("clocks differ", "node", m.Node.String(), "ahead", ahead, "allowed", n.cfg.MaxClockSkew)
		}
	}
	n.judgeState()
	n.skewed.Store(&far)
	n.events.SettingsDiffer(len(differ))
}

// compareLogs notes how far another node has applied the metadata's log. If the other node knows
// that this one had once applied more than its log has now, the disks of this node hold an older
// copy, and it ends. But perhaps the process that had applied more still runs, and this one has a
// copy of its directories. That is checked first, because then it would not help to start this
// process again, as the sentence about old copies advises.
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
	n.cfg.Fail(fmt.Errorf("node %s knows that this node had applied log entry %d of the metadata, "+
		"but its log ends at entry %d: its disks hold an older copy; start it again: "+
		"it takes part without a vote until it has caught up", id, a.AskerApplied, last))
}

// forgotWarning says what this node's metadata have lost; empty if they have lost nothing. It says
// so as long as it matters: while an earlier incarnation of the node is in the group, or while
// there are fewer voters than there should be.
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
		if m.Voter && !topo.View.Stale(cluster.NodeID(m.Node), m.Incarnation) {
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

// Warnings returns sentences about what is wrong with this node among the others and is not in the
// metadata.
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
