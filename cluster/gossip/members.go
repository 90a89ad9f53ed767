package gossip

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/cairnstore/cairn/cluster"
)

// members is the table of all known members, kept by memberlist's delegates, all of
// which it is. memberlist calls most of them with its own lock held, so nothing
// here calls memberlist.
type members struct {
	events  Events
	changed chan struct{} // Capacity 1.
	wake    chan struct{} // To the join loop; capacity 1.
	self    cluster.NodeID

	mu       sync.Mutex
	meta     Meta // What this node says of itself.
	byID     map[cluster.NodeID]*entry
	disputed time.Time // When a peer last knew this node by another address.
}

type entry struct {
	Member
	downSince time.Time // Where State is Down.
}

var (
	_ memberlist.Delegate         = (*members)(nil)
	_ memberlist.EventDelegate    = (*members)(nil)
	_ memberlist.AliveDelegate    = (*members)(nil)
	_ memberlist.MergeDelegate    = (*members)(nil)
	_ memberlist.ConflictDelegate = (*members)(nil)
	_ memberlist.PingDelegate     = (*members)(nil)
)

func newMembers(self Meta, events Events) *members {
	return &members{events: events, changed: make(chan struct{}, 1), wake: make(chan struct{}, 1),
		self: self.Node, meta: self, byID: make(map[cluster.NodeID]*entry)}
}

func (m *members) all() []Member {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]Member, 0, len(m.byID))
	for _, e := range m.byID {
		out = append(out, e.Member)
	}
	slices.SortFunc(out, func(a, b Member) int { return cmp.Compare(a.Node, b.Node) })
	return out
}

func (m *members) member(id cluster.NodeID) (Member, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.byID[id]
	if !ok {
		return Member{}, false
	}
	return e.Member, true
}

func (m *members) state(id cluster.NodeID) State {
	if id == m.self {
		return Alive
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.byID[id]; ok {
		return e.State
	}
	return Down
}

// selfAddr returns this node's address; memberlist tells it before Start returns.
func (m *members) selfAddr() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.byID[m.self]; ok {
		return e.Addr
	}
	return ""
}

func (m *members) setCluster(id string, era uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	meta := m.meta
	meta.ClusterID, meta.Era = id, era
	if err := meta.check(); err != nil {
		return err
	}
	m.meta = meta
	return nil
}

func (m *members) setRoom(room uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.meta.Room = room
}

// set writes what memberlist says of a node.
func (m *members) set(n *memberlist.Node, state State) {
	meta, err := decodeMeta(n.Meta)
	if err != nil {
		return // NotifyAlive refused it, so memberlist does not know it either.
	}
	m.mu.Lock()
	e := m.byID[meta.Node]
	if e == nil {
		e = &entry{}
		m.byID[meta.Node] = e
	}
	now := Member{Meta: meta, Addr: n.Address(), State: state}
	same := e.Member == now
	e.Member = now
	if state == Down {
		e.downSince = time.Now()
	}
	m.mu.Unlock()
	if !same {
		m.tell(now)
	}
}

// mark changes the state of a member that is not down.
func (m *members) mark(name string, state State) {
	id, err := cluster.ParseNodeID(name)
	if err != nil {
		return
	}
	m.mu.Lock()
	e := m.byID[id]
	if e == nil || e.State == Down || e.State == state || id == m.self {
		m.mu.Unlock()
		return
	}
	e.State = state
	now := e.Member
	m.mu.Unlock()
	m.tell(now)
}

func (m *members) tell(now Member) {
	signal(m.changed)
	if now.State == Down {
		signal(m.wake) // It may leave this node alone.
	}
	if m.events.MemberChanged != nil {
		m.events.MemberChanged(now)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// NotifyJoin implements memberlist.EventDelegate.
func (m *members) NotifyJoin(n *memberlist.Node) { m.set(n, Alive) }

// NotifyUpdate implements memberlist.EventDelegate. The news may have come through
// others while this node cannot reach it: suspicion stays.
func (m *members) NotifyUpdate(n *memberlist.Node) {
	state := Alive
	if meta, err := decodeMeta(n.Meta); err == nil && m.state(meta.Node) == Suspect {
		state = Suspect
	}
	m.set(n, state)
}

// NotifyLeave implements memberlist.EventDelegate.
func (m *members) NotifyLeave(n *memberlist.Node) { m.set(n, Down) }

// NotifyAlive implements memberlist.AliveDelegate: it keeps out who cannot be a node.
func (m *members) NotifyAlive(n *memberlist.Node) error {
	meta, err := decodeMeta(n.Meta)
	if err != nil {
		return fmt.Errorf("%s: %w", n.Address(), err)
	}
	if meta.Node.String() != n.Name {
		return fmt.Errorf("%s calls itself both %s and %s", n.Address(), n.Name, meta.Node)
	}
	return m.sameCluster(n.Address(), meta)
}

// NotifyMerge implements memberlist.MergeDelegate: a call between members of two
// clusters ends with an error on both sides.
func (m *members) NotifyMerge(peers []*memberlist.Node) error {
	for _, p := range peers {
		meta, err := decodeMeta(p.Meta)
		if err != nil {
			continue // NotifyAlive says so.
		}
		if err := m.sameCluster(p.Address(), meta); err != nil {
			return err
		}
	}
	return nil
}

// textOtherCluster is in the error of a call to a member of another cluster, which
// memberlist passes on as text.
const textOtherCluster = "is a node of cluster"

func (m *members) sameCluster(addr string, peer Meta) error {
	m.mu.Lock()
	own := m.meta.ClusterID
	m.mu.Unlock()
	if own == "" || peer.ClusterID == "" || own == peer.ClusterID {
		return nil
	}
	return fmt.Errorf("%s %s %s, this is one of cluster %s: check --join and the data directories", addr, textOtherCluster, peer.ClusterID, own)
}

// NotifyConflict implements memberlist.ConflictDelegate.
func (m *members) NotifyConflict(known, claimed *memberlist.Node) {
	if known.Name == m.self.String() {
		// A peer still has the address from before a restart.
		m.mu.Lock()
		m.disputed = time.Now()
		m.mu.Unlock()
	}
	if m.events.AddrConflict != nil {
		m.events.AddrConflict(known.Name, known.Address(), claimed.Address())
	}
}

// NotifyPingComplete implements memberlist.PingDelegate: the node answered.
func (m *members) NotifyPingComplete(n *memberlist.Node, _ time.Duration, _ []byte) {
	m.mark(n.Name, Alive)
}

// AckPayload implements memberlist.PingDelegate.
func (m *members) AckPayload() []byte { return nil }

// NodeMeta implements memberlist.Delegate. It never exceeds the limit: check saw to it.
func (m *members) NodeMeta(int) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.meta.encode()
}

// NotifyMsg implements memberlist.Delegate; there are no user messages.
func (m *members) NotifyMsg([]byte) {}

// GetBroadcasts implements memberlist.Delegate.
func (m *members) GetBroadcasts(int, int) [][]byte { return nil }

// LocalState implements memberlist.Delegate.
func (m *members) LocalState(bool) []byte { return nil }

// MergeRemoteState implements memberlist.Delegate.
func (m *members) MergeRemoteState([]byte, bool) {}
