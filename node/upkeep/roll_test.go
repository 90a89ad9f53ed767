package upkeep

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
)

type rollBook struct {
	Metadata
	fails error
}

func (b *rollBook) Topology(context.Context) (*meta.Topology, error) {
	return meta.NewTopology(&metapb.ViewAnswer{Nodes: []*metapb.Node{{Id: 1}, {Id: 2}, {Id: 3}}}), b.fails
}

func TestRollIsCalled(t *testing.T) {
	var called []int
	book := &rollBook{}
	u := &Upkeep{c: Config{Metadata: book, Alive: func(n cluster.NodeID) bool { return n != 2 },
		Events: Events{Called: func(alive int) { called = append(called, alive) }}}}
	require.NoError(t, u.callRoll(t.Context()))
	require.Equal(t, []int{2}, called)
	book.fails = errors.New("no leader")
	require.ErrorIs(t, u.callRoll(t.Context()), book.fails)
	require.Len(t, called, 1)
}
