package upkeep

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/state"
	"github.com/cairnstore/cairn/shard"
)

const (
	roundEvery = 10 * time.Second
	lostAfter  = 15 * time.Minute
)

// community is nodes 1, 2, … with a drive each (of the same id), their real metadata,
// and who is down. Drives are reported full or slow as told.
type community struct {
	*replica
	down       map[cluster.NodeID]bool
	full, slow map[cluster.DriveID]bool
	said       []string // Events.
	leader     *Upkeep
	watcher    *watcher
	moves      int // Begun.
	terms      Terms
}

// newCommunity registers nodes, and makes volumes of 2+1 on their drives.
func newCommunity(t *testing.T, nodes int, volumes ...[]uint64) *community {
	st, err := state.Open(state.Options{FS: vfs.NewMem(), Dir: "meta", CacheBytes: 1 << 20})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	c := &community{replica: &replica{t: t, state: st}, down: map[cluster.NodeID]bool{},
		full: map[cluster.DriveID]bool{}, slow: map[cluster.DriveID]bool{}, terms: Terms{LostAfter: lostAfter}}
	c.must(&metapb.Command{Op: &metapb.Command_OpenSession{OpenSession: &metapb.OpenSession{Node: 99, Session: testSession}}})
	c.must(&metapb.Command{Op: &metapb.Command_FormCluster{FormCluster: &metapb.FormCluster{Id: "c"}}})
	for i := range uint64(nodes) {
		c.must(&metapb.Command{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{Node: &metapb.Node{
			Id: i + 1, Zone: fmt.Sprint(i), FeatureLevelMin: cluster.FeatureLevelMin, FeatureLevelMax: cluster.FeatureLevelMax,
			Drives: []*metapb.Drive{{Id: i + 1, CapacityBytes: 1 << 30}}}}}})
	}
	made := &metapb.CreateVolumes{ViewEpoch: c.topology().View.Epoch}
	for _, slots := range volumes {
		made.Volumes = append(made.Volumes, &metapb.Volume{K: 2, M: 1, Slots: slots})
	}
	c.must(&metapb.Command{Op: &metapb.Command_CreateVolumes{CreateVolumes: made}})
	c.lead()
	return c
}

// Topology implements Metadata.
func (c *community) Topology(context.Context) (*meta.Topology, error) { return c.topology(), nil }

func (c *community) topology() *meta.Topology {
	a, err := c.Read(c.t.Context(), &metapb.Query{Op: &metapb.Query_View{View: &metapb.GetView{}}})
	require.NoError(c.t, err)
	return meta.NewTopology(a.View)
}

// lead makes another node lead the metadata.
func (c *community) lead() {
	say := func(format string, args ...any) { c.said = append(c.said, fmt.Sprintf(format, args...)) }
	c.leader = &Upkeep{c: Config{Metadata: c, Interval: roundEvery,
		Terms: func() Terms { return c.terms },
		Alive: func(n cluster.NodeID) bool { return !c.down[n] },
		Full:  func(d cluster.DriveID) bool { return c.full[d] }, Slow: func(d cluster.DriveID) bool { return c.slow[d] },
		Events: Events{Lost: func(n cluster.NodeID) { say("lost %d", n) }, Returned: func(n cluster.NodeID) { say("returned %d", n) },
			LossHeld:    func(n cluster.NodeID, why string) { say("held %d: %s", n, why) },
			MoveStarted: func(shard.VolumeID, int, string) { c.moves++ },
			DriveTold: func(d cluster.DriveID, failed, full, slow bool) {
				say("drive %d failed %t full %t slow %t", d, failed, full, slow)
			}}},
		drained: map[cluster.DriveID]bool{}}
	c.leader.c = c.leader.c.withDefaults()
	c.watcher = newWatcher(c.leader)
}

// live lets time pass, with the leader's rounds.
func (c *community) live(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(roundEvery) {
		require.NoError(c.t, c.watcher.run(c.t.Context()))
		require.NoError(c.t, c.leader.steerMoves(c.t.Context()))
	}
}

func (c *community) stateOf(n cluster.NodeID) cluster.Life { return c.topology().View.Node(n).State }

