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

// Peers are the other nodes, as this one knows them without asking anybody: from gossip,
// and from the newest topology that it has seen. Safe for concurrent use; it fills as the
// node starts.
type Peers struct {
	home    *home.Home
	gossip  atomic.Pointer[Gossip]
	newest  atomic.Pointer[func() *meta.Topology]
	own     atomic.Pointer[meta.Topology] // As this node's disk had it at the start.
	refused atomic.Pointer[error]         // Why no other node lets this one join; nil: none has said so.

	mu   sync.Mutex
	seen map[cluster.NodeID]time.Time // When this process saw that a node is removed, while it ran.
}

// Gossip is who is alive, as far as this node has heard: a gossip.Gossip.
type Gossip interface {
	Members() []gossip.Member
	Member(cluster.NodeID) (gossip.Member, bool)
	State(cluster.NodeID) gossip.State
	SetCluster(id string, era uint64) error
	Changed() <-chan struct{}
}

// NewPeers returns the peers of the node with a home: nobody yet.
func NewPeers(h *home.Home) *Peers { return &Peers{home: h} }

// UseGossip gives what most methods need, but for Check and Events.
func (p *Peers) UseGossip(g Gossip) { p.gossip.Store(&g) }

// UseOwn gives the topology that this node's disk has; nil: none.
func (p *Peers) UseOwn(t *meta.Topology) { p.own.Store(t) }

// UseNewest gives the function that returns the newest topology which this node has read,
// nil before it has read one.
func (p *Peers) UseNewest(f func() *meta.Topology) { p.newest.Store(&f) }

func (p *Peers) heard() Gossip { return *p.gossip.Load() }

// topology returns the newest one that this node knows, nil before there is one.
func (p *Peers) topology() *meta.Topology {
	if newest := p.newest.Load(); newest != nil {
		if t := (*newest)(); t != nil {
			return t
		}
	}
	return p.own.Load()
}

// Await pauses until gossip has news or d is over.
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

// Alive reports whether a node is up, as gossip has it; this one is.
func (p *Peers) Alive(id cluster.NodeID) bool {
	return id == p.home.ID() || p.heard().State(id) == gossip.Alive
}

// RPCAddr returns the internode address of a node, as gossip has it.
func (p *Peers) RPCAddr(id cluster.NodeID) (string, bool) {
	m, ok := p.heard().Member(id)
	return m.RPCAddr, ok
}

// Others returns the other nodes of the cluster that are alive: those that copies may ask
// for help.
func (p *Peers) Others() []cluster.NodeID {
	var ids []cluster.NodeID
	for _, m := range p.fellows() {
		ids = append(ids, m.Node)
	}
	return ids
}

// living returns the other nodes that are alive and belong to a cluster: those that a node
// which joins may ask.
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

// Candidates returns the nodes to ask who leads the metadata: all that are not down, of
// whatever cluster, since a node that joins does not know its own yet.
func (p *Peers) Candidates() []cluster.NodeID {
	var ids []cluster.NodeID
	for _, m := range p.heard().Members() {
		if m.State != gossip.Down {
			ids = append(ids, m.Node)
		}
	}
	return ids
}

// Begin takes over an era, where it is later than this node's, and tells the others. It is
// called at the start with the era of the node's own metadata: a crash may have come between
// a recovery and the note of it in the home, and nodes of the era before must know.
func (p *Peers) Begin(era uint64) error {
	if era <= p.home.Era() {
		return nil
	}
	if err := p.home.Begin(era); err != nil {
		return err
	}
	return p.heard().SetCluster(p.home.Cluster(), era)
}

// MayVote reports whether a node could be a voter now: it is alive, and has no metadata of
// another era.
func (p *Peers) MayVote(id cluster.NodeID) bool {
	if id == p.home.ID() {
		return true
	}
	m, known := p.heard().Member(id)
	return known && m.State == gossip.Alive && m.Era == p.home.Era()
}

// Events returns the events that gossip is to have: those given, which notice besides when
// nobody will ever let this node in.
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

// refusal returns the error (Denied) where no other node will ever let this one in. It is
// asked by a node that joins. One that is in goes on: that somebody calls it with another
// key is the other's trouble.
func (p *Peers) refusal() error {
	if why := p.refused.Load(); why != nil {
		return *why
	}
	return nil
}
