package state

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDirectoryLogIsBounded: what is remembered of changes is bounded, and older logs stay
// as they were.
func TestDirectoryLogIsBounded(t *testing.T) {
	var l directoryLog
	revision := uint64(0)
	for range 4 * directoryLogMax / 4 {
		revision++
		var changes []entryChange
		for i := range 4 {
			changes = append(changes, entryChange{entryName{1, fmt.Sprint(revision, i)}, revision})
		}
		older := l
		l = l.with(changes)
		require.LessOrEqual(t, len(l.changes), 2*directoryLogMax)
		if older.since < revision-1 {
			names, ok := older.after(revision - 2)
			require.True(t, ok)
			require.Len(t, names, 4, "an older log stays as it was")
		}
		names, ok := l.after(revision - 1)
		require.True(t, ok)
		require.Len(t, names, 4)
	}
	require.GreaterOrEqual(t, len(l.changes), directoryLogMax)
	_, ok := l.after(l.since - 1)
	require.False(t, ok)
	names, ok := l.after(l.since)
	require.True(t, ok)
	require.Len(t, names, int(revision-l.since)*4)
}
