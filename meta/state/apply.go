package state

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// Entry is one command of an entry of the log, most often the only one. Raft's own entries have
// no Command: they only move the applied index.
type Entry struct {
	Index, Term uint64
	Command     []byte // A metapb.Command, marshalled, or nil.

	Part int  // How many commands of the same entry come before this one.
	More bool // Others of the same entry follow: it is applied once they are.
}

// Apply applies entries in order and returns a result for each of them: nil for an entry
// without a command, and for one that was applied before, which is passed over. It commits them
// as one batch, which is not synced: see Flush. All commands of an entry of the log must be
// given, in their order, and in one call.
//
// A command that meets a Contradiction is refused, and the commands are then committed one by
// one. After any other error the State applies nothing more: every later call returns the same
// error. The entry that the error names has had no effect. The caller must stop the node.
func (s *State) Apply(entries []Entry) ([]*metapb.Result, error) {
	s.applyMu.Lock()
	defer s.applyMu.Unlock()
	if s.broken != nil {
		return nil, s.broken
	}
	results, err := s.apply(entries)
	if record.IsContradiction(err) {
		results, err = s.applyEach(entries)
	}
	if err != nil {
		s.broken = errs.Wrap("state.Apply", err)
		return nil, s.broken
	}
	return results, nil
}

// apply applies entries in one batch. After an error nothing of them is in the database, but
// s.mem may hold what they did: load makes it anew.
func (s *State) apply(entries []Entry) (results []*metapb.Result, err error) {
	t := s.begin()
	defer func() { err = errors.Join(err, t.close()) }()
	results = make([]*metapb.Result, len(entries))
	for i := range entries {
		e := &entries[i]
		if isApplied(t.applied, e) {
			continue
		}
		if e.Command != nil {
			if results[i], err = t.apply(e); err != nil {
				return nil, fmt.Errorf("log entry %d: %w", e.Index, err)
			}
		}
		t.advance(e)
	}
	return results, s.commit(t)
}

// commit writes what the batch has gathered in memory, commits it, and publishes for queries
// what they do not read from the database. A batch in which nothing was applied is thrown away.
func (s *State) commit(t *tx) error {
	if !t.advanced {
		return nil
	}
	t.storeSessions()
	t.storeStats()
	t.storeUsage()
	t.set(keys.AppendApplied(t.key()), t.applied)
	t.closeRefs()
	if t.err != nil {
		return t.err
	}
	s.viewMu.Lock()
	defer s.viewMu.Unlock()
	if err := t.batch.Commit(pebble.NoSync); err != nil {
		return record.DBError(err)
	}
	s.applied, s.cluster, s.refused = t.applied, t.mem.cluster, t.mem.refused
	s.directory, s.bucketsRevision = s.directory.With(t.directory), t.bucketsRevision
	s.viewLog = s.viewLog.With(t.views)
	return nil
}

// apply applies one command and returns its result: what the session has recorded of an earlier
// try, or what the command did. Errors are those of t.err, and those of a command that cannot
// be decoded or is not known.
func (t *tx) apply(e *Entry) (*metapb.Result, error) {
	cmd := new(metapb.Command)
	if err := proto.Unmarshal(e.Command, cmd); err != nil {
		// The log vouches for its bytes, so they are the same on all voters.
		return nil, &record.Contradiction{Kind: metapb.ContradictionKind_CONTRADICTION_COMMAND,
			Cause: errs.New("state", errs.Corrupt, err)}
	}
	if cmd.Op == nil {
		return nil, errUnknown()
	}
	t.cmd, t.session, t.budget, t.events = cmd, nil, t.inline, 0
	t.position = nextPosition(t.applied, e)
	r := t.enter()
	if r == nil {
		if r = t.dispatch(cmd); r == nil {
			return nil, errUnknown()
		}
		r.Index = t.position
		if r.Refusal == metapb.Refusal_REFUSAL_NO_SUCH_BUCKET {
			// The proposer thought that the bucket exists, so what it knows of buckets is older.
			r.ConfigRevision = t.applied.ConfigRevision
		}
		t.record(r)
	}
	return r, t.err
}

func errUnknown() error {
	return errs.Newf("state", errs.Invalid, "unknown command: it was written by a newer release; upgrade this node")
}

