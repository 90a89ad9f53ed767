package member

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/node/upkeep"
)

// votersWait is how long a node that forms a cluster waits for its voters. After that some of them
// must have died, and upkeep goes on without them.
const votersWait = 30 * time.Second

// Formed returns a channel that is closed when the cluster has its voters. If this node belonged to
// the cluster before, or expects no other node, Join closes it.
func (n *Self) Formed() <-chan struct{} { return n.formed }

// AwaitVoters waits until the metadata of a new cluster have all their voters, because what is
// acknowledged before would be on fewer nodes than it should be. It waits at most votersWait. It
// must be called once, after Join.
func (n *Self) AwaitVoters(ctx context.Context) {
	if !n.forms {
		return
	}
	defer close(n.formed)
	ctx, cancel := context.WithTimeout(ctx, votersWait)
	defer cancel()
	want, have := upkeep.VoterCount(n.cfg.Expect), 0
	for have < want {
		if r, err := n.client.Members(ctx); err == nil {
			have = 0
			for _, m := range r.Members {
				if m.Voter && !n.stale(cluster.NodeID(m.Node), m.Incarnation) {
					have++
				}
			}
		}
		if have >= want {
			return
		}
		if n.peers.Await(ctx, formPoll) != nil {
			n.log.Warn("the metadata have fewer voters than they should", "voters", have, "wanted", want)
			return
		}
	}
}
