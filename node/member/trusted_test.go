package member

import (
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/home"
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

// TestCheck: who may connect with the certificate of a node, while a node learns more and more
// about its cluster.
func TestCheck(t *testing.T) {
	const member, joining, removed, stranger, gone = 1, 2, 3, 4, 5
	h, err := home.Open(vfs.NewMem(), "")
	require.NoError(t, err)
	p := NewPeers(h)
	says := func(id cluster.NodeID, what string) {
		t.Helper()
		if err := p.Check(id); what == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, what)
		}
	}
	says(member, "neither registered") // Before anything is known.
	p.UseGossip(heard{of: []cluster.NodeID{joining, removed}, down: gone})
	says(h.ID(), "")
	says(member, "neither registered")
	says(joining, "")
	says(gone, "neither registered")
	says(removed, "") // It has the key, and nothing else is known yet.

	topology := func(removed ...uint64) *meta.Topology {
		return meta.NewTopology(&metapb.ViewAnswer{Epoch: 1, ClusterId: "c", Removed: removed,
			Nodes: []*metapb.Node{{Id: member}}})
	}
	p.UseOwn(topology(removed))
	says(member, "") // Even if gossip does not know it: it may be down, or cut off.
	says(joining, "")
	says(removed, "was removed from the cluster")
	says(stranger, "neither registered")

	p.note(topology()) // It was a member before its removal is seen:
	says(removed, "")
	p.note(topology(removed)) // it has a while to learn of it,
	says(removed, "")
	p.seen[removed] = p.seen[removed].Add(-removedGrace)
	says(removed, "was removed from the cluster") // and no longer.

	p.seen = nil // A process that starts knows of earlier removals.
	p.note(topology(removed))
	says(removed, "was removed from the cluster")
}
