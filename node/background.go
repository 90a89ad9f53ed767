package node

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/upkeep"
	"github.com/cairnstore/cairn/shard"
)

// Upkeep's pace, where no setting changes it.
const (
	orphanRounds    = 30 // How many upkeep intervals lie between two sweeps for orphans.
	rememberUploads = 24 * time.Hour
)

// startUpkeep begins the background work.
func (n *Node) startUpkeep(ctx context.Context) {
	drives := make([]upkeep.Drive, len(n.drives))
	for i, d := range n.drives {
		drives[i] = d
	}
	u := upkeep.Start(ctx, upkeep.Config{
		Paused: n.jobPaused, Node: n.home.ID(), Metadata: n.client, Leads: n.group.IsLeader, Alive: n.peers.Alive, Stores: n.stores.store, Engine: n.engine,
		Drives: drives, Voters: n.voters(), Extents: n.objects, Restores: n.objects, Keys: n.access.kms, Transitions: n.objects, Targets: n.eventTargets.Target, AccessLogs: n.accessLogs,
		Interval: n.cfg.UpkeepEvery, OrphanEvery: orphanRounds * n.cfg.UpkeepEvery, Terms: n.upkeepTerms,
		VoterReplaceAfter: n.cfg.VoterReplaceAfter, MayVote: n.peers.MayVote,
		Remember: rememberUploads, LifecycleDay: n.cfg.LifecycleDay, Events: n.obs.Upkeep(),
		Busy: n.objects.Busy, Full: n.health.full, Slow: n.health.slow,
	})
	n.upkeep.Store(u)
	n.wg.Go(func() {
		<-ctx.Done()
		u.Stop()
	})
}

// jobPaused reports whether an operator has paused a job, on every node.
func (n *Node) jobPaused(job string) bool {
	return n.access.directory.Get(metapb.EntryKind_ENTRY_PAUSED_JOB, job) != nil
}

// found is called with every bad or missing shard that a read meets.
func (n *Node) found(id shard.ID, cause error) {
	if u := n.upkeep.Load(); u != nil {
		u.Found(id, cause)
	}
}
