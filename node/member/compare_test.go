package member

import (
	"context"

	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/meta/group"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/home"
)

// TestClockOff: a majority of the voters decides about a clock; fewer decide nothing.
func TestClockOff(t *testing.T) {
	const self, limit = cluster.NodeID(1), time.Minute
	voters := func(n int) (out []group.Member) {
		for i := range n {
			out = append(out, group.Member{Node: cluster.NodeID(i + 1), Voter: true})
		}
		return append(out, group.Member{Node: 99}) // Does not vote.
	}
	// lost are voters of which these are earlier incarnations.
	lost := func(n int, ids ...int) []group.Member {
		out := voters(n)
		for _, id := range ids {
			out[id-1].Incarnation = "gone"
		}
		return out
	}
	type clocks map[cluster.NodeID]time.Duration
	for name, test := range map[string]struct {
		members []group.Member
		ahead   clocks // Of the others' clocks.
		off     time.Duration
		known   bool
	}{
		"alone":                       {voters(1), nil, 0, true},
		"nobody answers":              {voters(3), nil, 0, false},
		"one that does not vote":      {voters(3), clocks{99: 0}, 0, false},
		"one of two is near":          {voters(3), clocks{2: time.Second, 3: time.Hour}, -time.Second, true},
		"this one is ahead":           {voters(3), clocks{2: -time.Hour, 3: -time.Hour}, time.Hour, true},
		"both are wrong, differently": {voters(3), clocks{2: time.Hour, 3: -2 * time.Hour}, -time.Hour, true},
		"as many near as far":         {voters(4), clocks{2: 0, 3: time.Hour, 4: time.Hour}, -time.Hour, true},
		"half have answered":          {voters(4), clocks{2: 0}, 0, false},
		"nobody is known to vote":     {nil, clocks{2: time.Hour, 3: time.Hour}, -time.Hour, true},
		"nobody is there":             {nil, nil, 0, false},
		"this one does not vote":      {voters(3)[1:], clocks{2: time.Second, 3: 3 * time.Second}, -3 * time.Second, true},
		"the median of those near": {voters(5), clocks{2: 10 * time.Second, 3: 20 * time.Second, 4: time.Hour, 5: time.Hour},
			-10 * time.Second, true},
		"this one has lost its metadata":  {lost(3, 1), clocks{2: 0, 3: time.Hour}, -time.Hour, true},
		"that is wrong and has lost them": {lost(5, 5), clocks{2: 0, 3: 0, 5: 0}, 0, true},
		"too few are left that have not":  {lost(3, 2, 3), clocks{2: 0, 3: 0}, 0, false},
		"those who have do not decide it": {lost(5, 4, 5), clocks{2: 0, 3: time.Hour, 4: 0, 5: 0}, -time.Hour, true},
		"at the limit it is still near":   {voters(3), clocks{2: limit, 3: time.Hour}, -limit, true},
	} {
		t.Run(name, func(t *testing.T) {
			stale := func(_ cluster.NodeID, incarnation string) bool { return incarnation == "gone" }
			off, known := clockOff(self, test.members, stale, test.ahead, limit)
			require.Equal(t, test.known, known)
			require.Equal(t, test.off, off)
		})
	}
}

// TestWrongClockLeavesTheLead: a node whose clock is wrong changes nothing until its clock is right
// again, and hands the lead to another node that is alive.
func TestWrongClockLeavesTheLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c, dead, alive := w.member(), w.member(), w.member()
		w.change(dead.home.ID(), func(m *gossip.Member) { m.State = gossip.Down })
		for _, m := range []*citizen{c, dead, alive} {
			c.server.members = append(c.server.members, group.Member{Node: m.home.ID(), Voter: true})
		}
		c.server.leads = true
		c.comparePeers(t.Context())
		require.NoError(t, c.cfg.Clock.Check())
		require.Empty(t, c.Warnings(t.Context()))

		c.skew = time.Hour
		c.comparePeers(t.Context())
		require.Error(t, c.cfg.Clock.Check())
		require.Contains(t, c.server.calls, "hand over to "+alive.home.ID().String())
		require.NotContains(t, c.server.calls, "hand over to "+dead.home.ID().String())
		warnings := c.Warnings(t.Context())
		require.Len(t, warnings, 2)
		require.Contains(t, warnings[0], "is 1h0m0s behind that of node "+c.home.ID().String())
		require.Contains(t, warnings[1], "it changes nothing")

		c.skew = 0
		c.comparePeers(t.Context())
		require.NoError(t, c.cfg.Clock.Check())
		require.Empty(t, c.Warnings(t.Context()))
	})
}

