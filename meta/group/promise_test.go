package group

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta/metapb"
)

// registry is who has registered under which incarnation, as the state would tell.
type registry struct {
	mu    sync.Mutex
	nodes map[cluster.NodeID]string
}

func (r *registry) register(n *testNode) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nodes[n.id] = n.group.Incarnation()
}

// registered is a state machine that knows the registry.
type registered struct {
	stateMachine
	r *registry
}

func (s registered) Query(q *metapb.Query) (*metapb.Answer, error) {
	a, err := s.stateMachine.Query(q)
	if a.GetView() != nil {
		s.r.mu.Lock()
		defer s.r.mu.Unlock()
		for id, incarnation := range s.r.nodes {
			a.View.Nodes = append(a.View.Nodes, &metapb.Node{Id: uint64(id), Incarnation: incarnation})
		}
	}
	return a, err
}

// witnessed is a cluster of three whose promises lie on drives, too.
func witnessed(t *testing.T) (*testCluster, *registry) {
	r := &registry{nodes: map[cluster.NodeID]string{}}
	c := newTestCluster(t, 3, 0, func(cfg *Config) {
		cfg.Promises = PromiseDirs{FS: cfg.FS, Dirs: []string{"drive1", "drive2"}}
		for _, dir := range []string{"drive1", "drive2"} {
			if err := cfg.FS.MkdirAll(dir, 0o755); err != nil {
				panic(err)
			}
		}
		open := cfg.openState
		cfg.openState = func(fs vfs.FS, dir string) (stateMachine, error) {
			s, err := open(fs, dir)
			return registered{s, r}, err
		}
	})
	return c, r
}

func (c *testCluster) put(via *testNode, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, err := via.client.Propose(ctx, &metapb.Command{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{
		Bucket: &metapb.Bucket{Name: name, Owner: name}}}})
	return err
}

// losses are ways in which a voter comes to hold less than it promised. Each gets what
// the node's disk was before the entries that only it and the leader hold.
var losses = map[string]func(t *testing.T, n *testNode, before *vfs.MemFS){
	"metadata gone": func(t *testing.T, n *testNode, _ *vfs.MemFS) { require.NoError(t, n.fs.RemoveAll("meta")) },
	"metadata put back": func(t *testing.T, n *testNode, before *vfs.MemFS) {
		require.NoError(t, n.fs.RemoveAll("meta"))
		ok, err := vfs.Clone(before, n.fs, "meta", "meta", vfs.CloneSync)
		require.NoError(t, err)
		require.True(t, ok)
	},
	"machine put back": func(_ *testing.T, n *testNode, before *vfs.MemFS) { n.fs = before },
}

// TestForgottenVoter: of three voters one is down while two acknowledge; then one of the
// two loses what it holds, and starts together with the one that was down. They must not
// elect a leader. When the third is back, everything is there, and the one that lost it
// gets its vote back as another server.
func TestForgottenVoter(t *testing.T) {
	for name, lose := range losses {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, r := witnessed(t)
				leader := c.leader()
				var away, forgets *testNode
				for _, n := range c.nodes {
					switch {
					case n == leader:
					case away == nil:
						away = n
					default:
						forgets = n
					}
				}
				require.NoError(t, c.put(leader, "first"))
				time.Sleep(2 * promiseEvery)
				c.stop(away)
				before := forgets.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
				for i := range 30 {
					require.NoError(t, c.put(leader, fmt.Sprint("bucket", i)))
				}
				time.Sleep(2 * promiseEvery)
				// What nodes tell each other of themselves, every few seconds.
				for _, n := range []*testNode{leader, forgets} {
					for _, o := range []*testNode{leader, forgets} {
						n.group.Heard(o.group.Server(), o.group.Stats().AppliedIndex)
					}
				}
				if name == "machine put back" {
					// It was heard by the one that is away, before that went.
					known := forgets.group.Stats().AppliedIndex
					c.start(away)
					away.group.Heard(forgets.group.Server(), known)
					require.NoError(t, away.group.renewPromise())
					c.stop(away)
				}
				c.stop(leader)
				c.stop(forgets)
				lose(t, forgets, before)
				was := serverID(forgets.id, "")
				c.start(forgets)
				c.start(away)
				time.Sleep(time.Minute)
				require.False(t, forgets.group.IsLeader())
				require.False(t, away.group.IsLeader())
				if name == "machine put back" {
					require.Equal(t, was, forgets.group.id) // Nothing that it has knows better.
				} else {
					require.NotEqual(t, was, forgets.group.id)
					require.Contains(t, forgets.group.Forgot(), "neither votes nor counts")
				}

				c.start(leader)
				l := c.leader()
				r.register(forgets)
				if name != "machine put back" {
					require.NoError(t, l.group.Expel(c.ctx(time.Minute), forgets.id))
					require.NoError(t, l.group.AddVoter(c.ctx(time.Minute), forgets.id, forgets.raftAddr()))
					c.allKnowVoters()
					require.Empty(t, forgets.group.Forgot())
				}
				require.NoError(t, c.put(l, "last"))
				for i := range 30 {
					a, err := l.client.Read(c.ctx(time.Minute), &metapb.Query{Op: &metapb.Query_Bucket{Bucket: &metapb.GetBucket{Name: fmt.Sprint("bucket", i)}}})
					require.NoError(t, err)
					require.Equal(t, fmt.Sprint("bucket", i), a.Bucket.Owner)
				}
				c.close()
			})
		})
	}
}
