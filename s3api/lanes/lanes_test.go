package lanes

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard/buf"
)

// TestTasksAreBounded: never more than Parallel tasks of a copy run.
func TestTasksAreBounded(t *testing.T) {
	for _, most := range []int{1, 2} {
		l := New(Config{Budget: buf.NewBudget(100, 0), Parallel: most, Tasks: 100}).Copy(1)
		var in []*Lane
		for range most {
			in = append(in, l.Enter(t.Context()))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.Nil(t, l.Enter(ctx))
		entered := make(chan *Lane)
		go func() { entered <- l.Enter(t.Context()) }()
		l.Leave(in[0])
		in[0] = <-entered
		for _, at := range in {
			l.Leave(at)
		}
	}
}

// TestOwnLane: if nothing of the budget is left, a copy still has one lane, and no second one.
func TestOwnLane(t *testing.T) {
	budget := buf.NewBudget(100, 0)
	require.True(t, budget.TryAcquire(100))
	l := New(Config{Budget: budget, Parallel: 2, Tasks: 2}).Copy(10)
	own := l.EnterHere(t.Context())
	require.NotNil(t, own)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	require.Nil(t, l.Enter(ctx))
	l.Leave(own)
	require.NotNil(t, l.Enter(t.Context()))
}

// TestHelp: a crowded node asks the node to which it has given the fewest tasks, and asks a node
// that has not done its task not again for a while. Then the copy uses its own lane.
func TestHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{Budget: buf.NewBudget(100, 0), Parallel: 4, Tasks: 0,
			Others: func() []cluster.NodeID { return []cluster.NodeID{2, 3} }})
		l := n.Copy(10)
		a, b, c := l.Enter(t.Context()), l.Enter(t.Context()), l.Enter(t.Context())
		require.ElementsMatch(t, []cluster.NodeID{2, 3}, []cluster.NodeID{a.Node, b.Node})
		busy := errs.Newf("test", errs.Overloaded, "busy")
		for _, at := range []*Lane{a, b, c} {
			at.Err = busy
			l.Leave(at)
		}
		own := l.Enter(t.Context())
		require.Zero(t, own.Node)
		l.Leave(own)
		time.Sleep(nodeRest)
		d := l.Enter(t.Context())
		require.NotZero(t, d.Node)
		l.Leave(d)
		require.Empty(t, n.there)
		require.Zero(t, n.here)
	})
}

// TestServe: a node does tasks of others while it runs fewer than Tasks, and while these take less
// than half of its budget. When they end, there is room again.
func TestServe(t *testing.T) {
	budget := buf.NewBudget(100, 0)
	n := New(Config{Budget: budget, Tasks: 3})
	a, b := n.Serve(20), n.Serve(20)
	require.NotNil(t, a)
	require.NotNil(t, b)
	require.Nil(t, n.Serve(20), "half of the budget")
	c := n.Serve(1)
	require.NotNil(t, c)
	require.Nil(t, n.Serve(1), "as many as it should")
	a()
	require.NotNil(t, n.Serve(20))
	b()
	c()
	require.EqualValues(t, 80, budget.Free())
	require.True(t, budget.TryAcquire(80))
	require.Nil(t, n.Serve(1), "nothing is free")
}
