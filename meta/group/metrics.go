package group

import (
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/hashicorp/raft"
)

// The names under which Databases returns a node's databases.
const (
	DatabaseState = "state"
	DatabaseLog   = "log"
)

// Databases returns, by name, what Pebble counts of the databases of the state and of the log.
// Once Shutdown has begun it returns nothing.
func (g *Group) Databases() map[string]*pebble.Metrics {
	if !g.enter() {
		return nil
	}
	defer g.leave()
	out := map[string]*pebble.Metrics{DatabaseLog: g.log.Metrics()}
	if m := g.fsm.state.metrics(); m != nil {
		out[DatabaseState] = m
	}
	return out
}

// LastContact returns how long ago this node last heard from a leader; 0 where it leads
// itself. It returns false where it has never heard from one.
func (g *Group) LastContact() (time.Duration, bool) {
	if g.raft.State() == raft.Leader {
		return 0, true
	}
	t := g.raft.LastContact()
	return time.Since(t), !t.IsZero()
}

// metrics returns what the database of the state in force counts; nil where there is none, as
// in tests.
func (d *stateDir) metrics() *pebble.Metrics {
	d.mu.RLock()
	defer d.mu.RUnlock()
	m, ok := d.current.(interface{ Metrics() *pebble.Metrics })
	if !ok || d.closed {
		return nil
	}
	return m.Metrics()
}
