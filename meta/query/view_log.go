package query

import (
	"cmp"
	"slices"
)

// ViewLogMax is how many of the latest changes of nodes and volumes are remembered at least, if
// there were so many since the state was opened. A change takes 24 bytes.
const ViewLogMax = 32 << 10

// ViewLog remembers which nodes and volumes were changed last. A node that has an older view is
// told what has changed since, and need not be sent all of it: with 100,000 volumes that is 11 MB
// for each slot that moves.
//
// It lies in memory alone. A state that was just opened remembers nothing and answers the whole
// view. Replicas may remember differently far back, but whichever of them is asked, the asker ends
// up with the same view.
//
// A ViewLog is a value: With makes a new one, and the old one stays as it is, for the queries that
// have it.
type ViewLog struct {
	changes []ViewChange // Ascending by epoch.
	since   uint64       // All changes of this epoch and of later ones are in changes.
}

// ViewChange says that the record of a node or of a volume was changed or removed. The other of the
// two is 0. Epoch is that of the view before the change: whoever has a view of this epoch or of an
// earlier one may not know of it. So it holds for changes that made no new view, too.
type ViewChange struct {
	Epoch  uint64
	Node   uint64
	Volume uint32
}

// NewViewLog returns a log that remembers nothing of how the view of an epoch became what it is, or
// of what was changed in it without a new epoch.
func NewViewLog(epoch uint64) ViewLog { return ViewLog{since: epoch + 1} }

// With returns the log after further changes, which ascend. It may be called only of the log that
// the last call returned, since a log and the next one share memory.
func (l ViewLog) With(changes []ViewChange) ViewLog {
	l.changes = append(l.changes, changes...)
	if forgotten := len(l.changes) - ViewLogMax; forgotten >= ViewLogMax {
		l.since = l.changes[forgotten-1].Epoch + 1
		l.changes = slices.Clone(l.changes[forgotten:])
	}
	return l
}

// after returns which nodes and volumes may be others than in the view of an epoch, each once and
// ascending, and whether the log goes back so far.
func (l ViewLog) after(epoch uint64) (nodes []uint64, volumes []uint32, ok bool) {
	if epoch < l.since {
		return nil, nil, false
	}
	first, _ := slices.BinarySearchFunc(l.changes, epoch, func(c ViewChange, e uint64) int {
		return cmp.Compare(c.Epoch, e)
	})
	for _, c := range l.changes[first:] {
		if c.Node != 0 {
			nodes = append(nodes, c.Node)
		}
		if c.Volume != 0 {
			volumes = append(volumes, c.Volume)
		}
	}
	slices.Sort(nodes)
	slices.Sort(volumes)
	return slices.Compact(nodes), slices.Compact(volumes), true
}
