package group

import (
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/hashicorp/raft"
)

// Names of a node's metadata databases.
const (
	DatabaseState = "state"
	DatabaseLog   = "log"
)

// Databases returns what Pebble counts of the databases of the state and of the
// log, by name; nothing once Shutdown has begun.
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

// LastContact returns how long ago this node heard from the leader: 0 where it leads
// itself; false where it never did.
func (g *Group) LastContact() (time.Duration, bool) {
	if g.raft.State() == raft.Leader {
		return 0, true
	}
	t := g.raft.LastContact()
	return time.Since(t), !t.IsZero()
}

// metrics returns what the database of the current generation counts; nil where the
// state has none.
func (d *stateDir) metrics() *pebble.Metrics {
	d.mu.RLock()
	defer d.mu.RUnlock()
	m, ok := d.current.(interface{ Metrics() *pebble.Metrics })
	if !ok || d.closed {
		return nil
	}
	return m.Metrics()
}
