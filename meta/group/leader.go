package group

import (
	"context"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// barrierRetry is how long becomeReady pauses after a barrier that failed.
const barrierRetry = 50 * time.Millisecond

// watchLeadership follows whether this node leads, and makes it ready to serve reads whenever
// it begins to.
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

// becomeReady proposes a barrier, and allows reads in its term once the barrier was applied
// (G3). Until then the state may lack what earlier leaders have acknowledged.
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

// setReady publishes the term in which this node may serve reads; 0: in none.
func (g *Group) setReady(term uint64) {
	before := g.ready.Swap(term)
	if (before != 0) == (term != 0) {
		return
	}
	select { // A value that nobody has received gives way to the newer one.
	case <-g.leaderCh:
	default:
	}
	g.leaderCh <- term != 0
}

// watchLeader tells when another node leads.
func (g *Group) watchLeader(ch <-chan raft.Observation) {
	for {
		select {
		case <-g.closing:
			return
		case o := <-ch:
			if l, ok := o.Data.(raft.LeaderObservation); ok {
				g.cfg.Events.LeaderChanged(parseServerID(l.LeaderID))
			}
		}
	}
}

// read answers a query linearizably: the answer holds everything that was acknowledged before
// the call. Errors: errNotLeader, those of the query, and Unavailable where ctx ends.
func (g *Group) read(ctx context.Context, q *metapb.Query) (*metapb.Answer, error) {
	if !g.enter() {
		return nil, errNotLeader
	}
	defer g.leave()
	term := g.ready.Load()
	if term == 0 || g.disowned.Load() || g.raft.State() != raft.Leader {
		return nil, errNotLeader
	}
	// The answer is taken first and confirmed afterwards (G3): that this node led some time
	// after the answer was taken proves that no other node had acknowledged anything newer.
	a, err := g.fsm.state.query(q)
	if err != nil {
		return nil, err
	}
	confirm := g.confirm
	if q.Patient {
		confirm = g.confirmPatiently
	}
	confirmed, err := confirm(ctx)
	if err != nil {
		return nil, err
	}
	if confirmed != term {
		return nil, errNotLeader
	}
	return a, nil
}

// round is one confirmation of leadership. All reads that came before it began share it.
type round struct {
	done chan struct{} // Closed when term and err are set.
	term uint64        // The term in which leadership was confirmed.
	err  error
}

// confirm returns a term in which this node was the leader at some time after the call began.
// Errors: errNotLeader, and Unavailable where ctx ends.
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

// confirmRounds runs one round after the other, as long as somebody waits for one.
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

// confirmOnce returns the term in which this node leads once a quorum has answered requests
// that were sent after it began. VerifyLeader makes Raft send them at once, but counts older
// answers too (see rafttransport.Transport.Answered).
func (g *Group) confirmOnce() (uint64, error) {
	term := g.ready.Load()
	if term == 0 {
		return 0, errNotLeader
	}
	since := g.transport.Tick()
	if err := g.raft.VerifyLeader().Error(); err != nil {
		return 0, errNotLeader
	}
	ctx, cancel := context.WithTimeout(context.Background(), g.cfg.Timing.RPC)
	defer cancel()
	return g.answered(ctx, term, since)
}

// confirmPatiently is confirm for reads that can wait: it sends nothing, and takes the answers to
// the requests that Raft sends anyway, of which there are some in every Timing.Heartbeat.
func (g *Group) confirmPatiently(ctx context.Context) (uint64, error) {
	term := g.ready.Load()
	if term == 0 {
		return 0, errNotLeader
	}
	since := g.transport.Tick()
	within, cancel := context.WithTimeout(ctx, g.cfg.Timing.RPC)
	defer cancel()
	term, err := g.answered(within, term, since)
	if err != nil && ctx.Err() != nil {
		return 0, errs.New("group.Read", errs.Unavailable, context.Cause(ctx))
	}
	return term, err
}

// answered waits until a quorum has answered requests of the term that were sent since a moment,
// and returns the term. Errors: errNotLeader, also where ctx ends before.
func (g *Group) answered(ctx context.Context, term, since uint64) (uint64, error) {
	peers, need := g.otherVoters()
	if need > 0 && !g.transport.Answered(ctx.Done(), peers, need, term, since) {
		return 0, errNotLeader
	}
	if g.raft.CurrentTerm() != term {
		return 0, errNotLeader
	}
	return term, nil
}

// otherVoters returns the other voters, and how many of them make a quorum. This node counts
// as one of the quorum if it has a vote.
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
