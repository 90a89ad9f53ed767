package state

import (
	"cmp"
	"slices"
	"strings"
)

// directoryLogMax is how many of the latest changes of the directory are remembered at
// least, where there were so many since the state was opened.
const directoryLogMax = 8192

// directoryLog is the names of the entries that were changed last, so that whoever knows
// an older directory need not be told of all of it. It lies in memory alone: a state that
// was just opened remembers nothing, and answers the whole directory instead. Replicas
// may remember differently far back; what they answer makes the same directory.
//
// A copy stays as it is while others are made from it.
type directoryLog struct {
	changes []entryChange // Ascending by revision.
	since   uint64        // Every change after this revision is there.
}

type entryChange struct {
	entryName
	revision uint64
}

// newDirectoryLog returns the log of a directory of a revision, of whose changes nothing
// is remembered.
func newDirectoryLog(revision uint64) directoryLog { return directoryLog{since: revision} }

// with returns the log after further changes. Only the newest log may be given some.
func (l directoryLog) with(changes []entryChange) directoryLog {
	l.changes = append(l.changes, changes...)
	if forgotten := len(l.changes) - directoryLogMax; forgotten >= directoryLogMax {
		l.since = l.changes[forgotten-1].revision
		l.changes = slices.Clone(l.changes[forgotten:])
	}
	return l
}

// after returns the names of what has changed after a revision, in the order of the
// directory, and whether the log goes back so far.
func (l directoryLog) after(revision uint64) ([]entryName, bool) {
	if revision < l.since {
		return nil, false
	}
	first, _ := slices.BinarySearchFunc(l.changes, revision+1, func(c entryChange, r uint64) int { return cmp.Compare(c.revision, r) })
	names := make([]entryName, 0, len(l.changes)-first)
	for _, c := range l.changes[first:] {
		names = append(names, c.entryName)
	}
	slices.SortFunc(names, entryName.compare)
	return slices.Compact(names), true
}

// compare is the order of the directory.
func (n entryName) compare(m entryName) int {
	return cmp.Or(cmp.Compare(n.kind, m.kind), strings.Compare(n.name, m.name))
}
