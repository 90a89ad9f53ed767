package group

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// tripping is a state whose queries of one bucket panic.
type tripping struct{ stateMachine }

func (s tripping) Query(q *metapb.Query) (*metapb.Answer, error) {
	if q.GetBucket().GetName() == "damaged" {
		var none []int
		_ = none[len(q.GetBucket().Name)]
	}
	return &metapb.Answer{ViewEpoch: 7}, nil
}

func (tripping) Close() error { return nil }

// TestQueryPanics: a query that panics fails, is told of, and all others go on, also the
// change of generation, which waits for queries.
func TestQueryPanics(t *testing.T) {
	fs := vfs.NewMem()
	d, err := openStateDir(fs, "state", func(vfs.FS, string) (stateMachine, error) { return tripping{}, nil })
	require.NoError(t, err)
	var told []any
	d.panicked = func(v any, stack []byte) {
		require.Contains(t, string(stack), "panic_test.go")
		told = append(told, v)
	}
	ask := func(name string) (*metapb.Answer, error) {
		return d.query(&metapb.Query{Op: &metapb.Query_Bucket{Bucket: &metapb.GetBucket{Name: name}}})
	}
	for range 2 {
		a, err := ask("damaged")
		require.Nil(t, a)
		require.Equal(t, errs.Internal, errs.KindOf(err))
		a, err = ask("whole")
		require.NoError(t, err)
		require.EqualValues(t, 7, a.ViewEpoch)
	}
	require.Len(t, told, 2)
	require.True(t, d.mu.TryLock(), "a query that panicked still holds the state")
	d.mu.Unlock()
}
