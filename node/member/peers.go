package member

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/node/home"
)

// Peers are the other nodes, as far as this one knows them without asking anybody: from gossip, and
// from the newest topology that it has seen. It is safe for concurrent use. What it knows comes in
// while the node starts: see the Use methods.
type Peers struct {
	home    *home.Home
	gossip  atomic.Pointer[Gossip]
	newest  atomic.Pointer[func() *meta.Topology]
	own     atomic.Pointer[meta.Topology] // The topology on this node's disk at the start.
	refused atomic.Pointer[error]         // Why no other node lets this one join; nil: none has said that.

	mu   sync.Mutex
	seen map[cluster.NodeID]time.Time // When this process saw that a node was removed; see note.
}

// Gossip tells who is alive, as far as this node has heard. *gossip.Gossip implements it.
type Gossip interface {
	Members() []gossip.Member
	Member(cluster.NodeID) (gossip.Member, bool)
	State(cluster.NodeID) gossip.State
	SetCluster(id string, era uint64) error
	Changed() <-chan struct{}
}

// NewPeers returns the peers of the node with this home. It knows nobody yet.
func NewPeers(h *home.Home) *Peers { return &Peers{home: h} }

// UseGossip sets the gossip. All methods but Check and Events need it.
func (p *Peers) UseGossip(g Gossip) { p.gossip.Store(&g) }

// UseOwn sets the topology that is on this node's disk; nil: there is none.
func (p *Peers) UseOwn(t *meta.Topology) { p.own.Store(t) }

// UseNewest sets the function that returns the newest topology that this node has read; nil before
// it has read one.
func (p *Peers) UseNewest(f func() *meta.Topology) { p.newest.Store(&f) }

func (p *Peers) heard() Gossip { return *p.gossip.Load() }

// topology returns the newest topology that this node knows; nil before it knows one.
func (p *Peers) topology() *meta.Topology {
	if newest := p.newest.Load(); newest != nil {
		if t := (*newest)(); t != nil {
			return t
		}
	}
	return p.own.Load()
}

// Await pauses until gossip has news or d is over. It returns the cause of ctx if that ends first.
func (p *Peers) Await(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
	case <-p.heard().Changed():
	}
	return nil
}

// Alive reports whether gossip says that a node is alive. This node always is.
func (p *Peers) Alive(id cluster.NodeID) bool {
	return id == p.home.ID() || p.heard().State(id) == gossip.Alive
}

// RPCAddr returns the internode address of a node from gossip.
func (p *Peers) RPCAddr(id cluster.NodeID) (string, bool) {
	m, ok := p.heard().Member(id)
	return m.RPCAddr, ok
}

// Others returns the other nodes of the cluster that are alive. Copies may ask them for help.
func (p *Peers) Others() []cluster.NodeID {
	var ids []cluster.NodeID
	for _, m := range p.fellows() {
		ids = append(ids, m.Node)
	}
	return ids
}

// living returns the other nodes that are alive and belong to a cluster. A node that joins may ask
// them.
func (p *Peers) living() []gossip.Member {
	return p.others(func(m gossip.Member) bool { return m.ClusterID != "" })
}

// fellows returns the other nodes of this node's cluster that are alive.
func (p *Peers) fellows() []gossip.Member {
	own := p.home.Cluster()
	return p.others(func(m gossip.Member) bool { return m.ClusterID == own })
}

func (p *Peers) others(of func(gossip.Member) bool) (out []gossip.Member) {
	for _, m := range p.heard().Members() {
		if m.Node != p.home.ID() && m.State == gossip.Alive && of(m) {
			out = append(out, m)
		}
	}
	return out
}

// Candidates returns the nodes to ask who leads the metadata: all that are not down, of any
// cluster, because a node that joins does not know its own yet.
func (p *Peers) Candidates() []cluster.NodeID {
	var ids []cluster.NodeID
	for _, m := range p.heard().Members() {
		if m.State != gossip.Down {
			ids = append(ids, m.Node)
		}
	}
	return ids
}

// Begin takes over an era that is later than this node's, and tells it to the others. At the start
// it must be called with the era of the node's own metadata: a crash may have come after a recovery
// and before the home noted it, and nodes of the earlier era must learn of it.
func (p *Peers) Begin(era uint64) error {
	if era <= p.home.Era() {
		return nil
	}
	if err := p.home.Begin(era); err != nil {
		return err
	}
	return p.heard().SetCluster(p.home.Cluster(), era)
}

// MayVote reports whether a node could be a voter now: it is alive, and of this node's era.
func (p *Peers) MayVote(id cluster.NodeID) bool {
	if id == p.home.ID() {
		return true
	}
	m, known := p.heard().Member(id)
	return known && m.State == gossip.Alive && m.Era == p.home.Era()
}

// Events returns the events to give to gossip. They are the given ones, and also notice when nobody
// will ever let this node in.
func (p *Peers) Events(events gossip.Events) gossip.Events {
	failed := events.JoinFailed
	var refusals atomic.Int32
	events.JoinFailed = func(seeds []string, err error) {
		failed(seeds, err)
		if !errs.Is(err, errs.Denied) {
			refusals.Store(0)
			return
		}
		if refusals.Add(1) >= joinRefusals {
			p.refused.Store(&err)
		}
	}
	return events
}

// refusal returns the error (Denied) if no other node will ever let this one in. Only a node that
// joins asks for it. A member goes on: if somebody calls it with another key, that is the other's
// trouble.
func (p *Peers) refusal() error {
	if why := p.refused.Load(); why != nil {
		return *why
	}
	return nil
}
