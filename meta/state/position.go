package state

import (
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// Commands that share an entry of the log need numbers of their own: versions, queues and
// revisions are ordered by them. The position of a command is the index of its entry, or one
// more than that of the command before it, whichever is greater. So it follows from the log
// alone, rises with each command, and is the index as long as no commands share an entry.

// nextPosition returns the position of the command of e, after what a says was applied.
func nextPosition(a *metapb.Applied, e *Entry) uint64 {
	return max(record.Position(a)+1, e.Index)
}

// isApplied reports whether e was applied, as a says.
func isApplied(a *metapb.Applied, e *Entry) bool {
	return e.Index <= a.Index || e.Index == a.Begun && uint64(e.Part) < a.BegunCommands
}

// advance notes that e was applied. The applied index moves with the last command of an entry.
// Only where the commands of an entry are committed one by one (applyEach) can a crash come
// between them; the next start then passes over those that are noted here.
func (t *tx) advance(e *Entry) {
	a, position := t.applied, max(record.Position(t.applied), e.Index)
	if e.Command != nil {
		position = nextPosition(a, e)
	}
	if e.More {
		a.Begun, a.BegunCommands = e.Index, uint64(e.Part)+1
	} else {
		a.Index, a.Term, a.Begun, a.BegunCommands = e.Index, e.Term, 0, 0
	}
	a.Ahead = position - a.Index
	t.advanced = true
}
