package snapshot

import (
	"encoding/json"
	"io"
	"path"
	"slices"
	"strconv"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/files"
)

const (
	kept     = 2
	metaName = "meta"
	stateDir = "state"
)

// Store is Raft's snapshot store. A snapshot is a directory with a number for a
// name, which holds a checkpoint of the state and, written last, a meta file.
type Store struct {
	fs  vfs.FS
	dir string

	mu    sync.Mutex
	last  uint64 // The greatest number given out.
	metas []*Meta
	reads map[uint64]int // Readers of a snapshot, which keep it from being removed.
}

// Meta is what the meta file holds, as JSON after a line with its CRC-32C.
type Meta struct {
	Number     uint64
	Raft       raft.SnapshotMeta
	StateIndex uint64 // Applied index of the state; Raft.Index may lie past it by entries that are no commands.
	StateTerm  uint64
	Received   bool // From a leader: the log need not reach it.
	Files      []File
}

type File struct {
	Name string
	Size int64
	Sum  *uint32 `json:",omitempty"` // CRC-32C. nil: a table, whose blocks have checksums.
}

// intact says whether sum is that of the file's bytes. Without it damage of the
// MANIFEST would make an older state of a snapshot.
func (f File) intact(sum uint32) error {
	if f.Sum != nil && *f.Sum != sum {
		return errs.Newf("snapshot.Read", errs.Corrupt, "the file %s of a snapshot is damaged: %w", f.Name, errBadChecksum)
	}
	return nil
}

func isTable(name string) bool {
	ext := path.Ext(name)
	return ext == ".sst" || ext == ".blob"
}

var _ raft.SnapshotStore = (*Store)(nil)

// Open reads all meta files and removes directories without one.
func Open(fs vfs.FS, dir string) (*Store, error) {
	s := &Store{fs: fs, dir: dir, reads: make(map[uint64]int)}
	if err := files.MkdirSynced(fs, dir); err != nil {
		return nil, err
	}
	names, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		n, err := strconv.ParseUint(name, 10, 64)
		if err != nil {
			continue
		}
		s.last = max(s.last, n)
		if err := s.load(n); err != nil {
			return nil, err
		}
	}
	s.sortLocked()
	return s, nil
}

func (s *Store) load(n uint64) error {
	b, err := files.Read(s.fs, s.fs.PathJoin(s.path(n), metaName))
	if files.IsNotExist(err) {
		return s.fs.RemoveAll(s.path(n)) // A crash came before it was whole.
	}
	if err != nil {
		return err
	}
	m, err := decodeMeta(b)
	if err != nil || m.Number != n {
		return errs.Newf("snapshot.Open", errs.Corrupt, "the snapshot in %s is damaged (%v); stop this node, "+
			"move its metadata directory away and start it again: it does not vote until the others have let it join again", s.path(n), err)
	}
	s.metas = append(s.metas, m)
	return nil
}

func encodeMeta(m *Meta) ([]byte, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	return files.WithSum(b), nil
}

func decodeMeta(b []byte) (*Meta, error) {
	body, ok := files.CutSum(b)
	if !ok {
		return nil, errBadChecksum
	}
	m := new(Meta)
	return m, json.Unmarshal(body, m)
}

func (s *Store) path(n uint64) string {
	return s.fs.PathJoin(s.dir, strconv.FormatUint(n, 10))
}

func (s *Store) statePath(n uint64) string {
	return s.fs.PathJoin(s.path(n), stateDir)
}

// newDir makes a directory for a snapshot.
func (s *Store) newDir() (uint64, error) {
	s.mu.Lock()
	s.last++
	n := s.last
	s.mu.Unlock()
	return n, files.MkdirSynced(s.fs, s.path(n))
}

// Latest returns the newest snapshot; nil where there is none.
func (s *Store) Latest() *Meta {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.metas) == 0 {
		return nil
	}
	return s.metas[0]
}

// sortLocked puts the newest first.
func (s *Store) sortLocked() {
	slices.SortFunc(s.metas, func(a, b *Meta) int {
		if a.Raft.Index != b.Raft.Index {
			return int(int64(b.Raft.Index - a.Raft.Index))
		}
		return int(int64(b.Number - a.Number))
	})
}

// List implements raft.SnapshotStore.
func (s *Store) List() ([]*raft.SnapshotMeta, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*raft.SnapshotMeta, len(s.metas))
	for i, m := range s.metas {
		r := m.Raft
		out[i] = &r
	}
	return out, nil
}

