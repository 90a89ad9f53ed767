package member

import (
	"fmt"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/meta"
)

// removedGrace is how long a node may still connect after this one has seen that it was removed. So
// it learns that it was removed, and ends with the reason.
const removedGrace = 30 * time.Second

// Check returns nil if the node with this id may connect to this one. It is called with the id in a
// certificate that TLS has verified. A registered node may connect. A node that joins is not
// registered yet; its gossip shows that it may, because it could not send gossip without the
// cluster key. So a certificate alone opens nothing, whichever node it names. A node that was
// removed may connect only for removedGrace.
func (p *Peers) Check(id cluster.NodeID) error {
	t := p.topology()
	if t != nil {
		if t.View.Node(id) != nil {
			return nil
		}
		if _, removed := t.Removed[id]; removed && !p.leaves(id) {
			return fmt.Errorf("node %s was removed from the cluster", id)
		}
	}
	if g := p.gossip.Load(); g != nil {
		if m, known := (*g).Member(id); known && m.State != gossip.Down || id == p.home.ID() {
			return nil
		}
	}
	return fmt.Errorf("node %s is neither registered with this cluster nor known by gossip, "+
		"so it may not have the cluster key: a certificate for it is not enough", id)
}

// leaves reports whether a node that was removed was so only moments ago.
func (p *Peers) leaves(id cluster.NodeID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := p.seen[id]
	return !ok && p.seen != nil || ok && time.Since(at) < removedGrace
}

// note notes when it was seen that nodes were removed. Those that are removed in the first topology
// were so before this process began or before it knew: their time is over.
func (p *Peers) note(t *meta.Topology) {
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
