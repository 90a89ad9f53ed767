package group

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

const year = 365 * 24 * time.Hour

// TestClock: a clock is trusted by comparison alone, and not after it has jumped.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var off atomic.Int64
		c := NewClock(func() time.Time { return time.Now().Add(time.Duration(off.Load())) }, time.Minute)
		require.ErrorContains(t, c.Check(), "not compared")
		require.NoError(t, c.Suspect())
		c.Compared(30 * time.Second)
		time.Sleep(48 * time.Hour)
		require.NoError(t, c.Check())
		off.Store(int64(2 * year))
		require.ErrorContains(t, c.Check(), "jumped by 17520h0m0s")
		c.Compared(2 * year)
		require.ErrorContains(t, c.Check(), "17520h0m0s ahead of most others")
		off.Store(0)
		c.Compared(0)
		require.NoError(t, c.Check())
	})
}

func TestTimeOf(t *testing.T) {
	for _, ms := range []int64{0, 1, 1 << 40, -5} {
		b, err := proto.Marshal(&metapb.Command{Session: []byte("0123456789abcdef"), Seq: 3, TimeMs: ms, Op: &metapb.Command_CreateBucket{
			CreateBucket: &metapb.CreateBucket{Bucket: &metapb.Bucket{Name: strings.Repeat("b", 60)}}}})
		require.NoError(t, err)
		got, ok := timeOf(b)
		require.Equal(t, ms != 0, ok)
		require.Equal(t, ms, got)
		for n := range b { // Whatever comes, it does not panic.
			timeOf(b[:n])
		}
	}
}

// TestClockOfLeader: whoever leads takes no command of a time that is far from its own,
// and none once its own clock has jumped.
func TestClockOfLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		off := map[string]*atomic.Int64{}
		clocks := map[string]*Clock{}
		c := newTestCluster(t, 3, 0, func(cfg *Config) {
			o := off[cfg.RaftAddr]
			if o == nil {
				o = new(atomic.Int64)
				off[cfg.RaftAddr] = o
			}
			cfg.Clock = NewClock(func() time.Time { return time.Now().Add(time.Duration(o.Load())) }, time.Minute)
			clocks[cfg.RaftAddr] = cfg.Clock
		})
		leader := c.leader()
		for _, n := range c.nodes {
			n.client.cfg.Clock = clocks[n.raftAddr()]
		}
		ctx := c.ctx(10 * time.Second)
		require.Error(t, c.put(leader, "before"), "a clock that nobody has compared")
		for _, clock := range clocks {
			clock.Compared(0)
		}
		require.NoError(t, c.put(leader, "one"))
		other := c.nodes[0]
		if other == leader {
			other = c.nodes[1]
		}
		require.NoError(t, c.put(other, "two"))

		// A node whose clock jumps asks nothing, and gets nothing where it does not notice.
		off[other.raftAddr()].Store(int64(2 * year))
		_, err := other.client.Propose(ctx, &metapb.Command{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{Bucket: &metapb.Bucket{Name: "x"}}}})
		require.ErrorContains(t, err, "jumped")
		clocks[other.raftAddr()].Compared(0)
		began := time.Now()
		err = c.put(other, "x")
		require.ErrorContains(t, err, "17520h0m0s ahead of that of the metadata's leader")
		require.Equal(t, errs.Unavailable, errs.KindOf(err))
		require.Less(t, time.Since(began), time.Second, "it is not tried again and again")
		off[other.raftAddr()].Store(0)
		clocks[other.raftAddr()].Compared(0)

		// The leader's own.
		off[leader.raftAddr()].Store(int64(2 * year))
		require.Error(t, c.put(leader, "x"))
		require.Error(t, c.put(other, "x"))
		off[leader.raftAddr()].Store(0)
		require.NoError(t, c.put(other, "three"))
		c.close()
	})
}
