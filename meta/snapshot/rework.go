package snapshot

import (
	"errors"

	"github.com/cairnstore/cairn/meta/files"
)

// Rework makes a snapshot of the newest one after change, which gets a copy of its state,
// and removes all others. Where change changes nothing, all stay as they are.
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
	k := &Sink{snaps: s, meta: Meta{Number: n, Raft: m.Raft, StateIndex: m.StateIndex, StateTerm: m.StateTerm, Received: m.Received}}
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
