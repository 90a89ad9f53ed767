package query

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestViewLogIsBounded: what is remembered of changes is bounded, and older logs stay as they
// were.
func TestViewLogIsBounded(t *testing.T) {
	l := NewViewLog(0)
	epoch := uint64(1)
	for range ViewLogMax {
		older := l
		l = l.With([]ViewChange{{Epoch: epoch, Node: epoch}, {Epoch: epoch, Volume: uint32(epoch)},
			{Epoch: epoch, Volume: 1}, {Epoch: epoch, Volume: 1}})
		require.LessOrEqual(t, len(l.changes), 2*ViewLogMax)
		if older.since < epoch-1 {
			nodes, _, ok := older.after(epoch - 1)
			require.True(t, ok)
			require.Equal(t, []uint64{epoch - 1}, nodes, "an older log stays as it was")
		}
		epoch++
	}
	require.GreaterOrEqual(t, len(l.changes), ViewLogMax)
	_, _, ok := l.after(l.since - 1)
	require.False(t, ok)
	nodes, volumes, ok := l.after(l.since)
	require.True(t, ok)
	require.Len(t, nodes, int(epoch-l.since))
	require.Len(t, volumes, int(epoch-l.since)+1)
}
