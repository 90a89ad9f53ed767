package member

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/meta/metapb"
)

// joining begins to join, and returns the result when that ends. The caller cancels and waits.
func (w *world) joining(ctx context.Context, nodes ...*citizen) []chan error {
	ends := make([]chan error, len(nodes))
	for i, c := range nodes {
		ends[i] = make(chan error, 1)
		w.wg.Go(func() { ends[i] <- c.Join(ctx) })
	}
	return ends
}

// TestFormsOneCluster: nodes that expect each other wait until all are there. Then the one with the
// lowest id begins the metadata, once, and all end up in one cluster, which they write down before
// they tell of it.
func TestFormsOneCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.wg.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		nodes := []*citizen{w.node(expecting(3)), w.node(expecting(3))}
		w.node() // Expects nobody: it does not count.
		ends := w.joining(ctx, nodes...)
		time.Sleep(time.Hour)
		require.Empty(t, w.begunBy, "one is missing")

		nodes = append(nodes, w.node(expecting(3)))
		ends = append(ends, w.joining(ctx, nodes[2])...)
		lowest := nodes[0].home.ID()
		for i, c := range nodes {
			require.NoError(t, <-ends[i])
			lowest = min(lowest, c.home.ID())
		}
		require.Equal(t, []cluster.NodeID{lowest}, w.begunBy)
		require.Len(t, w.registered, 3)
		require.Len(t, w.sessions, 3)
		for _, c := range nodes {
			require.Equal(t, w.cluster, c.home.Cluster())
			require.Equal(t, w.cluster, c.drive.cluster)
			told, _ := ears{w, 0}.Member(c.home.ID())
			require.Equal(t, w.cluster, told.ClusterID)
		}
	})
}

// TestFormedWithVoters: a new cluster counts as formed when its voters are there, or have not come
// for a long time. For a member that returns it is formed already.
func TestFormedWithVoters(t *testing.T) {
	formed := func(c *citizen) bool {
		select {
		case <-c.Formed():
			return true
		default:
			return false
		}
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		one, other := w.node(expecting(3)), w.node(expecting(3))
		third := w.node(expecting(3))
		ends := w.joining(t.Context(), one, other, third)
		for i := range ends {
			require.NoError(t, <-ends[i])
		}
		w.voters = 1
		w.wg.Go(func() { one.AwaitVoters(t.Context()) })
		time.Sleep(votersWait / 2)
		require.False(t, formed(one))
		w.mu.Lock()
		w.voters = 3
		w.mu.Unlock()
		w.wg.Wait()
		require.True(t, formed(one))

		w.voters = 2
		began := time.Now()
		other.AwaitVoters(t.Context())
		require.Equal(t, votersWait, time.Since(began))
		require.True(t, formed(other))
		require.Contains(t, other.log.String(), "fewer voters than they should")

		again := w.rejoin(other)
		require.NoError(t, again.Join(t.Context()))
		require.True(t, formed(again))
		again.AwaitVoters(t.Context())
	})
}

// TestJoinsWhatItFinds: a node that finds a cluster begins none, however many nodes expect one.
func TestJoinsWhatItFinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.member()
		c := w.node(expecting(1))
		require.NoError(t, c.Join(t.Context()))
		require.Equal(t, "c1", c.home.Cluster())
		require.Empty(t, w.begunBy)

		w.node(of("c2"))
		require.ErrorContains(t, w.node(expecting(1)).Join(t.Context()),
			"join the cluster: node.form: denied: the nodes that --join leads to are of two clusters")
	})
}

// TestGivesUp: a node that joins ends if others say again and again that they will never let it in,
// but not if anything else follows that.
func TestGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.node(expecting(2))
		told := 0
		failed := c.peers.Events(gossip.Events{JoinFailed: func([]string, error) { told++ }}).JoinFailed
		never := errs.Newf("gossip", errs.Denied, "another key")
		failed(nil, never)
		failed(nil, errors.New("nobody there"))
		failed(nil, never)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		require.ErrorIs(t, c.Join(ctx), context.DeadlineExceeded)
		failed(nil, never)
		require.ErrorContains(t, w.rejoin(c).Join(t.Context()), "another key")
		require.Equal(t, 4, told)
	})
}

// rejoin returns a citizen after a restart, with everything that it knows of the others.
func (w *world) rejoin(c *citizen) *citizen {
	again := *c
	again.Self = New(c.cfg)
	return &again
}

// TestRegisterRefused: what the cluster says of a node that it refuses becomes a sentence, and
// there is no other try.
func TestRegisterRefused(t *testing.T) {
	for refusal, want := range map[metapb.Refusal]string{
		metapb.Refusal_REFUSAL_OTHER_CLUSTER:   "belongs to cluster c1, but the nodes it found are of cluster c9",
		metapb.Refusal_REFUSAL_INCOMPATIBLE:    "join the cluster: node.register: denied: in detail",
		metapb.Refusal_REFUSAL_DRIVE_ELSEWHERE: "one of the drives in --data belongs to another node of the cluster",
		metapb.Refusal_REFUSAL_REMOVED:         "the cluster refuses this node: in detail (REFUSAL_REMOVED)",
	} {
		t.Run(refusal.String(), func(t *testing.T) {
			w := newWorld(t)
			c := w.member()
			w.answer = &metapb.Result{Refusal: refusal, ClusterId: "c9", Detail: "in detail"}
			require.ErrorContains(t, c.Join(t.Context()), want)
			require.Empty(t, w.sessions)
		})
	}
}

// TestNoRoom: if the metadata have no room for it, a node that has a cluster comes up without
// registering, and registers when there is room. A node that begins a cluster waits.
func TestNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.wg.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w.refusal = errs.Newf("test", errs.NoSpace, "no room")
		first := w.node(expecting(1))
		end := w.joining(ctx, first)[0]
		synctest.Wait()
		member := w.member()
		require.NoError(t, member.Join(ctx))
		time.Sleep(time.Minute)
		require.Empty(t, w.sessions)
		require.Empty(t, end)
		w.mu.Lock()
		w.refusal = nil
		w.mu.Unlock()
		require.NoError(t, <-end)
		synctest.Wait()
		time.Sleep(registerRetry)
		synctest.Wait()
		require.ElementsMatch(t, []cluster.NodeID{member.home.ID(), first.home.ID()}, w.sessions)
		require.Empty(t, member.failed)
	})
}

// TestNoRoomThenRefused: a member that came up without registering ends when it is refused.
func TestNoRoomThenRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.refusal = errs.Newf("test", errs.NoSpace, "no room")
		c := w.member()
		require.NoError(t, c.Join(t.Context()))
		w.mu.Lock()
		w.refusal, w.answer = nil, &metapb.Result{Refusal: metapb.Refusal_REFUSAL_INCOMPATIBLE, Detail: "too old"}
		w.mu.Unlock()
		w.wg.Wait()
		require.Equal(t, []string{"join the cluster: node.register: denied: too old"}, c.failed)
	})
}
