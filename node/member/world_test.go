package member

import (
	"bytes"
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/group"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/home"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is what nodes share: gossip, a network, and the metadata of one cluster. Everybody has
// heard of everybody.
type world struct {
	t  *testing.T
	wg sync.WaitGroup

	mu         sync.Mutex
	gossip     []gossip.Member
	listening  map[string]http.Handler // By address.
	begunBy    []cluster.NodeID        // Nodes that have made a group of the metadata.
	cluster    string
	registered []*metapb.Node
	removed    []uint64
	voters     int
	refusal    error            // The error of RegisterNode; nil: there is none.
	answer     *metapb.Result   // The answer to RegisterNode; nil: it follows from the fields above.
	sessions   []cluster.NodeID // Nodes whose sessions were opened.
}

func newWorld(t *testing.T) *world {
	return &world{t: t, listening: map[string]http.Handler{}}
}

// RoundTrip implements http.RoundTripper.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	h := w.listening[r.URL.Host]
	w.mu.Unlock()
	if h == nil {
		return nil, errs.Newf("test", errs.Unavailable, "nobody listens at %s", r.URL.Host)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec.Result(), nil
}

// citizen is a node of a world, with fakes for everything that it works with.
type citizen struct {
	*Self
	w      *world
	server *server
	drive  *drive
	log    *bytes.Buffer
	failed []string // Why it must end.
	skew   time.Duration
}

// anew changes what a citizen is like before it is made.
type like func(*Config, *citizen)

func expecting(n int) like { return func(c *Config, _ *citizen) { c.Expect = n } }

func settings(s map[string]string) like { return func(c *Config, _ *citizen) { c.Settings = s } }

func ahead(d time.Duration) like { return func(_ *Config, c *citizen) { c.skew = d } }

// of makes a node that already belongs to a cluster with this name.
func of(name string) like {
	return func(c *Config, _ *citizen) {
		if err := c.Home.Join(name); err != nil {
			panic(err)
		}
	}
}

const maxSkew = time.Minute

// node adds a node, which is then alive in gossip.
func (w *world) node(likes ...like) *citizen {
	h, err := home.Open(vfs.NewMem(), "data")
	require.NoError(w.t, err)
	return w.nodeAt(h, h.ID().String()+":1", likes...)
}

func (w *world) nodeAt(h *home.Home, addr string, likes ...like) *citizen {
	c := &citizen{w: w, drive: &drive{}, log: &bytes.Buffer{}}
	c.server = &server{c: c, name: h.ID().String(), known: map[string]uint64{}}
	cfg := Config{Home: h, Peers: NewPeers(h), Group: c.server, Metadata: metadata{w, h.ID()},
		HTTP: &http.Client{Transport: w}, Drives: []Drive{c.drive}, RPCAddr: addr, MaxClockSkew: maxSkew,
		Describe: func() *metapb.Node { return &metapb.Node{RpcAddr: addr} }, Version: "test",
		Go: w.wg.Go, Fail: func(err error) { c.failed = append(c.failed, err.Error()) },
		Log: slog.New(slog.NewTextHandler(c.log, nil))}
	cfg.Clock = group.NewClock(func() time.Time { return time.Now().Add(c.skew) }, maxSkew)
	for _, l := range likes {
		l(&cfg, c)
	}
	cfg.Peers.UseGossip(ears{w, h.ID()})
	cfg.Peers.UseNewest(cfg.Metadata.LastTopology)
	c.Self = New(cfg)
	w.mu.Lock()
	defer w.mu.Unlock()
	_, handler := c.Handler()
	w.listening[addr] = handler
	w.gossip = append(w.gossip, gossip.Member{State: gossip.Alive, Meta: gossip.Meta{Node: h.ID(), RPCAddr: addr,
		ClusterID: h.Cluster(), Era: h.Era(), Expect: cfg.Expect}})
	slices.SortFunc(w.gossip, func(a, b gossip.Member) int { return cmp.Compare(a.Node, b.Node) })
	return c
}

// member adds a node that is registered with cluster c1.
func (w *world) member(likes ...like) *citizen {
	c := w.node(append([]like{of("c1")}, likes...)...)
	w.cluster = "c1"
	w.registered = append(w.registered, c.describe())
	return c
}

// change changes what gossip says of a node.
func (w *world) change(id cluster.NodeID, f func(*gossip.Member)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(&w.gossip[slices.IndexFunc(w.gossip, func(m gossip.Member) bool { return m.Node == id })])
}

func (w *world) topologyLocked() *meta.Topology {
	return meta.NewTopology(&metapb.ViewAnswer{Epoch: 1, ClusterId: w.cluster, Nodes: w.registered, Removed: w.removed})
}

// ears are the gossip of a node.
type ears struct {
	*world
	id cluster.NodeID
}

func (e ears) Members() []gossip.Member {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.gossip)
}

