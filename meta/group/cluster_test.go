package group

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/rpc"
)

// testNode is a node of a test cluster, and what of it outlives a crash.
type testNode struct {
	number  int
	id      cluster.NodeID
	fs      *vfs.MemFS
	applies atomic.Int64
	fatal   atomic.Pointer[error]

	group  *Group
	client *Client
	http   *http.Client
	server *http.Server
	up     bool
}

func (n *testNode) raftAddr() string { return fmt.Sprintf("node%d:1", n.number) }
func (n *testNode) rpcAddr() string  { return fmt.Sprintf("node%d:2", n.number) }

// testCluster is voters and clients on one network in memory.
type testCluster struct {
	t      *testing.T
	net    *network
	nodes  []*testNode
	voters int
	config func(*Config) // Changes the configuration of each node.
	wrap   func(http.RoundTripper) http.RoundTripper
}

// testTransport is the network as one node sees it.
type testTransport struct {
	net  *network
	node int
}

func (t testTransport) Dial(ctx context.Context, addr string) (net.Conn, error) {
	return t.net.dial(ctx, t.node, addr)
}

func (t testTransport) Listen(addr string) (net.Listener, error) {
	return t.net.listen(t.node, addr), nil
}

// newTestCluster starts voters and clients and waits for a leader.
func newTestCluster(t *testing.T, voters, clients int, config func(*Config)) *testCluster {
	c := &testCluster{t: t, net: newNetwork(), voters: voters, config: config}
	t.Cleanup(c.abandon)
	for i := range voters + clients {
		c.nodes = append(c.nodes, &testNode{number: i, id: cluster.NodeID(i + 1), fs: vfs.NewCrashableMem()})
	}
	for _, n := range c.nodes {
		c.start(n)
	}
	require.NoError(t, c.nodes[0].group.Bootstrap())
	leader := c.leader()
	for _, n := range c.nodes[1:voters] {
		require.NoError(t, leader.group.AddVoter(c.ctx(30*time.Second), n.id, n.raftAddr()))
	}
	c.allKnowVoters()
	return c
}

// allKnowVoters waits until each voter knows all of them. One that does not refuses
// its vote to those it takes for nonvoters, so a test that cuts off the leader at once
// could be left without any.
func (c *testCluster) allKnowVoters() {
	for range 3000 {
		if !slices.ContainsFunc(c.nodes[:c.voters], func(n *testNode) bool { return n.group.Stats().Voters != c.voters }) {
			return
		}
		time.Sleep(10 * time.Millisecond) // Of the bubble's clock.
	}
	c.t.Fatal("some voter does not know all of them after 30 s")
}

// ctx ends by itself; its cancel is that of the test.
func (c *testCluster) ctx(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	c.t.Cleanup(cancel)
	return ctx
}

func (c *testCluster) start(n *testNode) {
	tr := testTransport{c.net, n.number}
	c.net.setDown(n.number, false)
	n.http = rpc.NewHTTPClient(tr, rpc.ClientConfig{})
	if c.wrap != nil {
		n.http.Transport = c.wrap(n.http.Transport)
	}
	addrs := func(id cluster.NodeID) (string, bool) {
		if id == 0 || int(id) > len(c.nodes) {
			return "", false
		}
		return c.nodes[id-1].rpcAddr(), true
	}
	events := Events{Fatal: func(err error) { n.fatal.CompareAndSwap(nil, &err) }}
	if testing.Verbose() && false {
		events.Log = func(l Level, m string) { c.t.Log(time.Now().Format("05.000"), n.number, l, m) }
	}
	if n.number < c.voters {
		cfg := Config{Node: n.id, FS: n.fs, Dir: "meta", RaftAddr: n.raftAddr(),
			Listener: c.net.listen(n.number, n.raftAddr()), Dial: tr.Dial, HTTP: n.http, RPCAddrs: addrs,
			Timing: FastTiming(), Events: events, openState: openFakeState(&n.applies)}
		if c.config != nil {
			c.config(&cfg)
		}
		g, err := Open(cfg)
		require.NoError(c.t, err)
		n.group = g
		mux := http.NewServeMux()
		mux.Handle(g.Handler())
		n.server = &http.Server{Handler: mux}
		l := c.net.listen(n.number, n.rpcAddr())
		go n.server.Serve(l)
	}
	n.client = NewClient(ClientConfig{Node: n.id, Group: n.group, HTTP: n.http, RPCAddrs: addrs,
		Candidates: func() []cluster.NodeID {
			var ids []cluster.NodeID
			for _, v := range c.nodes[:c.voters] {
				ids = append(ids, v.id)
			}
			return ids
		},
		Timing: ClientTiming{Attempt: time.Second}})
	n.up = true
}

