package group

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/identity"
	"github.com/cairnstore/cairn/cluster/rpc"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/state"
)

func createBucket(name string) *metapb.Command {
	return &metapb.Command{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{
		Bucket: &metapb.Bucket{Name: name, Owner: "o"}}}}
}

func putInline(bucket, key string, id uint64, body []byte) *metapb.Command {
	content := binary.BigEndian.AppendUint64(make([]byte, 8, 16), id)
	return &metapb.Command{Op: &metapb.Command_PutObject{PutObject: &metapb.PutObject{Bucket: bucket, Key: key,
		Version: &metapb.Version{ContentId: content, Size: uint64(len(body)), Etag: "0123456789abcdef0123456789abcdef"},
		Part:    &metapb.Part{Number: 1, Size: uint64(len(body)), Etag: "0123456789abcdef0123456789abcdef", Inline: body}}}}
}

func headObject(bucket, key string) *metapb.Query {
	return &metapb.Query{Op: &metapb.Query_Object{Object: &metapb.GetObject{Bucket: bucket, Key: key,
		Range: metapb.RangeKind_RANGE_NONE}}}
}

func (n *testNode) realState() *state.State { return n.group.fsm.state.current.(*state.State) }

// TestRealState runs the real state machine through snapshots, power cuts and a
// follower that has to be sent a snapshot.
func TestRealState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 3, 1, func(cfg *Config) {
			cfg.SnapshotThreshold, cfg.TrailingLogs = 60, 30
			cfg.openState = nil // The real one.
		})
		propose := func(n *testNode, cmd *metapb.Command) {
			r, err := n.client.Propose(c.ctx(30*time.Second), cmd)
			require.NoError(t, err)
			require.Zero(t, r.Refusal, "%v %s", r.Refusal, r.Detail)
		}
		propose(c.nodes[3], createBucket("bucket"))
		for _, n := range c.nodes[:3] {
			counted := n.group.Databases()
			require.Len(t, counted, 2)
			require.NotNil(t, counted[DatabaseState])
			require.NotNil(t, counted[DatabaseLog])
		}
		away := c.nodes[1]
		for round := range 3 {
			c.kill(away, 50, testRNG(uint64(round)))
			for i := range 150 {
				propose(c.nodes[3], putInline("bucket", fmt.Sprint(round, "/", i), uint64(round*1000+i), make([]byte, 100)))
			}
			time.Sleep(time.Second)
			c.start(away)
			for i, n := range c.nodes[:3] {
				if n != away {
					c.kill(n, 50, testRNG(uint64(10*round+i)))
					c.start(n)
				}
			}
			for i := range 150 {
				a, err := c.nodes[3].client.Read(c.ctx(30*time.Second), headObject("bucket", fmt.Sprint(round, "/", i)))
				require.NoError(t, err)
				require.Zero(t, a.Refusal, "an acknowledged object is lost")
			}
			requireEqualStates(t, c)
			away = c.nodes[(round+2)%3]
		}
		c.close()
	})
}

