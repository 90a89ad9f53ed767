// Package lanes decides where the tasks of copies run and how many run at once: on this node while
// it has room, and otherwise on another node (docs/architecture.md, "Copying"). It counts tasks,
// and runs none.
package lanes

import (
	"context"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/shard/buf"
)

// nodeRest is how long a node is not asked again after it has refused a task or failed at one.
const nodeRest = time.Second

// Budget is the memory for buffers of a node. *buf.Budget implements it.
type Budget interface {
	TryAcquire(n int64) bool // Takes only what is free and nobody waits for.
	Release(n int64)
	Total() int64
}

// Config sets up a Node.
type Config struct {
	Budget   Budget                  // Of this node.
	Tasks    int                     // A node that runs as many asks others for help, and gives none.
	Parallel int                     // How many tasks of one copy run at once, on all nodes together.
	Others   func() []cluster.NodeID // The other nodes that are thought to be alive. Nil: there are none.
}

// Node counts the tasks that run on this node, for its own copies and for those of other nodes,
// and the tasks that it has given to others. It is safe for concurrent use.
type Node struct {
	c    Config
	more *buf.Budget // How much of c.Budget tasks may take beyond what their copies were admitted with.

	mu    sync.Mutex
	here  int                          // Tasks on this node.
	there map[cluster.NodeID]int       // Tasks that other nodes do for this one.
	rest  map[cluster.NodeID]time.Time // A node in it is not asked again before this time.
}

// New returns a Node on which no task runs. Beyond what their copies were admitted with, tasks may
// take half of the budget; the other half stays for requests.
func New(c Config) *Node {
	return &Node{c: c, more: buf.NewBudget(max(1, c.Budget.Total()/2), 0),
		there: map[cluster.NodeID]int{}, rest: map[cluster.NodeID]time.Time{}}
}

// Lane is a place in which one task at a time runs.
type Lane struct {
	Node cluster.NodeID // Where the task is to run; 0: on this node.
	Err  error          // If Node has not done the task, the caller sets it before Leave.
	own  bool           // Its buffers are those with which the copy was admitted.
}

// Copy has the lanes of one copy. One lane is its own and always there, so a copy that was admitted
// goes on whatever other copies do. It has more lanes while the node, its budget and the other
// nodes have room. It is safe for concurrent use.
type Copy struct {
	n     *Node
	bound int64 // How many bytes of buffers a task takes.

	mu      sync.Mutex
	changed *sync.Cond
	own     bool // The copy's own lane is free.
	running int  // Lanes that were entered and not left.
}

// Copy returns the lanes of a copy that was admitted with bound bytes of the budget. Each of its
// tasks takes as many.
func (n *Node) Copy(bound int64) *Copy {
	l := &Copy{n: n, bound: min(bound, n.c.Budget.Total()), own: true}
	l.changed = sync.NewCond(&l.mu)
	return l
}

// Enter waits for a lane, on this node or on another one. It returns nil if ctx ends first. The
// caller runs a task in the lane and then calls Leave.
func (l *Copy) Enter(ctx context.Context) *Lane {
	return l.wait(ctx, func() *Lane {
		crowded := l.n.crowded()
		switch {
		case l.running >= l.n.c.Parallel:
			return nil
		case l.own && !crowded:
			return l.takeOwn()
		case !crowded && l.n.admit(l.bound):
			return &Lane{}
		}
		if at := l.n.send(); at != nil {
			return at
		}
		if l.own {
			return l.takeOwn()
		}
		return nil
	})
}

// EnterHere is Enter for a task that must run on this node.
func (l *Copy) EnterHere(ctx context.Context) *Lane {
	return l.wait(ctx, func() *Lane {
		if l.own {
			return l.takeOwn()
		}
		if l.n.admit(l.bound) {
			return &Lane{}
		}
		return nil
	})
}

func (l *Copy) takeOwn() *Lane {
	l.own = false
	l.n.begin()
	return &Lane{own: true}
}

// wait calls try until it returns a lane: at once, and again whenever a task of this copy has
// ended. It returns nil if ctx ends first.
func (l *Copy) wait(ctx context.Context, try func() *Lane) *Lane {
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

// Leave gives a lane back. It must be called once for each lane.
func (l *Copy) Leave(at *Lane) {
	switch {
	case at.Node != 0:
		l.n.returned(at.Node, at.Err)
	case at.own:
		l.n.end()
	default:
		l.n.leave(l.bound)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	l.own = l.own || at.own
	l.changed.Broadcast()
}

// Serve admits a task of another node that takes bound bytes of the budget. It returns nil if this
// node has no room for the task now. Otherwise the caller must call end once, when the task has
// ended.
func (n *Node) Serve(bound int64) (end func()) {
	bound = min(bound, n.c.Budget.Total())
	if n.crowded() || !n.admit(bound) {
		return nil
	}
	return func() { n.leave(bound) }
}

// admit admits one more task, if its buffers are free and no request waits for buffers.
func (n *Node) admit(bound int64) bool {
	if !n.more.TryAcquire(bound) {
		return false
	}
	if !n.c.Budget.TryAcquire(bound) {
		n.more.Release(bound)
		return false
	}
	n.begin()
	return true
}

func (n *Node) leave(bound int64) {
	n.end()
	n.c.Budget.Release(bound)
	n.more.Release(bound)
}

func (n *Node) begin() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.here++
}

func (n *Node) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.here--
}

// crowded reports whether at least c.Tasks tasks run on this node.
func (n *Node) crowded() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.here >= n.c.Tasks
}

// send returns a lane on the node to which this one has given the fewest tasks; nil if there is no
// node to ask.
func (n *Node) send() *Lane {
	if n.c.Others == nil {
		return nil
	}
	nodes, now := n.c.Others(), time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	var best cluster.NodeID
	for _, id := range nodes {
		if now.Before(n.rest[id]) {
			continue
		}
		if best == 0 || n.there[id] < n.there[best] {
			best = id
		}
	}
	if best == 0 {
		return nil
	}
	n.there[best]++
	return &Lane{Node: best}
}

// returned counts the end of a task that was given to another node. If the node has not done the
// task, it is not asked again for nodeRest.
func (n *Node) returned(id cluster.NodeID, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.there[id]--; n.there[id] == 0 {
		delete(n.there, id)
	}
	delete(n.rest, id)
	if err != nil {
		n.rest[id] = time.Now().Add(nodeRest)
	}
}
