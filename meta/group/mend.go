package group

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/files"
	"github.com/cairnstore/cairn/meta/state"
)

// LookAt opens the records of the state in force in cfg.Dir. No Group may be open there.
func LookAt(cfg Config, look func(*state.Records) error) error {
	d, err := stateInForce(cfg)
	if err != nil {
		return err
	}
	r, err := state.OpenRecords(cfg.FS, d)
	if err != nil {
		return err
	}
	return errors.Join(look(r), r.Close())
}

func stateInForce(cfg Config) (string, error) {
	d := &stateDir{fs: cfg.FS, dir: cfg.FS.PathJoin(cfg.Dir, stateDirName)}
	n, err := d.readCurrent()
	if err == nil && n == 0 {
		err = errs.Newf("group.Records", errs.NotFound, "%s holds no metadata", cfg.Dir)
	}
	return d.path(n), err
}

// Mend replaces a record of the state in cfg.Dir, or removes it (nil). Where the newest
// snapshot has the same record, it is mended there, and older snapshots go: a state that is
// made anew from it, here or at another node, must not get the old record back. A crash
// anywhere leaves what can be mended again. No Group may be open in cfg.Dir.
func Mend(cfg Config, key, value []byte) error {
	var was []byte
	err := LookAt(cfg, func(r *state.Records) (err error) {
		was, _, err = r.Get(key)
		return err
	})
	if err != nil {
		return err
	}
	snaps, err := openSnapshots(cfg.FS, cfg.FS.PathJoin(cfg.Dir, snapshotsDir))
	if err != nil {
		return err
	}
	// First the snapshot: what it had is known by what the state has.
	if err := snaps.mend(key, was, value); err != nil {
		return fmt.Errorf("mend the snapshot: %w", err)
	}
	return LookAt(cfg, func(r *state.Records) error { return r.Set(key, value) })
}

// mend makes a snapshot of the newest one, in which a record is another, if it is what it
// was in the state.
func (s *snapshots) mend(key, was, value []byte) error {
	m := s.latest()
	if m == nil {
		return nil
	}
	n, err := s.newDir()
	if err != nil {
		return err
	}
	changed, err := s.mendInto(n, m, key, was, value)
	if err != nil || !changed {
		return errors.Join(err, s.fs.RemoveAll(s.path(n)))
	}
	k := &snapshotSink{snaps: s, meta: snapshotMeta{Number: n, Raft: m.Raft, StateIndex: m.StateIndex, StateTerm: m.StateTerm, Received: m.Received}}
	if err := k.Close(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	keep := s.metas[:0]
	for _, o := range s.metas {
		if o.Number == n {
			keep = append(keep, o)
		} else {
			err = errors.Join(err, s.remove(o.Number))
		}
	}
	s.metas = keep
	return err
}

// lockName is the file by which Pebble locks its directory; a checkpoint has none.
const lockName = "LOCK"

func (s *snapshots) mendInto(n uint64, m *snapshotMeta, key, was, value []byte) (changed bool, err error) {
	dir := s.statePath(n)
	if err := files.MkdirSynced(s.fs, dir); err != nil {
		return false, err
	}
	if err := s.linkInto(dir, m); err != nil {
		return false, err
	}
	r, err := state.OpenRecords(s.fs, dir)
	if err != nil {
		return false, err
	}
	have, _, err := r.Get(key)
	if changed = err == nil && bytes.Equal(have, was) && (have == nil) == (was == nil); changed {
		err = r.Set(key, value)
	}
	if err = errors.Join(err, r.Close()); err != nil {
		return false, err
	}
	if err := s.fs.Remove(s.fs.PathJoin(dir, lockName)); err != nil && !files.IsNotExist(err) {
		return false, err
	}
	return changed, nil
}
