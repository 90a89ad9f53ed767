package node

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/s3api/iam"
)

const (
	// peerLook is how often a node looks at what gossip says of the others.
	peerLook = time.Second
	// clockEvery is how often it compares clocks and settings with them.
	clockEvery = 30 * time.Second
	// staleWarning is how old what it knows of accounts and keys may be before it warns.
	staleWarning = 5 * iam.MaxAge
)

// watchPeers compares this node with the others for as long as it runs: their eras,
// their clocks and settings, when they were last heard of, and whether this node is
// still one of them.
func (n *Node) watchPeers(ctx context.Context) {
	t := time.NewTicker(peerLook)
	defer t.Stop()
	var clocks time.Time
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
		if time.Since(clocks) >= clockEvery {
			clocks = time.Now()
			n.comparePeers(ctx)
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
	}
	if n.identity == nil {
		return
	}
	if at, err := n.identity.Expires(); err == nil {
		n.obs.CertificateLeft(time.Until(at))
	}
}

// comparePeers measures how far the clocks of the living are from this node's, and
// counts the settings of which they have other values.
func (n *Node) comparePeers(ctx context.Context) {
	var far []string
	var differ []string
	for _, m := range n.gossip.Members() {
		if m.Node == n.home.id() || m.State != gossip.Alive || m.ClusterID != n.home.cluster() {
			continue
		}
		a, ahead, err := n.askAbout(ctx, m.RPCAddr)
		if err != nil {
			continue
		}
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
	n.skewed.Store(&far)
	n.obs.SettingsDiffer(len(differ))
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
	if topo, err := n.client.Topology(ctx); err == nil && topo.OrphansHeld {
		out = append(out, "the metadata were restored from a backup or recovered: shards that they do not know are kept; when all is well, run `cairn meta release-orphans`")
	}
	return out
}
