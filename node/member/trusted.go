package member

import (
	"fmt"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/meta"
)

// removedGrace is how long a node whose removal this one has just seen may still connect. So
// it learns that it is removed, and ends with the reason.
const removedGrace = 30 * time.Second

// Check returns nil where the node with an id may connect to this one: it is called with the
// id in a certificate, when TLS has verified that. A registered node may. One that joins is
// not registered yet; that it may is shown by its gossip, which it could not send without
// the cluster key. So a certificate alone opens nothing, whichever node it is for. A node
// that was removed may not, but for removedGrace.
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

// leaves reports whether a node that is removed was removed only moments ago.
func (p *Peers) leaves(id cluster.NodeID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := p.seen[id]
	return !ok && p.seen != nil || ok && time.Since(at) < removedGrace
}

// note remembers since when nodes are removed. Those of the first topology were removed
// before this process began, or before it knew: they have had their time.
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
