package node

import (
	"context"
	"fmt"
	"time"

	"github.com/cairnstore/cairn/s3api/iam"
)

const (
	// standingLook is how often a node renews the metrics of its standing.
	standingLook = time.Second
	// staleWarning is how old what it knows of accounts and keys may be before it warns.
	staleWarning = 5 * iam.MaxAge
)

// watchStanding tells metrics and log how this node stands in its cluster, for as long as
// it runs.
func (n *Node) watchStanding(ctx context.Context) {
	t := time.NewTicker(standingLook)
	defer t.Stop()
	stale := false
	for {
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
	}
	if n.identity == nil {
		return
	}
	if at, err := n.identity.Expires(); err == nil {
		n.obs.CertificateLeft(time.Until(at))
	}
}

// warnings are what this node has to say of the cluster besides what the metadata tell.
func (n *Node) warnings() (out []string) {
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	out = n.self.Warnings(ctx)
	if age := n.access.directory.Age(); age > staleWarning {
		out = append(out, fmt.Sprintf("node %v has not learned of changes of accounts and keys for %v: "+
			"it refuses requests with access keys, but the root's", n.home.ID(), age.Round(time.Second)))
	}
	out = append(out, n.doors.warnings(n.home.ID().String(), time.Now())...)
	if topo, err := n.client.Topology(ctx); err == nil && topo.OrphansHeld {
		out = append(out, "the metadata were restored from a backup or recovered: shards that they do not know are kept; "+
			"when all is well, run `cairn meta release-orphans`")
	}
	return out
}