func (e ears) Member(id cluster.NodeID) (gossip.Member, bool) {
	for _, m := range e.Members() {
		if m.Node == id {
			return m, true
		}
	}
	return gossip.Member{}, false
}

func (e ears) State(id cluster.NodeID) gossip.State {
	if m, ok := e.Member(id); ok {
		return m.State
	}
	return gossip.Down
}

func (e ears) SetCluster(id string, era uint64) error {
	e.change(e.id, func(m *gossip.Member) { m.ClusterID, m.Era = id, era })
	return nil
}

func (e ears) Changed() <-chan struct{} { return nil }

// server is a node's server in the group of the metadata.
type server struct {
	c        *citizen
	name     string
	state    bool // It has state.
	leads    bool
	members  []group.Member
	last     uint64            // The last index of its log.
	known    map[string]uint64 // How far, as it knows, other servers have applied the log.
	forgot   string
	judged   group.Judgement
	calls    []string // Changes that were asked for.
	handOver error
}

func (s *server) HasState() bool { return s.state }

func (s *server) Bootstrap() error {
	s.c.w.mu.Lock()
	defer s.c.w.mu.Unlock()
	s.state = true
	s.c.w.begunBy = append(s.c.w.begunBy, s.c.home.ID())
	return nil
}

func (s *server) Incarnation() string { return "" }

func (s *server) Members() ([]group.Member, cluster.NodeID) { return s.members, 0 }

func (s *server) IsLeader() bool { return s.leads }

func (s *server) HandOver(_ context.Context, to cluster.NodeID) error {
	s.calls = append(s.calls, "hand over to "+to.String())
	return s.handOver
}

func (s *server) Server() string { return s.name }

func (s *server) Stats() group.Stats { return group.Stats{LastLogIndex: s.last, AppliedIndex: s.last} }

func (s *server) Heard(server string, applied uint64) {
	s.known[server] = max(s.known[server], applied)
}

func (s *server) KnownOf(server string) uint64 { return s.known[server] }

func (s *server) Distrust(uint64) error {
	s.calls = append(s.calls, "distrust")
	return nil
}

func (s *server) Forgot() string { return s.forgot }

func (s *server) Refusals() group.Refusals { return group.Refusals{Applied: s.last} }

func (s *server) HeardRefusals(server string, r group.Refusals) {
	s.calls = append(s.calls, "heard "+server)
	if s.judged.Open { // Now it is told what it waited for.
		s.judged.Open = false
	}
}

func (s *server) Judge() group.Judgement { return s.judged }

func (s *server) Disown(string) error {
	s.calls = append(s.calls, "disown")
	return nil
}

// metadata are those of the world. They can be reached once somebody has begun them.
type metadata struct {
	*world
	id cluster.NodeID
}

func (m metadata) reach() error {
	if len(m.begunBy) == 0 && m.cluster == "" {
		return errs.Newf("test", errs.Unavailable, "nobody leads")
	}
	return nil
}

func (m metadata) Topology(context.Context) (*meta.Topology, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.reach(); err != nil {
		return nil, err
	}
	return m.topologyLocked(), nil
}

func (m metadata) LastTopology() *meta.Topology {
	t, _ := m.Topology(context.Background())
	return t
}

func (m metadata) Read(context.Context, *metapb.Query) (*metapb.Answer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &metapb.Answer{View: &metapb.ViewAnswer{ClusterId: m.cluster, Nodes: m.registered}}, m.reach()
}

func (m metadata) Propose(_ context.Context, cmd *metapb.Command) (*metapb.Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.reach(); err != nil {
		return nil, err
	}
	if f := cmd.GetFormCluster(); f != nil {
		if m.cluster != "" {
			return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_INVALID}, nil
		}
		m.cluster = f.Id
		return &metapb.Result{ClusterId: f.Id}, nil
	}
	r := cmd.GetRegisterNode()
	switch {
	case m.refusal != nil:
		return nil, m.refusal
	case m.answer != nil:
		return m.answer, nil
	case r.ClusterId != "" && r.ClusterId != m.cluster:
		return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_OTHER_CLUSTER, ClusterId: m.cluster}, nil
	}
	m.registered = slices.DeleteFunc(m.registered, func(n *metapb.Node) bool { return n.Id == r.Node.Id })
	m.registered = append(m.registered, r.Node)
	return &metapb.Result{ClusterId: m.cluster}, nil
}

func (m metadata) Members(context.Context) (*metapb.MembersResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := &metapb.MembersResponse{}
	for i := range m.voters {
		r.Members = append(r.Members, &metapb.Member{Node: uint64(i + 1), Voter: true})
	}
	return r, m.reach()
}

func (m metadata) OpenSession(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions = append(m.sessions, m.id)
	return nil
}

// drive is a drive of a citizen.
type drive struct{ cluster string }

func (d *drive) SetCluster(id string) error {
	d.cluster = id
	return nil
}

// odd gives answers that nobody can read.
type odd struct{}

func (odd) ServeHTTP(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{")) }
