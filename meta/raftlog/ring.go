package raftlog

import "github.com/hashicorp/raft"

// ring holds the tail of the log, so that followers which are a little behind, and
// the state machine of a follower, read from memory. Entries are shared, never
// changed. The caller locks.
type ring struct {
	slots    []raft.Log // Entry i lies in slot i % len(slots).
	lo, hi   uint64     // Holds the entries lo..hi-1; none where lo == hi.
	bytes    int
	maxBytes int
}

func newRing(entries, maxBytes int) *ring {
	return &ring{slots: make([]raft.Log, entries), maxBytes: maxBytes}
}

func (r *ring) slot(index uint64) *raft.Log { return &r.slots[index%uint64(len(r.slots))] }

func (r *ring) get(index uint64, l *raft.Log) bool {
	if index < r.lo || index >= r.hi {
		return false
	}
	*l = *r.slot(index)
	return true
}

// push adds an entry; one that does not follow the last starts the ring anew.
func (r *ring) push(l *raft.Log) {
	if l.Index != r.hi {
		r.reset()
		r.lo, r.hi = l.Index, l.Index
	}
	for r.hi > r.lo && (r.hi-r.lo == uint64(len(r.slots)) || r.bytes+len(l.Data) > r.maxBytes) {
		r.dropFirst()
	}
	if len(l.Data) > r.maxBytes {
		r.lo, r.hi = l.Index+1, l.Index+1
		return
	}
	*r.slot(l.Index) = *l
	r.hi++
	r.bytes += len(l.Data)
}

func (r *ring) dropFirst() {
	s := r.slot(r.lo)
	r.bytes -= len(s.Data)
	*s = raft.Log{}
	r.lo++
}

func (r *ring) dropLast() {
	r.hi--
	s := r.slot(r.hi)
	r.bytes -= len(s.Data)
	*s = raft.Log{}
}

// remove drops the entries lo..hi, which are a beginning or an end of the log.
func (r *ring) remove(lo, hi uint64) {
	if hi < r.lo || lo >= r.hi {
		return
	}
	if lo <= r.lo {
		for r.lo < r.hi && r.lo <= hi {
			r.dropFirst()
		}
		return
	}
	for r.hi > r.lo && r.hi > lo {
		r.dropLast()
	}
}

func (r *ring) reset() {
	for r.lo < r.hi {
		r.dropFirst()
	}
}
