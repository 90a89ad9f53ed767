package group

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/cluster/errs"
)

func TestHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 3, 0, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var acked atomic.Int64
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				limited, stop := context.WithTimeout(ctx, 10*time.Second)
				if _, err := c.nodes[0].client.Propose(limited, setRegister("k", fmt.Sprint(i))); err == nil {
					acked.Add(1)
				} else if ctx.Err() == nil {
					t.Errorf("write %d: %v", i, err)
				}
				stop()
				time.Sleep(time.Millisecond)
			}
		})
		for range effort.Of(6, 2, 60) {
			from := c.leader()
			to := c.nodes[(from.number+1)%3]
			require.NoError(t, from.group.HandOver(c.ctx(10*time.Second), to.id))
			require.Equal(t, to, c.leader(from), "another node than asked for leads")
			before := acked.Load()
			time.Sleep(time.Second) // Of the bubble's clock.
			require.Greater(t, acked.Load(), before, "no writes after the change")
		}
		cancel()
		wg.Wait()
		require.True(t, errs.Is(c.nodes[0].group.HandOver(t.Context(), 99), errs.Unavailable), "99 is no voter")
		c.converge()
		c.close()
	})
}

// TestShutdownHandsOver stops whoever leads, again and again: it tells that another
// leads before it ends, and nobody has to wait for an election.
func TestShutdownHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var left []error
		c := newTestCluster(t, 3, 0, func(cfg *Config) {
			cfg.Events.LeadershipLeft = func(err error) {
				mu.Lock()
				defer mu.Unlock()
				left = append(left, err)
			}
		})
		for i := range 4 {
			from := c.leader()
			c.set(from, "k", fmt.Sprint(i))
			c.stop(from)
			mu.Lock()
			require.Equal(t, make([]error, i+1), left, "handed over without an error each time")
			mu.Unlock()
			require.NotEqual(t, from, c.leader(from))
			c.start(from)
			c.converge()
		}
		c.close()
	})
}

// TestHandOverToNobody cuts off whom leadership is handed to: the leader must go on,
// or another must lead, and writes must not stop for good.
func TestHandOverToNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 3, 0, nil)
		from := c.leader()
		to := c.nodes[(from.number+1)%3]
		c.isolate(to, true)
		_ = from.group.HandOver(c.ctx(time.Minute), to.id) // Either way.
		c.set(from, "k", "after")
		c.isolate(to, false)
		require.Equal(t, "after", c.get(to, "k"))
		require.Nil(t, from.fatal.Load())
		c.converge()
		c.close()
	})
}

// TestRemovedNodeIsNoTrouble is the shape of hashicorp/raft issue 524: a node that does
// not know that it was removed must not make the others elect anew.
func TestRemovedNodeIsNoTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 3, 0, nil)
		leader := c.leader()
		gone := c.nodes[(leader.number+1)%3]
		c.isolate(gone, true)
		require.NoError(t, leader.group.Demote(c.ctx(10*time.Second), gone.id))
		require.NoError(t, leader.group.Remove(c.ctx(10*time.Second), gone.id))
		c.set(leader, "k", "1")
		term := leader.group.Stats().Term
		time.Sleep(10 * time.Second) // It campaigns against nobody.
		c.isolate(gone, false)
		time.Sleep(30 * time.Second)
		require.Equal(t, term, leader.group.Stats().Term, "the removed node made them elect")
		require.True(t, leader.group.IsLeader())
		c.set(gone, "k", "2") // As a client it is as good as any.
		require.Equal(t, "2", c.get(leader, "k"))
		c.close()
	})
}

// TestLeaderIsTold: every voter tells who leads, also of a leader that came after another.
func TestLeaderIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		told := map[cluster.NodeID]cluster.NodeID{}
		c := newTestCluster(t, 3, 0, func(cfg *Config) {
			node := cfg.Node
			cfg.Events.LeaderChanged = func(leader cluster.NodeID) {
				mu.Lock()
				defer mu.Unlock()
				told[node] = leader
			}
		})
		for range 3 {
			from := c.leader()
			require.NoError(t, from.group.HandOver(c.ctx(time.Minute), c.nodes[(from.number+1)%3].id))
			leads := c.leader(from)
			c.converge()
			synctest.Wait()
			mu.Lock()
			for _, n := range c.nodes {
				require.Equal(t, leads.id, told[n.id], "node %d", n.number)
			}
			mu.Unlock()
		}
		c.close()
	})
}
