package node

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/group"
	"github.com/cairnstore/cairn/meta/room"
)

// TestVotersRoom: a majority of all votes must have room. Who is down, or is an earlier incarnation of
// its node, has none of it.
func TestVotersRoom(t *testing.T) {
	const plenty, low, full, away = room.Plenty, room.Low, room.Full, room.Level(99)
	for name, test := range map[string]struct {
		voters []room.Level // Of node 1, which asks, and the others.
		what   group.Refused
		better []cluster.NodeID
	}{
		"all have plenty":                  {[]room.Level{plenty, plenty, plenty}, group.RefuseNone, []cluster.NodeID{2, 3}},
		"one has little":                   {[]room.Level{low, plenty, plenty}, group.RefuseNone, []cluster.NodeID{2, 3}},
		"two have little":                  {[]room.Level{plenty, low, low}, group.RefuseGrowth, nil},
		"two are full":                     {[]room.Level{plenty, full, full}, group.RefuseAll, nil},
		"one is full, one is away":         {[]room.Level{plenty, full, away}, group.RefuseAll, nil},
		"one has little, one is away":      {[]room.Level{low, plenty, away}, group.RefuseGrowth, []cluster.NodeID{2}},
		"two are away, and no room is low": {[]room.Level{plenty, away, away}, group.RefuseNone, nil},
		"this one is away":                 {[]room.Level{away, plenty, low}, group.RefuseGrowth, []cluster.NodeID{2}},
	} {
		t.Run(name, func(t *testing.T) {
			members := []group.Member{{Node: 99}} // Does not vote.
			for i := range test.voters {
				members = append(members, group.Member{Node: cluster.NodeID(i + 1), Voter: true})
			}
			v := roomOf(1, members, func(m group.Member) (room.Level, bool) {
				require.True(t, m.Voter)
				level := test.voters[m.Node-1]
				return level, level != away
			})
			require.Equal(t, test.what, v.what)
			require.Equal(t, test.what != group.RefuseNone, v.why != nil)
			require.Equal(t, test.better, v.better)
			require.Equal(t, len(test.voters), v.voters)
		})
	}
}

// TestStaleVoters: a member of an earlier incarnation than the one that its node has registered is
// stale, where the topology is known.
func TestStaleVoters(t *testing.T) {
	var topo *meta.Topology
	v := voters{topology: func() *meta.Topology { return topo }}
	m := group.Member{Node: 1, Voter: true}
	require.False(t, v.stale(m), "nothing is known")
	topo = &meta.Topology{View: cluster.NewView(1, []cluster.Node{{ID: 1, Incarnation: "second"}})}
	require.True(t, v.stale(m))
	m.Incarnation = "second"
	require.False(t, v.stale(m))
}
