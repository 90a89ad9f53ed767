package query

import (
	"cmp"
	"slices"

	"github.com/cairnstore/cairn/meta/record"
)

// DirectoryLogMax is how many of the latest changes of the directory are remembered at
// least, where there were so many since the state was opened.
const DirectoryLogMax = 8192

// DirectoryLog is the names of the entries that were changed last, so that whoever knows
// an older directory need not be told of all of it. It lies in memory alone: a state that
// was just opened remembers nothing, and answers the whole directory instead. Replicas
// may remember differently far back; what they answer makes the same directory.
//
// A copy stays as it is while others are made from it.
type DirectoryLog struct {
	changes []EntryChange // Ascending by revision.
	since   uint64        // Every change after this revision is there.
}

type EntryChange struct {
	record.EntryName
	Revision uint64
}

// NewDirectoryLog returns the log of a directory of a revision, of whose changes nothing
// is remembered.
func NewDirectoryLog(revision uint64) DirectoryLog { return DirectoryLog{since: revision} }

// With returns the log after further changes. Only the newest log may be given some.
func (l DirectoryLog) With(changes []EntryChange) DirectoryLog {
	l.changes = append(l.changes, changes...)
	if forgotten := len(l.changes) - DirectoryLogMax; forgotten >= DirectoryLogMax {
		l.since = l.changes[forgotten-1].Revision
		l.changes = slices.Clone(l.changes[forgotten:])
	}
	return l
}

// after returns the names of what has changed after a revision, in the order of the
// directory, and whether the log goes back so far.
func (l DirectoryLog) after(revision uint64) ([]record.EntryName, bool) {
	if revision < l.since {
		return nil, false
	}
	first, _ := slices.BinarySearchFunc(l.changes, revision+1, func(c EntryChange, r uint64) int {
		return cmp.Compare(c.Revision, r)
	})
	names := make([]record.EntryName, 0, len(l.changes)-first)
	for _, c := range l.changes[first:] {
		names = append(names, c.EntryName)
	}
	slices.SortFunc(names, record.EntryName.Compare)
	return slices.Compact(names), true
}
