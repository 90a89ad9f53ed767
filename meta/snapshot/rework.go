package snapshot

import (
	"errors"

	"github.com/cairnstore/cairn/meta/files"
)

// Rework replaces the newest snapshot by one whose state is changed. It gives change a
// directory with a copy of the state. change may replace any file there, but must not write
// to a table, which is a link to the snapshot's own. Where change reports that it has changed
// something, the copy becomes a snapshot of the same entry, and all other snapshots are
// removed, so that none of them brings the old state back. Otherwise nothing is different
// afterwards. It is for offline use: nobody may read a snapshot meanwhile.
func (s *Store) Rework(change func(dir string) (changed bool, err error)) error {
	m := s.Latest()
	if m == nil {
		return nil
	}
	n, err := s.newDir()
	if err != nil {
		return err
	}
	changed, err := s.reworkInto(n, m, change)
	if err != nil || !changed {
		return errors.Join(err, s.fs.RemoveAll(s.path(n)))
	}
	k := &Sink{snaps: s, meta: *m}
	k.meta.Number = n
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

// reworkInto makes the copy in the directory of snapshot n and has it changed.
func (s *Store) reworkInto(n uint64, m *Meta, change func(dir string) (changed bool, err error)) (bool, error) {
	dir := s.statePath(n)
	if err := files.MkdirSynced(s.fs, dir); err != nil {
		return false, err
	}
	if err := s.linkInto(dir, m); err != nil {
		return false, err
	}
	return change(dir)
}
