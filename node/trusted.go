package node

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/group"
)

// removedGrace is how long a node whose removal this one has just seen may still connect:
// it learns so that it is none any more, and ends with the reason.
const removedGrace = 30 * time.Second

// peers is what decides who is a node of this cluster, beyond a certificate: what this
// node knows without asking anybody. Safe for concurrent use; it fills as the node starts.
type peers struct {
	gossip atomic.Pointer[Gossip]
	client atomic.Pointer[group.Client]
	own    atomic.Pointer[meta.Topology] // As this node's disk had it at the start.

	mu   sync.Mutex
	seen map[cluster.NodeID]time.Time // When this process saw that a node is removed, while it ran.
}

// topology returns the newest that this node knows, nil before there is one.
func (p *peers) topology() *meta.Topology {
	if c := p.client.Load(); c != nil {
		if t := c.LastTopology(); t != nil {
			return t
		}
	}
	return p.own.Load()
}

// checkPeer is identity.Members. A node is one of the cluster if it is registered. One that
// joins is not yet: it shows that it may by its gossip, which it could not send without the
// cluster key. A certificate alone, of whatever node, opens nothing.
func (n *Node) checkPeer(id cluster.NodeID) error {
	t := n.peers.topology()
	if t != nil {
		if t.View.Node(id) != nil {
			return nil
		}
		if _, removed := t.Removed[id]; removed && !n.peers.leaves(id) {
			return fmt.Errorf("node %s was removed from the cluster", id)
		}
	}
	if g := n.peers.gossip.Load(); g != nil {
		if m, known := (*g).Member(id); known && m.State != gossip.Down || id == n.home.id() {
			return nil
		}
	}
	return fmt.Errorf("node %s is neither registered with this cluster nor known by gossip, so it may not have the cluster key: "+
		"a certificate for it is not enough", id)
}

// leaves reports whether a node that is removed was so only moments ago.
func (p *peers) leaves(id cluster.NodeID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := p.seen[id]
	return !ok && p.seen != nil || ok && time.Since(at) < removedGrace
}

// note remembers which nodes are removed. Those that were before this process began, or
// knew, have had their time.
func (p *peers) note(t *meta.Topology) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := time.Now()
	if p.seen == nil {
		p.seen, at = map[cluster.NodeID]time.Time{}, time.Time{}
	}
	for id := range t.Removed {
		if _, ok := p.seen[id]; !ok {
			p.seen[id] = at
		}
	}
}
