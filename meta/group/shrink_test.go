package group

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestLogIsBoundInBytes: a log of large entries, few enough for Raft to keep all of them,
// shrinks to its bytes on every voter, and a follower that was away catches up.
func TestLogIsBoundInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 64 << 10
		c := newTestCluster(t, 3, 0, func(cfg *Config) { cfg.TrailingBytes = most })
		leader := c.leader()
		away := c.nodes[0]
		if away == leader {
			away = c.nodes[1]
		}
		c.stop(away)
		for i := range 40 {
			require.NoError(t, c.put(leader, strings.Repeat(string(rune('a'+i%26)), 5000)+time.Duration(i).String()))
		}
		c.start(away)
		for _, n := range c.nodes {
			for range 600 {
				if n.group.Stats().LogBytes <= snapshotFactor*most && n.group.Stats().AppliedIndex >= leader.group.Stats().CommitIndex {
					break
				}
				time.Sleep(100 * time.Millisecond)
			}
			require.LessOrEqual(t, n.group.Stats().LogBytes, uint64(snapshotFactor*most))
			require.GreaterOrEqual(t, n.group.Stats().AppliedIndex, leader.group.Stats().CommitIndex)
		}
		require.Less(t, leader.group.Stats().LogBytes, uint64(40*5000))
		c.converge()
		c.close()
	})
}