// TestOlderCopy: a node notes, and ends, if others know that it had applied more than its log has.
// If the process that had applied it still runs, the node reports that instead and notes nothing.
func TestOlderCopy(t *testing.T) {
	h, err := home.Open(vfs.NewMem(), "data")
	require.NoError(t, err)
	w := newWorld(t)
	other := w.member()
	running := w.nodeAt(h, "a:1", of("c1"))
	w.registered = append(w.registered, running.describe())
	running.server.last = 70
	running.comparePeers(t.Context()) // So the other knows.
	other.comparePeers(t.Context())
	require.EqualValues(t, 70, other.server.KnownOf(running.server.name))
	require.Empty(t, running.failed)

	older := w.nodeAt(h, "b:1")
	older.server.last = 50
	older.compareLogs(t.Context(), other.home.ID(), about{AskerApplied: 50})
	require.Empty(t, older.failed, "it has all that it had")
	older.compareLogs(t.Context(), other.home.ID(), about{AskerApplied: 70})
	require.Len(t, older.failed, 1)
	require.Contains(t, older.failed[0], "runs at a:1 already")
	require.NotContains(t, older.server.calls, "distrust")

	delete(w.listening, "a:1")
	older.compareLogs(t.Context(), other.home.ID(), about{AskerApplied: 70})
	require.Len(t, older.failed, 2)
	require.Contains(t, older.failed[1], "had applied log entry 70 of the metadata, but its log ends at entry 50")
	require.Contains(t, older.server.calls, "distrust")
}

// TestDamagedMetadata: a node that a majority contradicts disowns its metadata and ends. When its
// state has refused a command, it asks at once and does not wait for the next round.
func TestDamagedMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.wg.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		refused := make(chan struct{}, 1)
		var told []int
		other := w.member()
		c := w.member(func(c *Config, _ *citizen) {
			c.Contradicted = refused
			c.Events.Disagree = func(voters int) { told = append(told, voters) }
		})
		w.wg.Go(func() { c.watchRefusals(ctx) })
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Empty(t, c.server.calls)

		c.server.judged = group.Judgement{Open: true, Differ: []cluster.NodeID{1, 2}, Wrong: "refused entry 7"}
		refused <- struct{}{}
		synctest.Wait()
		require.Equal(t, []string{"heard " + other.server.name, "disown"}, c.server.calls)
		require.Equal(t, []int{2}, told)
		require.Len(t, c.failed, 1)
		require.Contains(t, c.failed[0], "this node's metadata refused entry 7: they are damaged")
	})
}

// TestSettingsThatDiffer: a setting is counted once, however many nodes have another value.
func TestSettingsThatDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.member(settings(map[string]string{"a": "1", "b": "1"}))
		w.member(settings(map[string]string{"a": "1", "b": "2"}))
		var told []int
		c := w.member(settings(map[string]string{"a": "2", "b": "1"}), func(c *Config, _ *citizen) {
			c.Events.SettingsDiffer = func(n int) { told = append(told, n) }
		})
		c.comparePeers(t.Context())
		require.Equal(t, []int{2}, told)
	})
}

// TestForgot: a node tells what it has lost of its metadata as long as that matters.
func TestForgot(t *testing.T) {
	w := newWorld(t)
	c := w.member()
	w.registered = append(w.registered, &metapb.Node{Id: 2}, &metapb.Node{Id: 3})
	require.Empty(t, c.forgotWarning(t.Context()))
	c.server.forgot = "it lacks entries"
	require.Equal(t, "it lacks entries", c.forgotWarning(t.Context()), "there are no voters")
	w.voters = 2
	require.Equal(t, "it lacks entries", c.forgotWarning(t.Context()), "there are too few")
	w.voters = 3
	require.Empty(t, c.forgotWarning(t.Context()))
	w.registered[len(w.registered)-1].Incarnation = "second"
	require.Equal(t, "it lacks entries", c.forgotWarning(t.Context()), "one of them is an earlier incarnation")
}

