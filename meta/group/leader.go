package group

import (
	"context"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// barrierRetry is the pause after a barrier that failed although this node leads.
const barrierRetry = 50 * time.Millisecond

// watchLeadership makes a new leader ready to serve reads: a barrier brings its
// state up to everything that earlier leaders acknowledged.
func (g *Group) watchLeadership() {
	for {
		select {
		case <-g.closing:
			g.setReady(0)
			return
		case leads := <-g.raft.LeaderCh():
			g.setReady(0)
			if leads {
				g.becomeReady()
			}
		}
	}
}

func (g *Group) becomeReady() {
	for g.raft.State() == raft.Leader {
		term := g.raft.CurrentTerm()
		err := g.raft.Barrier(0).Error()
		if err == nil && g.raft.CurrentTerm() == term {
			g.setReady(term)
			return
		}
		select {
		case <-g.closing:
			return
		case <-time.After(barrierRetry):
		}
	}
}

// setReady publishes the term in which this node may serve reads; 0: none.
func (g *Group) setReady(term uint64) {
	before := g.ready.Swap(term)
	if (before != 0) == (term != 0) {
		return
	}
	select { // Only the latest is kept.
	case <-g.leaderCh:
	default:
	}
	g.leaderCh <- term != 0
}

// watchLeader reports changes of leader.
func (g *Group) watchLeader(ch <-chan raft.Observation) {
	for {
		select {
		case <-g.closing:
			return
		case o := <-ch:
			if l, ok := o.Data.(raft.LeaderObservation); ok && g.cfg.Events.LeaderChanged != nil {
				g.cfg.Events.LeaderChanged(parseServerID(l.LeaderID))
			}
		}
	}
}

// read answers a query linearizably, or with errNotLeader.
func (g *Group) read(ctx context.Context, q *metapb.Query) (*metapb.Answer, error) {
	if !g.enter() {
		return nil, errNotLeader
	}
	defer g.leave()
	term := g.ready.Load()
	if term == 0 || g.disowned.Load() || g.raft.State() != raft.Leader {
		return nil, errNotLeader
	}
	a, err := g.fsm.state.query(q)
	if err != nil {
		return nil, err
	}
	confirmed, err := g.confirm(ctx)
	if err != nil {
		return nil, err
	}
	if confirmed != term {
		return nil, errNotLeader
	}
	return a, nil
}

// round is one confirmation of leadership, shared by all reads that came before it
// began.
type round struct {
	done chan struct{}
	term uint64
	err  error
}

// confirm returns the term in which this node was the leader at some time after the
// call.
func (g *Group) confirm(ctx context.Context) (uint64, error) {
	g.confirmMu.Lock()
	r := g.nextRound
	if r == nil {
		r = &round{done: make(chan struct{})}
		g.nextRound = r
	}
	if !g.confirming {
		g.confirming = true
		g.wg.Go(g.confirmRounds)
	}
	g.confirmMu.Unlock()
	select {
	case <-r.done:
		return r.term, r.err
	case <-ctx.Done():
		return 0, errs.New("group.Read", errs.Unavailable, context.Cause(ctx))
	}
}

// confirmRounds runs rounds for as long as somebody waits.
func (g *Group) confirmRounds() {
	for {
		g.confirmMu.Lock()
		r := g.nextRound
		g.nextRound = nil
		if r == nil {
			g.confirming = false
			g.confirmMu.Unlock()
			return
		}
		g.confirmMu.Unlock()
		r.term, r.err = g.confirmOnce()
		close(r.done)
	}
}

func (g *Group) confirmOnce() (uint64, error) {
	term := g.ready.Load()
	if term == 0 {
		return 0, errNotLeader
	}
	since := g.transport.Tick()
	if err := g.raft.VerifyLeader().Error(); err != nil {
		return 0, errNotLeader
	}
	peers, need := g.otherVoters()
	if need > 0 {
		done := make(chan struct{})
		timer := time.AfterFunc(g.cfg.Timing.RPC, func() { close(done) })
		ok := g.transport.Answered(done, peers, need, term, since)
		timer.Stop()
		if !ok {
			return 0, errNotLeader
		}
	}
	if g.raft.CurrentTerm() != term {
		return 0, errNotLeader
	}
	return term, nil
}

// otherVoters returns the other voters and how many of them make a quorum together
// with this node.
func (g *Group) otherVoters() (peers []raft.ServerID, need int) {
	self := 0
	for _, s := range g.servers() {
		switch {
		case s.Suffrage != raft.Voter:
		case s.ID == g.id:
			self = 1
		default:
			peers = append(peers, s.ID)
		}
	}
	return peers, (len(peers)+self)/2 + 1 - self
}
