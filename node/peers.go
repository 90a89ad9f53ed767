package node

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/node/upkeep"
	"github.com/cairnstore/cairn/s3api/iam"
)

const (
	// peerLook is how often a node looks at what gossip says of the others.
	peerLook = time.Second
	// clockEvery is how often it compares clocks, logs and settings with them.
	clockEvery = 10 * time.Second
	// staleWarning is how old what it knows of accounts and keys may be before it warns.
	staleWarning = 5 * iam.MaxAge
)

// watchPeers compares this node with the others for as long as it runs: their eras,
// when they were last heard of, and whether this node is still one of them.
func (n *Node) watchPeers(ctx context.Context) {
	t := time.NewTicker(peerLook)
	defer t.Stop()
	stale := false
	for {
		if err := n.checkEra(); err != nil {
			n.fail(err)
			return
		}
		n.checkMember(ctx)
		n.reportSelf()
		if age := n.access.directory.Age(); stale != (age > staleWarning) {
			if stale = !stale; stale {
				n.log.Warn("changes of accounts and keys are not learned of: requests with access keys are refused", "for", age)
			} else {
				n.log.Info("changes of accounts and keys are learned of again")
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// reportSelf renews the metrics of this node's standing among the others.
func (n *Node) reportSelf() {
	n.obs.LastContacts(n.group.LastContacts())
	if topo := n.client.LastTopology(); topo != nil {
		n.obs.FeatureLevel(topo.FeatureLevel)
		n.peers.note(topo)
	}
	if n.identity == nil {
		return
	}
	if at, err := n.identity.Expires(); err == nil {
		n.obs.CertificateLeft(time.Until(at))
	}
}

// watchClocks compares this node's clock and log with those of the others for as long as
// it runs, at once where it does not know whether its clock is right.
func (n *Node) watchClocks(ctx context.Context) {
	var last time.Time
	for {
		if time.Since(last) >= clockEvery || n.time.Check() != nil {
			last = time.Now()
			n.comparePeers(ctx)
		}
		if n.await(ctx, peerLook) != nil {
			return
		}
	}
}

// clockWait is how long a node that starts waits until its clock was compared; then it
// serves, and what it is to change waits.
const clockWait = 10 * time.Second

func (n *Node) awaitClock(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, clockWait)
	defer cancel()
	for n.time.Check() != nil && n.time.Suspect() == nil {
		if n.await(ctx, formPoll) != nil {
			return
		}
	}
}

// judgeClock decides by the voters' clocks whether this node's is right: a majority of
// them, itself included where it votes, must be near to it. Where too few answered,
// what was found before holds, and the monotonic clock tells of jumps.
func (n *Node) judgeClock(ctx context.Context, ahead map[cluster.NodeID]time.Duration) {
	members, _ := n.group.Members()
	var diffs []time.Duration // Of this node's clock, ahead of a voter's.
	voters, near := 0, 0
	for _, m := range members {
		if !m.Voter {
			continue
		}
		voters++
		d, measured := ahead[m.Node]
		if m.Node == n.home.id() {
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
	was := n.time.Suspect()
	slices.SortFunc(diffs, func(a, b time.Duration) int { return cmp.Compare(a.Abs(), b.Abs()) })
	if near >= majority {
		n.time.Compared(diffs[near/2])
	} else {
		n.time.Compared(diffs[majority-1]) // As far off as the nearest majority puts it.
	}
	now := n.time.Suspect()
	n.obs.ClockOff(now != nil)
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
func (n *Node) leaveLead(ctx context.Context) {
	if !n.group.IsLeader() {
		return
	}
	members, _ := n.group.Members()
	for _, m := range members {
		if !m.Voter || m.Node == n.home.id() || !n.alive(m.Node) {
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
func (n *Node) comparePeers(ctx context.Context) {
	var far []string
	var differ []string
	measured := map[cluster.NodeID]time.Duration{}
	defer func() { n.judgeClock(ctx, measured) }()
	for _, m := range n.gossip.Members() {
		if m.Node == n.home.id() || m.State != gossip.Alive || m.ClusterID != n.home.cluster() {
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
		n.obs.ClockSkew(m.Node, ahead)
		if ahead.Abs() > n.cfg.MaxClockSkew {
			far = append(far, fmt.Sprintf("the clock of node %s (%s) is %s that of node %s: set both by NTP", m.Node, m.S3Addr, aheadOf(ahead), n.home.Node))
			n.log.Warn("clocks differ", "node", m.Node.String(), "ahead", ahead, "allowed", n.cfg.MaxClockSkew)
		}
	}
	n.judgeState()
	n.skewed.Store(&far)
	n.obs.SettingsDiffer(len(differ))
}

// compareLogs notes how far another node has applied the metadata's log, and ends this
// one where the other knows that it was further once: its disks hold an older copy. Where
// the node that was further runs elsewhere, this process has a copy of its directories.
// That is told first: to start this one again, as the other sentence says, would not help.
func (n *Node) compareLogs(ctx context.Context, id cluster.NodeID, a about) {
	if a.Server != "" {
		n.group.Heard(a.Server, a.Applied)
	}
	last := n.group.Stats().LastLogIndex
	if a.AskerApplied <= last {
		return
	}
	if topo, err := n.client.Topology(ctx); err == nil {
		if err := n.checkClone(ctx, topo); err != nil {
			n.fail(err)
			return
		}
	}
	if err := n.group.Distrust(a.AskerApplied); err != nil {
		n.log.Error("what this node once held of the metadata cannot be noted", "cause", err)
	}
	n.fail(fmt.Errorf("node %s knows that this node had applied log entry %d of the metadata, but its log ends at entry %d: its disks hold an older copy; "+
		"start it again: it takes part without a vote until it has caught up", id, a.AskerApplied, last))
}

// forgotWarning says what this node's metadata have lost, for as long as that counts: an
// earlier incarnation of the node is a member, or there are too few voters.
func (n *Node) forgotWarning(ctx context.Context) string {
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
		if m.Node == uint64(n.home.id()) && m.Incarnation != n.group.Incarnation() {
			return what
		}
	}
	if voters < upkeep.VoterCount(len(topo.View.Nodes)) {
		return what
	}
	return ""
}

// warnings are what this node has to say of the cluster besides what the metadata tell.
func (n *Node) warnings() (out []string) {
	if p := n.skewed.Load(); p != nil {
		out = append(out, *p...)
	}
	if age := n.access.directory.Age(); age > staleWarning {
		out = append(out, fmt.Sprintf("node %v has not learned of changes of accounts and keys for %v: it refuses requests with access keys, but the root's",
			n.home.id(), age.Round(time.Second)))
	}
	out = append(out, n.doors.warnings(n.home.Node, time.Now())...)
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	if what := n.forgotWarning(ctx); what != "" {
		out = append(out, what)
	}
	if err := n.time.Suspect(); err != nil {
		out = append(out, err.Error())
	}
	if topo, err := n.client.Topology(ctx); err == nil && topo.OrphansHeld {
		out = append(out, "the metadata were restored from a backup or recovered: shards that they do not know are kept; when all is well, run `cairn meta release-orphans`")
	}
	return out
}
