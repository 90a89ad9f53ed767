package rafttransport

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// acks remembers, for each peer, at which moment the newest request that it has answered
// was sent (G3). Raft's own VerifyLeader is not enough: it also counts answers to requests
// that were sent before the call. Such an answer may have been on its way for long, or be
// read after this process slept, and then it proves nothing about now.
//
// Moments are a count that tick raises, so no clock is trusted. Safe for concurrent use.
type acks struct {
	mu      sync.Mutex
	clock   uint64 // The present moment.
	peers   map[raft.ServerID]ack
	waiters map[*waiter]struct{}
}

// waiter waits until as many of the peers as are needed have answered.
type waiter struct {
	peers       []raft.ServerID
	need        int
	term, since uint64
	enough      chan struct{} // Closed once they have.
}

// ack is the newest request that a peer has answered.
type ack struct {
	term, sent uint64    // The leader's term, and the moment at which the request was sent.
	at         time.Time // When the answer came.
}

func newAcks() *acks {
	return &acks{peers: make(map[raft.ServerID]ack), waiters: make(map[*waiter]struct{})}
}

// now returns the present moment.
func (a *acks) now() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.clock
}

// tick begins the next moment and returns it.
func (a *acks) tick() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clock++
	return a.clock
}

// add notes that a peer has answered a request of a term that was sent at a moment. An
// answer that comes out of order changes nothing.
func (a *acks) add(id raft.ServerID, term, sent uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.peers[id]
	if term < old.term || term == old.term && sent <= old.sent {
		return
	}
	a.peers[id] = ack{term, sent, time.Now()}
	for w := range a.waiters {
		if a.enoughLocked(w) {
			delete(a.waiters, w)
			close(w.enough)
		}
	}
}

// lastAt returns when the last answer of a peer came; the zero time where none ever did.
func (a *acks) lastAt(id raft.ServerID) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.peers[id].at
}

// enoughLocked reports whether a waiter has what it waits for.
func (a *acks) enoughLocked(w *waiter) bool {
	have := 0
	for _, id := range w.peers {
		if p := a.peers[id]; p.term == w.term && p.sent >= w.since {
			have++
		}
	}
	return have >= w.need
}

// wait is Transport.Answered. Nobody is woken by an answer that is not enough: reads that wait for
// heartbeats would else wake many times each.
func (a *acks) wait(done <-chan struct{}, peers []raft.ServerID, need int, term, since uint64) bool {
	w := &waiter{peers: peers, need: need, term: term, since: since, enough: make(chan struct{})}
	a.mu.Lock()
	if a.enoughLocked(w) {
		a.mu.Unlock()
		return true
	}
	a.waiters[w] = struct{}{}
	a.mu.Unlock()
	select {
	case <-w.enough:
		return true
	case <-done:
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.waiters, w)
		return false
	}
}
