package group

import (
	"github.com/hashicorp/raft"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/raftlog"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/meta/snapshot"
)

// Names by which Raft keeps its variables in the stable store.
const (
	stableTerm     = "CurrentTerm"
	stableVoteTerm = "LastVoteTerm"

	stableUnset = "not found" // The text of the error where a variable was never set.
)

func inconsistent(format string, args ...any) error {
	return errs.Newf("group.Open", errs.Corrupt, format+"; this node may have lost what it has acknowledged "+
		"and must not vote: stop it, move its metadata directory away and start it again: it does not vote until the others "+
		"have let it join again", args...)
}

// reconcile makes sure at start that log, snapshot and state fit together, since
// Raft does not restore a snapshot by itself (a state that is ahead of it would be
// thrown away): a state behind the snapshot is replaced by it, a log that a received
// snapshot has overtaken is dropped, and everything else that does not fit is
// refused.
func reconcile(log *raftlog.Store, snaps *snapshot.Store, f *fsm) error {
	snap := snaps.Latest()
	if snap != nil {
		if applied, _ := f.state.current.Applied(); applied < snap.StateIndex {
			if err := restoreLatest(snaps, f, snap); err != nil {
				return err
			}
		}
		if err := dropOvertakenLog(log, snap); err != nil {
			return err
		}
	}
	return checkFit(log, snap, f)
}

// restoreLatest brings a state up to the newest snapshot. A crash while a snapshot
// was installed, or the loss of the state's directory, leaves it behind.
func restoreLatest(snaps *snapshot.Store, f *fsm, snap *snapshot.Meta) error {
	_, source, err := snaps.Open(snap.Raft.ID)
	if err != nil {
		return err
	}
	defer source.Close()
	err = f.Restore(source)
	if record.IsContradiction(err) {
		return errs.Newf("group.Open", errs.Corrupt, "the snapshot %s has a bad record: %w; %s", snap.Raft.ID, err, mendIt)
	}
	if errs.Is(err, errs.Corrupt) {
		return inconsistent("the snapshot %s is damaged: %w", snap.Raft.ID, err)
	}
	return err
}

// dropOvertakenLog finishes what Raft does when it has installed a snapshot from a
// leader: entries before it that are not known to be committed must go. (Were they
// kept beside later ones, this node could one day send them to others.)
func dropOvertakenLog(log *raftlog.Store, snap *snapshot.Meta) error {
	first, _ := log.FirstIndex()
	last, _ := log.LastIndex()
	if first == 0 || first > snap.Raft.Index || !snap.Received {
		return nil
	}
	if last >= snap.Raft.Index {
		var l raft.Log
		if err := log.GetLog(snap.Raft.Index, &l); err != nil {
			return err
		}
		if l.Term == snap.Raft.Term {
			return nil
		}
	}
	return log.DeleteRange(first, last)
}

// checkFit refuses a log that lacks entries between the snapshot and what the state
// has applied.
func checkFit(log *raftlog.Store, snap *snapshot.Meta, f *fsm) error {
	applied, term := f.state.current.Applied()
	first, _ := log.FirstIndex()
	last, _ := log.LastIndex()
	var snapIndex uint64
	if snap != nil {
		snapIndex = snap.Raft.Index
	}
	switch {
	case first > snapIndex+1:
		return inconsistent("the Raft log begins at entry %d but the snapshot ends at %d", first, snapIndex)
	case applied > max(last, snapIndex):
		return inconsistent("the Raft log ends at entry %d but entry %d has been applied", last, applied)
	case snap != nil && !snap.Received && last < snapIndex:
		return inconsistent("the Raft log ends at entry %d, before the snapshot of entry %d", last, snapIndex)
	}
	if first != 0 && applied >= first && applied <= last {
		var l raft.Log
		if err := log.GetLog(applied, &l); err != nil {
			return err
		}
		if l.Term != term {
			return inconsistent("entry %d was applied in term %d but the Raft log has it in term %d",
				applied, term, l.Term)
		}
	}
	return nil
}

// forgetHalfBootstrap undoes a bootstrap that a crash cut short: the term was
// written, the first entry was not, and Raft would refuse to bootstrap again. A node
// without entries that has never voted has promised nothing in that term.
func forgetHalfBootstrap(log *raftlog.Store, snaps *snapshot.Store) error {
	last, _ := log.LastIndex()
	term, err := log.GetUint64([]byte(stableTerm))
	if err != nil || term != 1 || last != 0 || snaps.Latest() != nil {
		return nil // Also where the term was never written.
	}
	if _, err := log.GetUint64([]byte(stableVoteTerm)); err == nil {
		return nil
	}
	return log.SetUint64([]byte(stableTerm), 0)
}
