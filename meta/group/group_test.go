package group

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

func TestSilentWithoutConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &testCluster{t: t, net: newNetwork(), voters: 1}
		n := &testNode{id: 1}
		n.fs = newMem()
		c.nodes = []*testNode{n}
		c.start(n)
		time.Sleep(time.Hour)
		require.Equal(t, raft.Follower, raftState(n))
		require.Zero(t, n.group.Stats().Term, "it has campaigned")
		require.False(t, n.group.HasState())
		require.NoError(t, n.group.Bootstrap())
		require.Same(t, n, c.leader())
		require.Error(t, n.group.Bootstrap())
		c.set(n, "a", "1")
		require.Equal(t, "1", c.get(n, "a"))
		c.close()
	})
}

func TestLeaderKill(t *testing.T) {
	for _, voters := range []int{3, 5} {
		synctest.Test(t, func(t *testing.T) {
			c := newTestCluster(t, voters, 1, nil)
			outside := c.nodes[voters]
			c.set(outside, "a", "1")
			old := c.leader()
			c.kill(old, 50, testRNG(1))
			c.set(outside, "a", "2")
			require.Equal(t, "2", c.get(outside, "a"))
			c.start(old)
			c.set(old, "b", "3")
			c.converge()
			require.Equal(t, "2", c.get(old, "a"))
			c.close()
		})
	}
}