// dispatch applies a command and returns its result; nil if this release does not know the
// command.
func (t *tx) dispatch(cmd *metapb.Command) *metapb.Result {
	switch op := cmd.Op.(type) {
	case *metapb.Command_FormCluster:
		return t.formCluster(op.FormCluster)
	case *metapb.Command_OpenSession:
		return t.openSession(op.OpenSession)
	case *metapb.Command_RegisterNode:
		return t.registerNode(op.RegisterNode)
	case *metapb.Command_CreateVolumes:
		return t.createVolumes(op.CreateVolumes)
	case *metapb.Command_LeaseExtents:
		return t.leaseExtents(op.LeaseExtents)
	case *metapb.Command_ReleaseLeases:
		return t.releaseLeases(op.ReleaseLeases)
	case *metapb.Command_CreateBucket:
		return t.createBucket(op.CreateBucket)
	case *metapb.Command_DeleteBucket:
		return t.deleteBucket(op.DeleteBucket)
	case *metapb.Command_SetBucketConfig:
		return t.setBucketConfig(op.SetBucketConfig)
	case *metapb.Command_SetBucketQuota:
		return t.setBucketQuota(op.SetBucketQuota)
	case *metapb.Command_WriteEntries:
		return t.writeEntries(op.WriteEntries)
	case *metapb.Command_PutObject:
		return t.putObject(op.PutObject)
	case *metapb.Command_DeleteObjects:
		return t.deleteObjects(op.DeleteObjects)
	case *metapb.Command_UpdateVersion:
		return t.updateVersion(op.UpdateVersion)
	case *metapb.Command_CreateUpload:
		return t.createUpload(op.CreateUpload)
	case *metapb.Command_PutPart:
		return t.putPart(op.PutPart)
	case *metapb.Command_CompleteUpload:
		return t.completeUpload(op.CompleteUpload)
	case *metapb.Command_AbortUpload:
		return t.abortUpload(op.AbortUpload)
	case *metapb.Command_ForgetUploads:
		return t.forgetUploads(op.ForgetUploads)
	}
	return t.dispatchUpkeep(cmd)
}

// dispatchUpkeep is dispatch for pins and the commands of upkeep.
func (t *tx) dispatchUpkeep(cmd *metapb.Command) *metapb.Result {
	switch op := cmd.Op.(type) {
	case *metapb.Command_RaiseFeatureLevel:
		return t.raiseFeatureLevel(op.RaiseFeatureLevel)
	case *metapb.Command_BeginEra:
		return t.beginEra(op.BeginEra)
	case *metapb.Command_ReleaseOrphans:
		return t.releaseOrphans(op.ReleaseOrphans)
	case *metapb.Command_DriveReconciled:
		return t.driveReconciled(op.DriveReconciled)
	case *metapb.Command_LowerClock:
		return t.lowerClock(op.LowerClock)
	case *metapb.Command_AddPin:
		return t.addPin(op.AddPin)
	case *metapb.Command_DropPins:
		return t.dropPins(op.DropPins)
	case *metapb.Command_SetMissing:
		return t.setMissing(op.SetMissing)
	case *metapb.Command_DoomExtents:
		return t.doomExtents(op.DoomExtents)
	case *metapb.Command_ForgetExtents:
		return t.forgetExtents(op.ForgetExtents)
	case *metapb.Command_ReplaceExtent:
		return t.replaceExtent(op.ReplaceExtent)
	case *metapb.Command_TrimContents:
		return t.trimContents(op.TrimContents)
	case *metapb.Command_ExpireVersions:
		return t.expireVersions(op.ExpireVersions)
	case *metapb.Command_TransitionVersion:
		return t.transitionVersion(op.TransitionVersion)
	case *metapb.Command_DropEvents:
		return t.dropEvents(op.DropEvents)
	}
	return t.dispatchLife(cmd)
}

// dispatchLife is dispatch for the life of nodes, drives and volumes.
func (t *tx) dispatchLife(cmd *metapb.Command) *metapb.Result {
	switch op := cmd.Op.(type) {
	case *metapb.Command_SetNodeState:
		return t.setNodeState(op.SetNodeState)
	case *metapb.Command_SetDriveState:
		return t.setDriveState(op.SetDriveState)
	case *metapb.Command_RemoveNode:
		return t.removeNode(op.RemoveNode)
	case *metapb.Command_RemoveDrive:
		return t.removeDrive(op.RemoveDrive)
	case *metapb.Command_ReportDrive:
		return t.reportDrive(op.ReportDrive)
	case *metapb.Command_StartMove:
		return t.startMove(op.StartMove)
	case *metapb.Command_FinishMove:
		return t.finishMove(op.FinishMove)
	case *metapb.Command_CancelMove:
		return t.cancelMove(op.CancelMove)
	}
	return nil
}
