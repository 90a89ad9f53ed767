package group

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/files"
	"github.com/cairnstore/cairn/meta/snapshot"
	"github.com/cairnstore/cairn/meta/state"
)

// LookAt opens the records of the state in force in cfg.Dir for look, and closes them
// afterwards. No Group may be open there. Errors: NotFound where there are no metadata; those
// of look.
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

// stateInForce returns the directory of the state in force.
func stateInForce(cfg Config) (string, error) {
	d := &stateDir{fs: cfg.FS, dir: cfg.FS.PathJoin(cfg.Dir, stateDirName)}
	n, err := d.readCurrent()
	if err == nil && n == 0 {
		err = errs.Newf("group.Records", errs.NotFound, "%s holds no metadata", cfg.Dir)
	}
	return d.path(n), err
}

// Mend replaces a record of the state in cfg.Dir; a nil value removes it. Where the newest
// snapshot has the same record, it is mended there too, and older snapshots are removed: a
// state that is made anew from a snapshot, here or at another node, must not get the old
// record back. After a crash anywhere Mend can be called again. No Group may be open in
// cfg.Dir.
func Mend(cfg Config, key, value []byte) error {
	var was []byte
	err := LookAt(cfg, func(r *state.Records) (err error) {
		was, _, err = r.Get(key)
		return err
	})
	if err != nil {
		return err
	}
	snaps, err := snapshot.Open(cfg.FS, cfg.FS.PathJoin(cfg.Dir, snapshotsDir))
	if err != nil {
		return err
	}
	// The snapshot comes first: only while the state still has the old record is it known which
	// record of the snapshot is to go.
	err = snaps.Rework(func(dir string) (changed bool, err error) { return mendRecord(cfg.FS, dir, key, was, value) })
	if err != nil {
		return fmt.Errorf("mend the snapshot: %w", err)
	}
	return LookAt(cfg, func(r *state.Records) error { return r.Set(key, value) })
}

// lockName is the file by which Pebble locks a directory that it has opened. A checkpoint has
// none.
const lockName = "LOCK"

// mendRecord replaces a record of the state in dir where it equals was, the record of the state
// in force. Where it is another one, entries between the snapshot and now have changed it, and
// it is left alone.
func mendRecord(fs vfs.FS, dir string, key, was, value []byte) (changed bool, err error) {
	r, err := state.OpenRecords(fs, dir)
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
	if err := fs.Remove(fs.PathJoin(dir, lockName)); err != nil && !files.IsNotExist(err) {
		return false, err
	}
	return changed, nil
}