// TestWatchEnds: a node of an earlier era than the others' ends while it runs.
func TestWatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.wg.Wait()
		other, c := w.member(), w.member()
		c.server.state = true
		w.wg.Go(func() { c.Watch(t.Context()) })
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Empty(t, c.failed)
		w.change(other.home.ID(), func(m *gossip.Member) { m.Era = 1 })
		time.Sleep(peerLook)
		synctest.Wait()
		require.Len(t, c.failed, 1)
		require.Contains(t, c.failed[0], "were restored or recovered without this node (era 1)")
	})
}

// TestAwaitClock: a node that starts waits until its clock was compared, but not for ever.
func TestAwaitClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.member()
		began := time.Now()
		c.AwaitClock(t.Context())
		require.Equal(t, clockWait, time.Since(began))
		time.AfterFunc(time.Second-formPoll/2, func() { c.cfg.Clock.Compared(0) })
		began = time.Now()
		c.AwaitClock(t.Context())
		require.Equal(t, time.Second, time.Since(began))
	})
}

// TestPeers: which nodes of gossip are returned for which purpose.
func TestPeers(t *testing.T) {
	w := newWorld(t)
	c, fellow := w.member(), w.member()
	down, older, stranger := w.member(), w.member(), w.node()
	w.change(down.home.ID(), func(m *gossip.Member) { m.State = gossip.Down })
	w.change(older.home.ID(), func(m *gossip.Member) { m.Era = 7 })
	p := c.peers
	require.ElementsMatch(t, []cluster.NodeID{fellow.home.ID(), older.home.ID()}, p.Others())
	require.ElementsMatch(t, []cluster.NodeID{c.home.ID(), fellow.home.ID(), older.home.ID(), stranger.home.ID()},
		p.Candidates())
	for id, want := range map[cluster.NodeID]bool{c.home.ID(): true, fellow.home.ID(): true, older.home.ID(): false,
		down.home.ID(): false, stranger.home.ID(): true, 12345: false} {
		require.Equal(t, want, p.MayVote(id))
	}
	require.True(t, p.Alive(older.home.ID()))
	require.False(t, p.Alive(down.home.ID()))
	addr, known := p.RPCAddr(fellow.home.ID())
	require.True(t, known)
	require.Equal(t, fellow.cfg.RPCAddr, addr)
}

// TestDigests: digests tell settings apart and nothing else, whatever is in them.
func TestDigests(t *testing.T) {
	one := Digests([32]byte{1}, map[string][]string{"a": {"x", "y"}, "b": nil})
	require.Len(t, one, 3)
	require.Equal(t, one, Digests([32]byte{1}, map[string][]string{"a": {"x", "y"}, "b": nil}))
	require.NotEqual(t, one["a"], Digests([32]byte{1}, map[string][]string{"a": {"x y"}})["a"])
	require.NotEqual(t, one["a"], Digests([32]byte{1}, map[string][]string{"a": {`x" "y`}})["a"])
	require.NotEqual(t, one["a"], one["b"])
	other := Digests([32]byte{2}, map[string][]string{"a": {"x", "y"}})
	require.NotEqual(t, one["a"], other["a"])
	require.NotEqual(t, one[sealKeySetting], other[sealKeySetting])
}

// TestUnreadableAnswer: an answer that cannot be read counts for nothing.
func TestUnreadableAnswer(t *testing.T) {
	w := newWorld(t)
	c := w.member()
	_, _, err := c.askAbout(t.Context(), "nowhere:1")
	require.Error(t, err)
	w.listening["odd:1"] = odd{}
	_, _, err = c.askAbout(t.Context(), "odd:1")
	require.ErrorContains(t, err, "what odd:1 says of itself cannot be read")
}