// Create implements raft.SnapshotStore.
func (s *Store) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration,
	configurationIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	return &Sink{snaps: s, meta: Meta{Raft: raft.SnapshotMeta{Version: version, Index: index,
		Term: term, Configuration: configuration, ConfigurationIndex: configurationIndex}}}, nil
}

// Open implements raft.SnapshotStore: the snapshot as a stream.
func (s *Store) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.metas {
		if m.Raft.ID == id {
			s.reads[m.Number]++
			r := m.Raft
			return &r, newPacker(s, m), nil
		}
	}
	return nil, nil, errs.Newf("snapshot.OpenStream", errs.NotFound, "no snapshot %s", id)
}

func (s *Store) doneReading(n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reads[n]--; s.reads[n] == 0 {
		delete(s.reads, n)
	}
	s.reapLocked()
}

// reapLocked removes all but the newest snapshots, except those being read. What
// cannot be removed is found again at the next start.
func (s *Store) reapLocked() {
	if len(s.metas) <= kept {
		return
	}
	keep := s.metas[:kept:kept]
	for _, m := range s.metas[kept:] {
		if s.reads[m.Number] > 0 || s.remove(m.Number) != nil {
			keep = append(keep, m)
		}
	}
	s.metas = keep
}

// remove removes a snapshot, its meta file first, so that a crash in between does
// not leave half of one.
func (s *Store) remove(n uint64) error {
	err := s.fs.Remove(s.fs.PathJoin(s.path(n), metaName))
	if err != nil && !files.IsNotExist(err) {
		return err
	}
	if err == nil {
		if err := files.SyncDir(s.fs, s.path(n)); err != nil {
			return err
		}
	}
	return s.fs.RemoveAll(s.path(n))
}

// Checkpoint takes a checkpoint of the state into a new snapshot directory.
func (s *Store) Checkpoint(index, term uint64, take func(dir string) error) (*Checkpoint, error) {
	n, err := s.newDir()
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{snaps: s, number: n, index: index, term: term}
	if err := take(s.statePath(n)); err != nil {
		c.Release()
		return nil, err
	}
	return c, nil
}

// UnpackInto fills dir with the state that source streams, and returns as of which
// entry it is. A snapshot of this very store is linked instead of copied: its files do
// not change any more.
func (s *Store) UnpackInto(dir string, source io.ReadCloser) (index, term uint64, err error) {
	if w, ok := source.(raft.ReadCloserWrapper); ok {
		source = w.WrappedReadCloser()
	}
	if p, ok := source.(*packer); ok {
		return p.meta.StateIndex, p.meta.StateTerm, s.linkInto(dir, p.meta)
	}
	u := newUnpacker(s.fs, dir)
	if _, err := io.Copy(u, source); err != nil {
		u.abort()
		return 0, 0, err
	}
	return u.index, u.term, u.finish()
}

func (s *Store) linkInto(dir string, m *Meta) error {
	for _, f := range m.Files {
		from, to := s.fs.PathJoin(s.statePath(m.Number), f.Name), s.fs.PathJoin(dir, f.Name)
		if isTable(f.Name) {
			if err := vfs.LinkOrCopy(s.fs, from, to); err != nil {
				return err
			}
			continue
		}
		if err := vfs.Copy(s.fs, from, to); err != nil { // Synced.
			return err
		}
		sum, err := files.Sum(s.fs, to)
		if err != nil {
			return err
		}
		if err := f.intact(sum); err != nil {
			return err
		}
	}
	return nil
}

// Checkpoint is a state on its way to being a snapshot.
type Checkpoint struct {
	snaps       *Store
	number      uint64
	index, term uint64
	adopted     bool
}

// Persist implements raft.FSMSnapshot: nothing is copied, the sink takes over the
// directory.
func (c *Checkpoint) Persist(sink raft.SnapshotSink) error {
	s, ok := sink.(*Sink)
	if !ok {
		return errs.Newf("snapshot.Persist", errs.Internal, "a sink of type %T", sink)
	}
	s.adopt(c)
	return s.Close()
}

// Release implements raft.FSMSnapshot.
func (c *Checkpoint) Release() {
	if !c.adopted {
		_ = c.snaps.fs.RemoveAll(c.snaps.path(c.number)) // Else at the next start.
	}
}
