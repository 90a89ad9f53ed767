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
	kept     = 2 // How many snapshots are kept, beside those that are being read.
	metaName = "meta"
	stateDir = "state"
)

// Store is Raft's snapshot store. Safe for concurrent use.
type Store struct {
	fs  vfs.FS
	dir string

	mu    sync.Mutex
	last  uint64         // The greatest number given out.
	metas []*Meta        // The newest first. A Meta does not change once it is here.
	reads map[uint64]int // How many readers each snapshot has, which keep it from being removed.
}

// Meta describes a snapshot: what its meta file holds.
type Meta struct {
	// Number is the name of the snapshot's directory, and its id as Raft has it.
	Number uint64
	Raft   raft.SnapshotMeta
	// StateIndex and StateTerm are of the last entry that the state has applied. Raft.Index
	// may be greater: Raft's own entries, such as barriers, do not reach the state.
	StateIndex uint64
	StateTerm  uint64
	// Received says that a leader sent the snapshot, so this node's log need not reach it.
	Received bool
	Files    []File
}

// File describes a file of a snapshot's state.
type File struct {
	Name string
	Size int64
	Sum  *uint32 `json:",omitempty"` // Its CRC-32C; nil for a table, whose blocks have checksums.
}

// intact returns an error of kind Corrupt where sum is not the checksum of the file. A
// damaged MANIFEST can be read as that of an older state, so without this check an older
// state could be restored as if it were the snapshot's.
func (f File) intact(sum uint32) error {
	if f.Sum != nil && *f.Sum != sum {
		return errs.Newf("snapshot.Read", errs.Corrupt, "the file %s of a snapshot is damaged: %w", f.Name, errBadChecksum)
	}
	return nil
}

// isTable reports whether a file is one whose blocks have checksums that Pebble verifies.
func isTable(name string) bool {
	ext := path.Ext(name)
	return ext == ".sst" || ext == ".blob"
}

var _ raft.SnapshotStore = (*Store)(nil)

// Open opens the snapshots in dir, which is made where it is missing. It reads every meta
// file, and removes directories without one. Errors: Corrupt where a meta file is damaged,
// else those of the file system.
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

// load reads the meta file of snapshot n.
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
			"move its metadata directory away and start it again: it does not vote until the others have let it "+
			"join again", s.path(n), err)
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

// newDir makes a directory for a snapshot and returns its number.
func (s *Store) newDir() (uint64, error) {
	s.mu.Lock()
	s.last++
	n := s.last
	s.mu.Unlock()
	return n, files.MkdirSynced(s.fs, s.path(n))
}

// Latest returns the newest snapshot; nil where there is none. The caller does not change it.
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

// List implements raft.SnapshotStore. The newest comes first.
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

// Create implements raft.SnapshotStore. Nothing is written before a checkpoint is persisted
// to the sink, or a stream written to it.
func (s *Store) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration,
	configurationIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	return &Sink{snaps: s, meta: Meta{Raft: raft.SnapshotMeta{Version: version, Index: index,
		Term: term, Configuration: configuration, ConfigurationIndex: configurationIndex}}}, nil
}

// Open implements raft.SnapshotStore. It returns the snapshot as a stream, which the caller
// closes; until then the snapshot is kept. Errors: NotFound.
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

// doneReading says that a reader of snapshot n has ended.
func (s *Store) doneReading(n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reads[n]--; s.reads[n] == 0 {
		delete(s.reads, n)
	}
	s.reapLocked()
}

// reapLocked removes all but the newest snapshots, and leaves those that are being read. What
// cannot be removed now is tried again with the next snapshot.
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

// remove removes snapshot n. Its meta file goes first, and durably: a crash leaves either a
// whole snapshot or a directory that Open removes.
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

// Checkpoint has take put a checkpoint of the state into a new directory, which take makes.
// index and term are of the last entry that this state has applied. The caller persists the
// result to a sink, or releases it.
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

// UnpackInto fills dir with the state that source streams, and returns the index and term of
// the last entry that this state has applied. Where source is a snapshot of this very store,
// its tables are linked and not copied, since they never change. Errors: Corrupt, or those
// of the file system; dir may hold some of the files then.
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

// linkInto links the tables of a snapshot into dir. The other files, which Pebble may change,
// are copied, and the copies are checked.
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

// Checkpoint is a state that is to become a snapshot. It implements raft.FSMSnapshot.
type Checkpoint struct {
	snaps       *Store
	number      uint64
	index, term uint64
	adopted     bool // A sink has taken the directory over.
}

// Persist implements raft.FSMSnapshot. It copies nothing: the sink, which must be one of a
// Store, takes the directory over.
func (c *Checkpoint) Persist(sink raft.SnapshotSink) error {
	s, ok := sink.(*Sink)
	if !ok {
		return errs.Newf("snapshot.Persist", errs.Internal, "a sink of type %T", sink)
	}
	s.adopt(c)
	return s.Close()
}

// Release implements raft.FSMSnapshot. It removes the checkpoint unless a sink has taken it
// over.
func (c *Checkpoint) Release() {
	if !c.adopted {
		_ = c.snaps.fs.RemoveAll(c.snaps.path(c.number)) // If it fails, Open removes it.
	}
}
