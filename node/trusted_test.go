package node

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
)

// heard is a gossip that knows some nodes.
type heard struct {
	Gossip
	of   []cluster.NodeID
	down cluster.NodeID
}

func (h heard) Member(id cluster.NodeID) (m gossip.Member, known bool) {
	m.State = gossip.Alive
	if id == h.down {
		m.State, known = gossip.Down, true
	}
	return m, known || slices.Contains(h.of, id)
}

// TestCheckPeer: who may connect with a certificate of a node, as a node comes to know more
// of its cluster.
func TestCheckPeer(t *testing.T) {
	const member, joining, removed, stranger, gone = 1, 2, 3, 4, 5
	n := &Node{home: &home{Node: cluster.NodeID(9).String()}}
	says := func(id cluster.NodeID, what string) {
		t.Helper()
		if err := n.checkPeer(id); what == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, what)
		}
	}
	says(member, "neither registered") // Before anything is known.
	n.gossip = heard{of: []cluster.NodeID{joining, removed}, down: gone}
	n.peers.gossip.Store(&n.gossip)
	says(9, "")
	says(member, "neither registered")
	says(joining, "")
	says(gone, "neither registered")
	says(removed, "") // It has the key, and nothing else is known yet.

	topology := func(removed ...uint64) *meta.Topology {
		return meta.NewTopology(&metapb.ViewAnswer{Epoch: 1, ClusterId: "c", Removed: removed, Nodes: []*metapb.Node{{Id: member}}})
	}
	n.peers.own.Store(topology(removed))
	says(member, "") // Though gossip does not know it: it may be down, or cut off.
	says(joining, "")
	says(removed, "was removed from the cluster")
	says(stranger, "neither registered")

	n.peers.note(topology()) // Before the removal is seen it was a member:
	says(removed, "")
	n.peers.note(topology(removed)) // it has a while to learn of it,
	says(removed, "")
	n.peers.seen[removed] = n.peers.seen[removed].Add(-removedGrace)
	says(removed, "was removed from the cluster") // and no longer.

	n.peers.seen = nil // A process that begins knows of removals from before.
	n.peers.note(topology(removed))
	says(removed, "was removed from the cluster")
}
