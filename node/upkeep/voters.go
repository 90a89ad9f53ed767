package upkeep

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
)

// Voter is a member of the Raft group. One without a vote is a standby.
type Voter struct {
	Node     cluster.NodeID
	RaftAddr string
	Votes    bool
	Stale    bool // It is an earlier incarnation of the node, which has lost what it had promised.
}

// Voters is the membership of the Raft group, as its leader changes it.
type Voters interface {
	Members() []Voter
	// AddStandby adds a node that gets the log but has no vote. A voter keeps its vote.
	AddStandby(ctx context.Context, node cluster.NodeID, raftAddr string) error
	// AddVoter adds a node, waits until it has caught up, and gives it a vote.
	AddVoter(ctx context.Context, node cluster.NodeID, raftAddr string) error
	Demote(ctx context.Context, node cluster.NodeID) error
	Remove(ctx context.Context, node cluster.NodeID) error
	// Expel removes a node's members that are stale.
	Expel(ctx context.Context, node cluster.NodeID) error
	// HandOver makes another voter the leader.
	HandOver(ctx context.Context, to cluster.NodeID) error
}

const (
	// voterSteps is how many changes one round makes at most.
	voterSteps = 16
	// catchUpTimeout is how long a node may take to catch up before another is tried.
	catchUpTimeout = time.Minute
	// settleTime is how long a node must have been alive to vote in the place of another, or half
	// of Config.VoterReplaceAfter where that is shorter.
	settleTime = 10 * time.Second
)

// electorate gives and takes votes on the metadata until the voters are those that planVoters
// wants. It counts how long nodes have been up or down by its own monotonic clock, from when this
// node began to lead.
type electorate struct {
	c     Config
	spell map[cluster.NodeID]spell
	tried map[cluster.NodeID]time.Time // The nodes that did not catch up, and when that was found.
}

// spell says since when a node has been up, or down.
type spell struct {
	alive bool
	since time.Time
}

func newElectorate(c Config) *electorate {
	return &electorate{c: c, spell: map[cluster.NodeID]spell{}, tried: map[cluster.NodeID]time.Time{}}
}

// run takes the steps of the plan until there are none. A node that does not catch up is left out for
// a while, so that the next round tries another. Where this node does not lead, it forgets what it
// has counted, since every leader counts for itself.
func (e *electorate) run(ctx context.Context) error {
	if !e.c.Leads() {
		clear(e.spell)
		clear(e.tried)
		return nil
	}
	for range voterSteps {
		seats, err := e.seats(ctx, time.Now())
		if err != nil {
			return err
		}
		step := planVoters(seats)
		if step.do == noAction {
			return nil
		}
		if err := e.take(ctx, step, seats); err != nil {
			return err
		}
		if step.do == handOver {
			return nil // Another node leads, and goes on.
		}
	}
	return nil
}

// seats returns a seat for every node that is registered or in the Raft group.
func (e *electorate) seats(ctx context.Context, now time.Time) ([]seat, error) {
	topo, err := e.c.Metadata.Topology(ctx)
	if err != nil {
		return nil, err
	}
	index := map[cluster.NodeID]int{}
	seats := make([]seat, 0, len(topo.View.Nodes))
	for i := range topo.View.Nodes {
		n := &topo.View.Nodes[i]
		index[n.ID] = len(seats)
		seats = append(seats, seat{node: n.ID, zone: n.Zone, addr: n.RaftAddr, registered: true,
			leaving: n.State == cluster.Draining, gone: n.State == cluster.Lost})
	}
	for _, m := range e.c.Voters.Members() {
		i, ok := index[m.Node]
		if !ok {
			i = len(seats)
			seats = append(seats, seat{node: m.Node})
		}
		if m.Stale {
			seats[i].stale, seats[i].staleVote = true, seats[i].staleVote || m.Votes
			continue
		}
		seats[i].member, seats[i].voter, seats[i].memberAddr = true, m.Votes, m.RaftAddr
	}
	for i := range seats {
		e.judge(&seats[i], now)
	}
	return seats, nil
}

// judge fills in whether a node is alive, and whether it has been for long enough.
func (e *electorate) judge(s *seat, now time.Time) {
	s.alive, s.leads = e.c.MayVote(s.node), s.node == e.c.Node
	p, known := e.spell[s.node]
	if !known || p.alive != s.alive {
		p = spell{s.alive, now}
		e.spell[s.node] = p
	}
	replace := e.c.VoterReplaceAfter
	long := now.Sub(p.since)
	s.gone = s.gone || !s.alive && long >= replace
	s.settled = s.alive && long >= min(settleTime, replace/2)
	if at, failed := e.tried[s.node]; failed && now.Sub(at) < catchUpTimeout {
		s.settled = false
		if !s.voter {
			s.alive = false // A node that does not catch up is as good as down here.
		}
	}
}

func (e *electorate) take(ctx context.Context, step voterStep, seats []seat) error {
	var s seat
	for _, o := range seats {
		if o.node == step.node {
			s = o
		}
	}
	v, events := e.c.Voters, &e.c.Events
	switch step.do {
	case readdress:
		if s.voter {
			return v.AddVoter(ctx, s.node, s.addr)
		}
		return v.AddStandby(ctx, s.node, s.addr)
	case addStandby:
		return v.AddStandby(ctx, s.node, s.addr)
	case promote:
		return e.promote(ctx, s)
	case demote:
		if err := v.Demote(ctx, s.node); err != nil {
			return err
		}
		events.VoterRemoved(s.node)
		return nil
	case remove:
		return v.Remove(ctx, s.node)
	case expel:
		if err := v.Expel(ctx, s.node); err != nil {
			return err
		}
		if s.staleVote {
			events.VoterRemoved(s.node)
		}
		return nil
	case handOver:
		return v.HandOver(ctx, s.node)
	}
	return errs.Newf("upkeep.voters", errs.Internal, "no such step: %d", step.do)
}

func (e *electorate) promote(ctx context.Context, s seat) error {
	limited, cancel := context.WithTimeout(ctx, catchUpTimeout)
	defer cancel()
	if err := e.c.Voters.AddVoter(limited, s.node, s.addr); err != nil {
		if ctx.Err() == nil && limited.Err() != nil {
			e.tried[s.node] = time.Now()
		}
		return err
	}
	delete(e.tried, s.node)
	e.c.Events.VoterAdded(s.node)
	return nil
}
