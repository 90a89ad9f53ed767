package group

import (
	"github.com/hashicorp/raft"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/raftlog"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/meta/snapshot"
)

// The names under which Raft keeps its variables in the stable store.
const (
	stableTerm     = "CurrentTerm"
	stableVoteTerm = "LastVoteTerm"

	stableUnset = "not found" // The text of the error for a variable that was never set.
)

// inconsistent returns the error of metadata that do not fit together. It tells the operator
// what to do.
func inconsistent(format string, args ...any) error {
	return errs.Newf("group.Open", errs.Corrupt, format+"; this node may have lost what it has acknowledged "+
		"and must not vote: stop it, move its metadata directory away and start it again: it does not vote until the others "+
		"have let it join again", args...)
}

// reconcile makes log, snapshot and state fit together when the group is opened. A state that
// is behind the newest snapshot is replaced by it. A log that a received snapshot has overtaken
// is dropped. Whatever else does not fit is refused with Corrupt.
//
// Raft is told not to restore the snapshot itself (NoSnapshotRestoreOnStart): it would replace
// a state that is ahead of the snapshot too.
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

// restoreLatest replaces the state by the newest snapshot. The state is behind where a crash
// came while a snapshot was installed, or where its directory was lost.
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

// dropOvertakenLog drops the log where a leader's snapshot was installed and the log does not
// hold the snapshot's last entry in the same term. Raft drops such a log itself after it has
// installed a snapshot; a crash may have come before. The entries are not known to be
// committed. If they were kept and later ones appended, this node could some day send them to
// others.
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

// checkFit returns an error of kind Corrupt where the log lacks entries that the snapshot or
// the state show to have been there, or has another entry than the one that was applied last.
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

// forgetHalfBootstrap undoes a bootstrap that a crash has cut short: the term was written and
// the first entry was not, so Raft would refuse to bootstrap again. A node that has no entries
// and has never voted has promised nothing in that term.
func forgetHalfBootstrap(log *raftlog.Store, snaps *snapshot.Store) error {
	last, _ := log.LastIndex()
	term, err := log.GetUint64([]byte(stableTerm))
	if err != nil || term != 1 || last != 0 || snaps.Latest() != nil {
		return nil // An error means that the term was never written.
	}
	if _, err := log.GetUint64([]byte(stableVoteTerm)); err == nil {
		return nil
	}
	return log.SetUint64([]byte(stableTerm), 0)
}
