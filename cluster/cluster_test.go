package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestIDsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Min(1).Draw(t, "id")
		node, err := ParseNodeID(NodeID(n).String())
		require.NoError(t, err)
		require.Equal(t, NodeID(n), node)
		drive, err := ParseDriveID(DriveID(n).String())
		require.NoError(t, err)
		require.Equal(t, DriveID(n), drive)
	})
	for _, text := range []string{"", "0", "0000000000000000", "xyz", "-1", "11112222333344445"} {
		_, err := ParseNodeID(text)
		require.Error(t, err, text)
		_, err = ParseDriveID(text)
		require.Error(t, err, text)
	}
}

func TestViewFinds(t *testing.T) {
	v := NewView(3, []Node{
		{ID: 1, Drives: []Drive{{ID: 10, Node: 1}, {ID: 11, Node: 1}}},
		{ID: 2, Drives: []Drive{{ID: 20, Node: 2}}},
	})
	require.Equal(t, NodeID(2), v.Node(2).ID)
	require.Nil(t, v.Node(3))
	require.Equal(t, NodeID(1), v.NodeOf(11).ID)
	require.Nil(t, v.NodeOf(12))
}

// Whatever a server of a node that is not registered was, nobody knows that there is a later one.
func TestViewTellsStaleServers(t *testing.T) {
	v := NewView(3, []Node{{ID: 1}, {ID: 2, Incarnation: "second"}})
	for _, c := range []struct {
		id          NodeID
		incarnation string
		stale       bool
	}{{1, "", false}, {1, "second", true}, {2, "second", false}, {2, "", true}, {3, "", false}, {3, "second", false}} {
		require.Equal(t, c.stale, v.Stale(c.id, c.incarnation), "%v", c)
	}
}

// Drives are set aside for cold data where that makes it no easier to lose.
func TestColdDrives(t *testing.T) {
	hot, cold := Drive{ID: 1}, Drive{ID: 2, Cold: true}
	for name, c := range map[string]struct {
		nodes []Node
		apart bool
	}{
		"none labelled":             {[]Node{{ID: 1, Drives: []Drive{hot}}}, false},
		"nothing but labelled":      {[]Node{{ID: 1, Drives: []Drive{cold}}}, false},
		"on every node":             {[]Node{{ID: 1, Drives: []Drive{hot, cold}}, {ID: 2, Drives: []Drive{{ID: 3}, {ID: 4, Cold: true}}}}, true},
		"on fewer nodes":            {[]Node{{ID: 1, Drives: []Drive{hot, cold}}, {ID: 2, Drives: []Drive{{ID: 3}}}}, false},
		"on nodes of their own":     {[]Node{{ID: 1, Drives: []Drive{hot}}, {ID: 2, Drives: []Drive{cold}}}, true},
		"on more nodes than others": {[]Node{{ID: 1, Drives: []Drive{hot}}, {ID: 2, Drives: []Drive{cold}}, {ID: 3, Drives: []Drive{{ID: 5, Cold: true}}}}, true},
	} {
		v := NewView(1, c.nodes)
		require.Equal(t, c.apart, v.ColdApart(), name)
		require.Equal(t, c.apart, v.Cold(2), name)
		require.False(t, v.Cold(1), name)
		require.False(t, v.Cold(99), name)
		require.Equal(t, c.apart, v.AnyCold([]DriveID{1, 2}), name)
		require.False(t, v.AnyCold([]DriveID{1}), name)
	}
}