// stop ends a node in good order.
func (c *testCluster) stop(n *testNode) { require.NoError(c.t, c.end(n)) }

func (c *testCluster) end(n *testNode) error {
	n.up = false
	n.client.Close()
	var err error
	if n.group != nil {
		err = n.group.Shutdown(c.ctx(10 * time.Second))
		n.server.Close()
	}
	n.http.CloseIdleConnections()
	c.net.setDown(n.number, true)
	n.group, n.client = nil, nil
	return err
}

// kill ends a node as a power cut does: unsynced bytes survive by percent.
func (c *testCluster) kill(n *testNode, percent int, rng *rand.Rand) {
	n.up = false
	c.net.setDown(n.number, true)
	clone := n.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
	n.client.Close()
	if n.group != nil {
		_ = n.group.Shutdown(c.ctx(5 * time.Second)) // Writes to what is no more.
		n.server.Close()
	}
	n.http.CloseIdleConnections()
	n.fs = clone
	n.group, n.client = nil, nil
}

func (c *testCluster) heal() {
	for i := range c.nodes {
		for j := range c.nodes {
			c.net.setCut(i, j, false)
		}
	}
}

// abandon ends the nodes of a test that has failed. Their goroutines would be a
// deadlock of its bubble, whose dump hides the failure.
func (c *testCluster) abandon() {
	if !c.t.Failed() {
		return
	}
	c.heal()
	time.Sleep(10 * time.Second) // The test's own goroutines leave the clients.
	for _, n := range c.nodes {
		if n.up {
			_ = c.end(n)
		}
	}
}

func (c *testCluster) close() {
	c.heal()
	for _, n := range c.nodes {
		if n.up {
			c.stop(n)
		}
	}
}

// leader waits for a leader that is ready.
func (c *testCluster) leader(not ...*testNode) *testNode {
	for range 3000 {
		for _, n := range c.nodes[:c.voters] {
			if n.up && !slices.Contains(not, n) && n.group.IsLeader() {
				return n
			}
		}
		time.Sleep(10 * time.Millisecond) // Of the bubble's clock.
	}
	c.t.Fatal("no leader in 30 s")
	return nil
}

func (c *testCluster) set(n *testNode, name, value string) {
	c.t.Helper()
	r, err := n.client.Propose(c.ctx(30*time.Second), setRegister(name, value))
	require.NoError(c.t, err)
	require.Zero(c.t, r.Refusal)
}

func (c *testCluster) get(n *testNode, name string) string {
	c.t.Helper()
	a, err := n.client.Read(c.ctx(30*time.Second), getRegister(name))
	require.NoError(c.t, err)
	return a.Bucket.Owner
}

func (n *testNode) data() fakeData {
	n.group.fsm.state.mu.RLock()
	defer n.group.fsm.state.mu.RUnlock()
	return fakeOf(n.group.fsm.state.current).snapshot()
}

func fakeOf(s stateMachine) *fakeState {
	switch w := s.(type) {
	case registered:
		s = w.stateMachine
	case leveled:
		s = w.stateMachine
	}
	return s.(*fakeState)
}

// converge waits until all voters that are up have applied the same, entry by entry.
func (c *testCluster) converge() {
	c.t.Helper()
	c.set(c.leader(), "converge", "now")
	for range 3000 {
		if c.compare() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, n := range c.nodes[:c.voters] {
		c.t.Logf("node %d: %+v", n.number, n.group.Stats())
	}
	c.t.Fatal("the voters do not converge")
}

// compare fails where a voter has applied something else than the first one, or
// something where that one has an entry of Raft's own. It tells whether all have
// applied the same.
func (c *testCluster) compare() bool {
	var first *testNode
	var want fakeData
	same := true
	for _, n := range c.nodes[:c.voters] {
		if !n.up {
			continue
		}
		if err := n.fatal.Load(); err != nil {
			c.t.Fatalf("node %d ended: %v", n.number, *err)
		}
		d := n.data()
		if first == nil {
			first, want = n, d
			continue
		}
		same = same && d.Index == want.Index
		for i := range min(d.Index, want.Index) {
			if a, b := want.Hashes[i+1], d.Hashes[i+1]; a != b {
				c.t.Fatalf("the state machines differ first at entry %d: node %d has %q, node %d has %q",
					i+1, first.number, a, n.number, b)
			}
		}
	}
	return same
}

func raftState(n *testNode) raft.RaftState { return n.group.raft.State() }

func newMem() *vfs.MemFS { return vfs.NewCrashableMem() }

func testRNG(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }
