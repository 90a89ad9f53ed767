package rafttransport

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// acks remembers, for each peer, the latest request of the leader that it has
// answered, by when it was sent. Raft's own VerifyLeader also counts answers to
// requests sent before the call: one that was long on its way, or arrives after this
// process slept, proves nothing about now. Time here is a count.
type acks struct {
	mu      sync.Mutex
	clock   uint64
	peers   map[raft.ServerID]ack
	changed chan struct{} // Closed at the next answer; nil: nobody waits.
}

type ack struct {
	term, sent uint64
	at         time.Time // When it came.
}

func newAcks() *acks { return &acks{peers: make(map[raft.ServerID]ack)} }

func (a *acks) now() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.clock
}

// tick returns a moment that all requests sent from now on have reached.
func (a *acks) tick() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clock++
	return a.clock
}

func (a *acks) add(id raft.ServerID, term, sent uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.peers[id]
	if term < old.term || term == old.term && sent <= old.sent {
		return
	}
	a.peers[id] = ack{term, sent, time.Now()}
	if a.changed != nil {
		close(a.changed)
		a.changed = nil
	}
}

// lastAt returns when a peer last answered; zero: never.
func (a *acks) lastAt(id raft.ServerID) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.peers[id].at
}

// wait returns true once need of the peers have answered a request of the term that
// was sent at since or later; false when done is closed first.
func (a *acks) wait(done <-chan struct{}, peers []raft.ServerID, need int, term, since uint64) bool {
	for {
		a.mu.Lock()
		have := 0
		for _, id := range peers {
			if p := a.peers[id]; p.term == term && p.sent >= since {
				have++
			}
		}
		if have < need && a.changed == nil {
			a.changed = make(chan struct{})
		}
		changed := a.changed
		a.mu.Unlock()
		if have >= need {
			return true
		}
		select {
		case <-changed:
		case <-done:
			return false
		}
	}
}
