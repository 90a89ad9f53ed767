package object

import (
	"context"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta/metapb"
)

// Workers are the other nodes as far as they help with copies.
type Workers interface {
	// Nodes returns the other nodes that are thought alive.
	Nodes() []cluster.NodeID
	// Do has a node do a task and returns the record of the extent, durable on a
	// quorum of its slots. Errors: Overloaded (the node has enough to do), Unavailable,
	// Canceled, or what the task met there. What a failed task wrote is deleted
	// by the node if it can, else by the caller. Do keeps nothing of t.
	Do(ctx context.Context, node cluster.NodeID, t *Task) (*metapb.Extent, error)
}

// workerRest is how long a node that refused or failed a task is not asked again.
const workerRest = time.Second

// taskLoad is how many copy tasks this node runs for all copies, its own and other
// nodes', and how many it has others run.
type taskLoad struct {
	mu    sync.Mutex
	here  int
	there map[cluster.NodeID]int
	rest  map[cluster.NodeID]time.Time // Until when a node is not asked.
}

// lane is a place for one task at a time.
type lane struct {
	node cluster.NodeID // 0: this one.
	own  bool           // It is paid for by the copy's own admission.
	err  error          // That of the other node.
}

// lanes are the places of one copy's tasks. One is its own and always there, so
// that a copy that was admitted goes on whatever others do; the rest come and go
// with the room that the node, its budget and the other nodes have.
type lanes struct {
	s     *Service
	bound int64 // Bytes of buffers that a task takes.

	mu      sync.Mutex
	changed *sync.Cond
	own     bool // The own lane is free.
	running int
}

func newLanes(s *Service, bound int64) *lanes {
	l := &lanes{s: s, bound: min(bound, s.budget.Total()), own: true}
	l.changed = sync.NewCond(&l.mu)
	return l
}

// enter waits for a place, on this node or another; nil where ctx ends first.
func (l *lanes) enter(ctx context.Context) *lane {
	return l.wait(ctx, func() *lane {
		crowded := l.s.load.crowded(l.s.cfg.CopyTasks)
		switch {
		case l.running >= l.s.cfg.CopyParallel:
			return nil
		case l.own && !crowded:
			return l.takeOwn()
		case !crowded && l.s.admitTask(l.bound):
			return &lane{}
		}
		if at := l.s.load.send(l.s.workers); at != nil {
			return at
		}
		if l.own {
			return l.takeOwn()
		}
		return nil
	})
}

// enterHere waits for a place on this node.
func (l *lanes) enterHere(ctx context.Context) *lane {
	return l.wait(ctx, func() *lane {
		if l.own {
			return l.takeOwn()
		}
		if l.s.admitTask(l.bound) {
			return &lane{}
		}
		return nil
	})
}

func (l *lanes) takeOwn() *lane {
	l.own = false
	l.s.load.begin()
	return &lane{own: true}
}

// wait calls try whenever a task of this copy has ended, until it gives a lane.
func (l *lanes) wait(ctx context.Context, try func() *lane) *lane {
	stop := context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.changed.Broadcast()
	})
	defer stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for ctx.Err() == nil {
		if at := try(); at != nil {
			l.running++
			return at
		}
		l.changed.Wait()
	}
	return nil
}

// leave gives a place back.
func (l *lanes) leave(at *lane) {
	switch {
	case at.node != 0:
		l.s.load.returned(at.node, at.err)
	case at.own:
		l.s.load.end()
	default:
		l.s.endTask(l.bound)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	l.own = l.own || at.own
	l.changed.Broadcast()
}

// admitTask takes the buffers of one task more, if they are free and nobody waits
// for any. Such tasks may have half of the budget.
func (s *Service) admitTask(bound int64) bool {
	if !s.copies.TryAcquire(bound) {
		return false
	}
	if !s.budget.TryAcquire(bound) {
		s.copies.Release(bound)
		return false
	}
	s.load.begin()
	return true
}

func (s *Service) endTask(bound int64) {
	s.load.end()
	s.budget.Release(bound)
	s.copies.Release(bound)
}

func (l *taskLoad) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.here++
}

func (l *taskLoad) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.here--
}

// crowded reports whether this node runs as many tasks as it should.
func (l *taskLoad) crowded(limit int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.here >= limit
}

// send returns a place on the node that this one has given the fewest tasks; nil
// where there is none to ask.
func (l *taskLoad) send(workers Workers) *lane {
	if workers == nil {
		return nil
	}
	nodes, now := workers.Nodes(), time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	var best cluster.NodeID
	for _, n := range nodes {
		if now.Before(l.rest[n]) {
			continue
		}
		if best == 0 || l.there[n] < l.there[best] {
			best = n
		}
	}
	if best == 0 {
		return nil
	}
	l.there[best]++
	return &lane{node: best}
}

// returned ends a task of another node; one that failed is let alone for a while.
func (l *taskLoad) returned(n cluster.NodeID, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.there[n]--; l.there[n] == 0 {
		delete(l.there, n)
	}
	delete(l.rest, n)
	if err != nil {
		l.rest[n] = time.Now().Add(workerRest)
	}
}