// moving returns the volumes with a move under way.
func (c *community) moving() (ids []shard.VolumeID) {
	for id, v := range c.topology().Volumes {
		if v.Move != nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// A node is lost when it has been down for the whole time, not sooner; then its slots
// are rebuilt, and it is taken back when it returns.
func TestLostAfterTheThreshold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCommunity(t, 4, []uint64{1, 2, 3}, []uint64{2, 3, 4})
		c.live(time.Minute)
		c.down[1] = true
		c.live(lostAfter - roundEvery)
		require.Equal(t, cluster.Active, c.stateOf(1))
		require.Empty(t, c.moving())
		c.live(3 * roundEvery)
		require.Equal(t, cluster.Lost, c.stateOf(1))
		require.Equal(t, []string{"lost 1"}, c.said)
		require.Equal(t, []shard.VolumeID{1}, c.moving(), "what lay there is rebuilt, and nothing else moves")

		c.down[1] = false
		c.live(2 * roundEvery)
		require.Equal(t, cluster.Active, c.stateOf(1))
		require.Equal(t, []string{"lost 1", "returned 1"}, c.said)
		require.Empty(t, c.moving(), "the rebuild makes no sense any more")
		require.Equal(t, []cluster.DriveID{1, 2, 3}, c.topology().Volumes[1].Slots)
	})
}

// A node that comes and goes, however often and long in all, is never lost, and nothing
// is rebuilt for it.
func TestFlappingNodeIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCommunity(t, 4, []uint64{1, 2, 3})
		for range 50 {
			c.down[1] = true
			c.live(lostAfter - 10*roundEvery)
			c.down[1] = false
			c.live(2 * roundEvery)
		}
		require.Equal(t, cluster.Active, c.stateOf(1))
		require.Empty(t, c.said)
		require.Zero(t, c.moves)
	})
}

// Most of a cluster is not declared lost by itself, also not one after the other of
// those that went down together: then it is the network.
func TestMoreThanHalfIsNeverLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCommunity(t, 5, []uint64{1, 2, 3})
		c.down[1], c.down[2], c.down[3] = true, true, true
		c.live(2 * lostAfter)
		why := "it has been down for 15m0s, but only 2 of 5 nodes would be left: bring nodes back, or remove it"
		require.Equal(t, []string{"held 1: " + why, "held 2: " + why, "held 3: " + why}, c.said, "told once each")
		require.Zero(t, c.moves)

		c.said, c.down[1] = nil, false
		c.live(2 * roundEvery)
		require.Equal(t, []string{"lost 2", "lost 3"}, c.said, "enough are left now")
		require.Equal(t, cluster.Active, c.stateOf(1))
		c.down[1] = true
		c.live(2 * lostAfter)
		require.Len(t, c.said, 3)
		require.Equal(t, cluster.Active, c.stateOf(1), "what is lost counts as well")
	})
}

// Of two nodes none is ever lost by itself.
func TestHalfIsNeverLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCommunity(t, 2)
		c.down[2] = true
		c.live(2 * lostAfter)
		require.Equal(t, cluster.Active, c.stateOf(2))
		require.Len(t, c.said, 1)
	})
}

// A new leader waits the whole time again, and so does one that has not led for a while.
func TestNewLeaderCountsFromZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCommunity(t, 4)
		c.down[1] = true
		c.live(lostAfter - 10*roundEvery)
		c.lead()
		c.live(lostAfter - 10*roundEvery)
		require.Equal(t, cluster.Active, c.stateOf(1))
		time.Sleep((watchGap + 1) * roundEvery) // Another one led.
		c.live(lostAfter - 10*roundEvery)
		require.Equal(t, cluster.Active, c.stateOf(1))
		c.live(12 * roundEvery)
		require.Equal(t, cluster.Lost, c.stateOf(1))
	})
}

// Where the time is set to nothing, no node is ever lost by itself.
func TestNobodyIsLostWithoutAThreshold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCommunity(t, 4)
		c.terms.LostAfter = 0
		c.down[1] = true
		c.live(2 * lostAfter)
		require.Equal(t, cluster.Active, c.stateOf(1))
		require.Empty(t, c.said)
	})
}