// requireEqualStates waits until all voters have applied the same and compares the
// hashes of their records.
func requireEqualStates(t *testing.T, c *testCluster) {
	t.Helper()
	for range 3000 {
		indexes := map[uint64]bool{}
		for _, n := range c.nodes[:3] {
			require.Nil(t, n.fatal.Load())
			i, _ := n.group.fsm.state.applied()
			indexes[i] = true
		}
		if len(indexes) == 1 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	hashes := map[[32]byte]bool{}
	for _, n := range c.nodes[:3] {
		require.NoError(t, n.realState().Check())
		h, err := n.realState().Hash()
		require.NoError(t, err)
		hashes[h] = true
	}
	require.Len(t, hashes, 1, "the state machines differ")
}

// processCPU returns the CPU time that this process has used.
func processCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCommit commits 4 KiB inline objects on voters in one process over loopback TLS and a
// real disk, proposed at the leader or by another voter.
func BenchmarkCommit(b *testing.B) {
	for _, voters := range []int{1, 3, 5} {
		for _, tls := range []bool{false, true} {
			for _, callers := range []int{1, 64} {
				b.Run(fmt.Sprintf("voters=%d/tls=%v/callers=%d", voters, tls, callers), func(b *testing.B) {
					commitBenchmark{voters: voters, tls: tls, callers: callers, bytes: 4 << 10,
						level: cluster.FeatureLevelMax}.run(b)
				})
			}
		}
	}
}

// BenchmarkSharedEntries commits inline objects of 100 bytes on three voters in one process, over
// loopback and file systems in memory, proposed at the leader: how many commands a second one
// group takes, with an entry for each and with entries that several share.
func BenchmarkSharedEntries(b *testing.B) {
	for _, callers := range []int{1, 8, 64, 256, 1024} {
		for i, name := range []string{"alone", "shared"} {
			b.Run(fmt.Sprintf("callers=%d/%s", callers, name), func(b *testing.B) {
				commitBenchmark{voters: 3, callers: callers, bytes: 100, memory: true, atLeader: true,
					level: cluster.LevelSharedEntries - 1 + uint32(i)}.run(b)
			})
		}
	}
}

// commitBenchmark says what to commit where.
type commitBenchmark struct {
	voters, callers, bytes int
	tls, memory, atLeader  bool
	level                  uint32 // The feature level of the cluster.
}

type loopbackNode struct {
	group  *Group
	client *Client
	http   *http.Client
	server *rpc.Server
	rpc    string
}

func (c commitBenchmark) run(b *testing.B) {
	nodes := c.start(b)
	defer func() {
		for _, n := range nodes {
			n.client.Close()
		}
		for _, n := range nodes {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			_ = n.group.Shutdown(ctx)
			_ = n.server.Shutdown(ctx)
			cancel()
			n.http.CloseIdleConnections()
		}
	}()
	ctx := context.Background()
	client := nodes[len(nodes)-1].client // Forwards, where there are several.
	if c.atLeader {
		client = nodes[0].client
	}
	_, err := client.Propose(ctx, createBucket("bucket"))
	require.NoError(b, err)
	body := make([]byte, c.bytes)
	for i := range body {
		body[i] = byte(i * i >> 3)
	}
	var next atomic.Uint64
	var wg sync.WaitGroup
	work := make(chan struct{}, c.callers)
	b.ResetTimer()
	cpu := processCPU()
	before, _ := nodes[0].group.fsm.state.applied()
	for range c.callers {
		wg.Go(func() {
			for range work {
				i := next.Add(1)
				if _, err := client.Propose(ctx, putInline("bucket", fmt.Sprintf("key%09d", i), i, body)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for range b.N {
		work <- struct{}{}
	}
	close(work)
	wg.Wait()
	b.ReportMetric(float64((processCPU()-cpu).Microseconds())/float64(b.N), "cpu-µs/op")
	after, _ := nodes[0].group.fsm.state.applied()
	b.ReportMetric(float64(b.N)/float64(after-before), "commands/entry")
	b.StopTimer()
}

func (c commitBenchmark) start(b *testing.B) []*loopbackNode {
	nodes := make([]*loopbackNode, c.voters)
	text, err := identity.NewKeyText()
	require.NoError(b, err)
	key, err := identity.ParseKey(text)
	require.NoError(b, err)
	dir := b.TempDir()
	addrs := func(id cluster.NodeID) (string, bool) { return nodes[id-1].rpc, true }
	raftAddrs := make([]string, c.voters)
	candidates := make([]cluster.NodeID, c.voters)
	for i := range nodes {
		id := cluster.NodeID(i + 1)
		candidates[i] = id
		tr := rpc.TCP()
		if c.tls {
			ident, err := identity.New(key, id)
			require.NoError(b, err)
			tr = rpc.TLS(rpc.TCP(), ident)
		}
		raftL, rpcL := listen(b, tr), listen(b, tr)
		raftAddrs[i] = raftL.Addr().String()
		n := &loopbackNode{rpc: rpcL.Addr().String(), http: rpc.NewHTTPClient(tr, rpc.ClientConfig{})}
		nodes[i] = n
		cfg := Config{Node: id, FS: vfs.Default, Dir: fmt.Sprintf("%s/%d", dir, i), RaftAddr: raftAddrs[i],
			Listener: raftL, Dial: tr.Dial, HTTP: n.http, RPCAddrs: addrs}
		if c.memory {
			cfg.FS, cfg.Dir = vfs.NewMem(), "meta"
		}
		cfg.openState = func(fs vfs.FS, dir string) (stateMachine, error) {
			s, err := openRealState(cfg)(fs, dir)
			return leveled{s, c.level}, err
		}
		n.group, err = Open(cfg)
		require.NoError(b, err)
		n.server = rpc.NewServer(rpc.Config{})
		n.server.Handle(n.group.Handler())
		go n.server.Serve(rpcL)
		n.client = NewClient(ClientConfig{Node: id, Group: n.group, HTTP: n.http, RPCAddrs: addrs,
			Candidates: func() []cluster.NodeID { return candidates }})
	}
	require.NoError(b, nodes[0].group.Bootstrap())
	for !nodes[0].group.IsLeader() {
		time.Sleep(time.Millisecond)
	}
	for i := 1; i < c.voters; i++ {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		require.NoError(b, nodes[0].group.AddVoter(ctx, cluster.NodeID(i+1), raftAddrs[i]))
		cancel()
	}
	return nodes
}

func listen(b *testing.B, tr rpc.Transport) net.Listener {
	l, err := tr.Listen("127.0.0.1:0")
	require.NoError(b, err)
	return l
}
