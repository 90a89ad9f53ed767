package query

import (
	"cmp"
	"slices"

	"github.com/cairnstore/cairn/meta/record"
)

// DirectoryLogMax is how many of the latest changes of the directory are remembered at least,
// if there were so many since the state was opened.
const DirectoryLogMax = 8192

// DirectoryLog remembers the names of the entries that were changed last. A node that knows an
// older directory is told what has changed since, and need not read all of it.
//
// It lies in memory alone. A state that was just opened remembers nothing and answers the
// whole directory. So replicas may remember differently far back, but whichever of them a
// node asks, it ends up with the same directory.
//
// A DirectoryLog is a value: With makes a new one, and the old one stays as it is, for the
// queries that have it.
type DirectoryLog struct {
	changes []EntryChange // Ascending by revision.
	since   uint64        // All changes after this revision are in changes.
}

// EntryChange says which entry was changed, and at which position.
type EntryChange struct {
	record.EntryName
	Revision uint64
}

// NewDirectoryLog returns a log that remembers nothing of how the directory became what it is
// at revision.
func NewDirectoryLog(revision uint64) DirectoryLog { return DirectoryLog{since: revision} }

// With returns the log after further changes, which ascend. It may be called only of the log
// that the last call returned, since a log and the next one share memory.
func (l DirectoryLog) With(changes []EntryChange) DirectoryLog {
	l.changes = append(l.changes, changes...)
	if forgotten := len(l.changes) - DirectoryLogMax; forgotten >= DirectoryLogMax {
		l.since = l.changes[forgotten-1].Revision
		l.changes = slices.Clone(l.changes[forgotten:])
	}
	return l
}

// after returns the names of the entries that were changed after a revision, each once and in
// the order of the directory, and whether the log goes back so far.
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
