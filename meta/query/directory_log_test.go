package query

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/record"
)

// TestDirectoryLogIsBounded: what is remembered of changes is bounded, and older logs stay
// as they were.
func TestDirectoryLogIsBounded(t *testing.T) {
	var l DirectoryLog
	revision := uint64(0)
	for range 4 * DirectoryLogMax / 4 {
		revision++
		var changes []EntryChange
		for i := range 4 {
			changes = append(changes, EntryChange{record.EntryName{Kind: 1, Name: fmt.Sprint(revision, i)}, revision})
		}
		older := l
		l = l.With(changes)
		require.LessOrEqual(t, len(l.changes), 2*DirectoryLogMax)
		if older.since < revision-1 {
			names, ok := older.after(revision - 2)
			require.True(t, ok)
			require.Len(t, names, 4, "an older log stays as it was")
		}
		names, ok := l.after(revision - 1)
		require.True(t, ok)
		require.Len(t, names, 4)
	}
	require.GreaterOrEqual(t, len(l.changes), DirectoryLogMax)
	_, ok := l.after(l.since - 1)
	require.False(t, ok)
	names, ok := l.after(l.since)
	require.True(t, ok)
	require.Len(t, names, int(revision-l.since)*4)
}
