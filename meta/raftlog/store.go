package raftlog

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"github.com/cairnstore/cairn/cluster/errs"
)

const (
	// DefaultWriteTimeout is how long a write may take before the disk counts as
	// hung.
	DefaultWriteTimeout = 10 * time.Second

	// MemTableBytes is what the log takes of its cache for memtables: one that is written
	// to, and one that is flushed or kept to be written to next.
	MemTableBytes = 2 * memTableBytes

	memTableBytes = 16 << 20 // Entries live here until they are flushed.
	cacheBytes    = 8 << 20  // Of blocks; the tail of the log is in the ring instead.

	// maxTailBytes is more than one append of a leader carries by far: there must be room
	// for it before the end of the log is cut off.
	maxTailBytes = 8 << 20

	ringEntries = 4096    // Entries kept in memory,
	ringBytes   = 8 << 20 // and the bytes of their data.
)

// Options says where a Store lives. FS and Dir are required.
type Options struct {
	FS           vfs.FS
	Dir          string        // Created where missing.
	WriteTimeout time.Duration // 0: DefaultWriteTimeout.
	Events       Events

	// Admit is asked before entries with commands are written, and how many bytes they
	// take; where it fails nothing is written, StoreLogs returns its error, and the store
	// goes on: a full file system is no broken one. Nil: all are written. Entries of Raft
	// itself, its term and its vote are always written: they are tiny, and the group needs
	// them to answer reads.
	Admit func(bytes int64) error

	// Cache is shared with other databases, and is to have room for MemTableBytes
	// besides what it is to hold. Nil: a small one of the log's own.
	Cache *pebble.Cache

	// still keeps Pebble from compacting. Tests of damage, and those in which Fatal
	// returns, need it: under -tags invariants a compaction of what they leave panics.
	still bool

	// memTable replaces memTableBytes where it is not 0: a test of what compactions do to
	// the log's files needs few bytes then.
	memTable uint64
}

// Events are what a Store reports. Fatal must not return in production; the default
// panics. The others are optional and must not block.
type Events struct {
	Fatal      func(err error)
	Background func(err error) // A flush or compaction failed and will be tried again.
	WriteSlow  func(took time.Duration)
}

// Store is a Raft log and stable store. Safe for concurrent use.
type Store struct {
	db   *pebble.DB
	lock *pebble.Lock
	dir  string
	gate *gate

	mark *mark

	setMu sync.Mutex // Held to set a variable.
	sets  uint64     // Variables set, ever; guarded by setMu once the store is open.

	admit   func(int64) error
	tailCut atomic.Bool   // The log's end was cut off, and what takes its place is not there yet.
	closing chan struct{} // Ends waits for room.

	mu          sync.RWMutex
	first, last uint64 // 0: no entries.
	tail        *ring
	sizes       sizes
	cut         error // What Open found missing; see Cut.
}

var (
	_ raft.LogStore          = (*Store)(nil)
	_ raft.StableStore       = (*Store)(nil)
	_ raft.MonotonicLogStore = (*Store)(nil)
)

// Open opens or makes the store and checks every entry. Errors: Corrupt when
// acknowledged entries may be missing; the node must not take part with it.
func Open(opts Options) (*Store, error) {
	const op = "raftlog.Open"
	if opts.WriteTimeout == 0 {
		opts.WriteTimeout = DefaultWriteTimeout
	}
	if err := opts.FS.MkdirAll(opts.Dir, 0o755); err != nil {
		return nil, errs.New(op, errs.Internal, err)
	}
	// Nobody else may change the files while they are compared with the witness.
	lock, err := pebble.LockDirectory(opts.Dir, opts.FS)
	if err != nil {
		return nil, errs.New(op, errs.Internal, fmt.Errorf("lock the Raft log in %s: %w", opts.Dir, err))
	}
	s := &Store{admit: opts.Admit, closing: make(chan struct{}), lock: lock, dir: opts.Dir, gate: &gate{timeout: opts.WriteTimeout, events: opts.Events},
		tail: newRing(ringEntries, ringBytes)}
	if err := s.open(opts); err != nil {
		_ = lock.Close()
		return nil, err
	}
	return s, nil
}

func (s *Store) open(opts Options) error {
	const op = "raftlog.Open"
	err := checkManifest(opts.FS, opts.Dir)
	if err == nil {
		s.db, err = openPebble(opts, s.gate, s.lock, s.closing)
	}
	switch {
	case err == nil:
	case pebble.IsCorruptionError(err) || isDamage(err):
		return corrupt(op, opts.Dir, err)
	default:
		return errs.New(op, errs.Internal, fmt.Errorf("open the Raft log in %s: %w", opts.Dir, err))
	}
	if err := s.load(); err != nil {
		_ = s.db.Close()
		return err
	}
	if s.mark, err = openMark(opts.FS, opts.Dir, opts.Events.Background); err != nil {
		return errors.Join(errs.New(op, errs.Internal, fmt.Errorf("open the mark of the Raft log in %s: %w", opts.Dir, err)), s.db.Close())
	}
	s.cut = s.mark.judge(s.last, s.sets)
	return nil
}

// roomRetry is between two tries of a flush or compaction that finds no room: Pebble
// itself would try again at once.
const roomRetry = time.Second

func openPebble(opts Options, g *gate, lock *pebble.Lock, closing <-chan struct{}) (*pebble.DB, error) {
	cache := opts.Cache
	if cache != nil {
		cache.Ref()
	} else {
		cache = pebble.NewCache(cacheBytes + MemTableBytes) // Pebble takes memtables out of it.
	}
	defer cache.Unref()
	o := &pebble.Options{
		FS:                          witnessFS{opts.FS},
		Lock:                        lock,
		Cache:                       cache,
		FormatMajorVersion:          pebble.FormatWALSyncChunks, // Tells a torn tail from corruption.
		MemTableSize:                cmp.Or(opts.memTable, memTableBytes),
		MemTableStopWritesThreshold: 4,
		MaxOpenFiles:                64,
		Logger:                      g,
		DisableAutomaticCompactions: opts.still,
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) {
				if opts.Events.Background != nil {
					opts.Events.Background(err)
				}
				if vfs.IsNoSpaceError(err) {
					select {
					case <-closing:
					case <-time.After(roomRetry):
					}
				}
			},
		},
	}
	// Entries are written once, read rarely and dropped soon.
	for i := range o.Levels {
		o.Levels[i].Compression = func() *block.CompressionProfile { return block.NoCompression }
	}
	return pebble.Open(opts.Dir, o)
}

func corrupt(op, dir string, cause error) error {
	return errs.Newf(op, errs.Corrupt, "the Raft log in %s is damaged: %w; entries that this node "+
		"has acknowledged may be missing, so it must not vote: stop this node, move its metadata "+
		"directory away and start it again: it does not vote until the others have let it join again", dir, cause)
}

// load reads the whole log: it checks each entry and that there is no gap, and
// fills the ring.
func (s *Store) load() error {
	const op = "raftlog.Open"
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{logPrefix}, UpperBound: []byte{logPrefix + 1}})
	if err != nil {
		return errs.New(op, errs.Internal, err)
	}
	defer it.Close()
	var l raft.Log
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err == nil {
			err = decode(it.Key(), v, &l)
		}
		if err != nil {
			return corrupt(op, s.dir, fmt.Errorf("after entry %d: %w", s.last, err))
		}
		if s.last != 0 && l.Index != s.last+1 {
			return corrupt(op, s.dir, fmt.Errorf("entry %d follows entry %d", l.Index, s.last))
		}
		if s.first == 0 {
			s.first = l.Index
		}
		s.last = l.Index
		s.tail.push(&l)
		s.sizes.push(&l)
	}
	if err := it.Error(); err != nil {
		return corrupt(op, s.dir, err)
	}
	s.sets, err = s.readSets()
	return err
}

// Close closes the store. It first moves the entries out of the write-ahead log into
// tables, where damage at rest cannot be taken for a torn tail.
func (s *Store) Close() error {
	var err error
	if s.gate.broken.Load() == nil && s.hasRoom(memTableBytes) == nil {
		err = s.db.Flush()
	}
	close(s.closing)
	return errors.Join(err, s.db.Close(), s.mark.close(), s.lock.Close())
}

func (s *Store) hasRoom(n int64) error {
	if s.admit == nil {
		return nil
	}
	return s.admit(n)
}

// Metrics returns what the database counts. It must not be called after Close.
func (s *Store) Metrics() *pebble.Metrics { return s.db.Metrics() }

// IsMonotonic implements raft.MonotonicLogStore.
func (s *Store) IsMonotonic() bool { return true }

// FirstIndex returns the index of the first entry; 0 where there is none.
func (s *Store) FirstIndex() (uint64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.first, nil
}

// LastIndex returns the index of the last entry; 0 where there is none.
func (s *Store) LastIndex() (uint64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.last, nil
}

// GetLog reads an entry. Its bytes are shared and must not be changed.
func (s *Store) GetLog(index uint64, l *raft.Log) error {
	s.mu.RLock()
	found := s.tail.get(index, l)
	in := index >= s.first && index <= s.last && s.first != 0
	s.mu.RUnlock()
	if found {
		return nil
	}
	if !in {
		return raft.ErrLogNotFound
	}
	key := logKey(index)
	v, closer, err := s.db.Get(key)
	if err == pebble.ErrNotFound { // Deleted meanwhile.
		return raft.ErrLogNotFound
	}
	if err != nil {
		return errs.New("raftlog.GetLog", errs.Corrupt, err)
	}
	defer closer.Close()
	if err := decode(key, v, l); err != nil {
		return corrupt("raftlog.GetLog", s.dir, fmt.Errorf("entry %d: %w", index, err))
	}
	return nil
}

// StoreLog appends an entry.
func (s *Store) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// StoreLogs appends entries, all or none, and returns when they are durable. They
// must follow the last one, or any index where the log is empty. Errors: NoSpace, from
// Options.Admit: nothing was written. (But what follows a cut of the log's end is written
// without asking: Raft takes the end for what it was until new entries are there.)
func (s *Store) StoreLogs(logs []*raft.Log) error {
	const op = "raftlog.StoreLogs"
	if len(logs) == 0 {
		return nil
	}
	size, commands := 0, false
	next := s.next(logs[0].Index)
	for _, l := range logs {
		if l.Index != next {
			return errs.Newf(op, errs.Internal, "entry %d where %d is next", l.Index, next)
		}
		next++
		size += logKeyBytes + maxHeaderBytes + len(l.Extensions) + len(l.Data) + crcBytes + 16
		commands = commands || l.Type == raft.LogCommand
	}
	if commands && !s.tailCut.Load() {
		if err := s.hasRoom(int64(size)); err != nil {
			return err
		}
	}
	b := s.db.NewBatchWithSize(size)
	defer b.Close()
	for _, l := range logs {
		if err := appendEntry(b, l); err != nil {
			return errs.New(op, errs.Internal, err)
		}
	}
	if err := s.gate.write(op, func() error { return b.Commit(pebble.Sync) }); err != nil {
		return err
	}
	s.mark.note(false, func(last, _ *uint64) { *last = logs[len(logs)-1].Index })
	s.tailCut.Store(false)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == 0 {
		s.first = logs[0].Index
	}
	s.last = logs[len(logs)-1].Index
	for _, l := range logs {
		s.tail.push(l)
		s.sizes.push(l)
	}
	return nil
}

// next returns the index that must come next; given where any may.
func (s *Store) next(given uint64) uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.first == 0 {
		return given
	}
	return s.last + 1
}

// appendEntry encodes an entry straight into the batch.
func appendEntry(b *pebble.Batch, l *raft.Log) error {
	var hdr [maxHeaderBytes]byte
	h := appendHeader(hdr[:0], l)
	body := len(h) + len(l.Extensions) + len(l.Data)
	d := b.SetDeferred(logKeyBytes, body+crcBytes)
	putLogKey(d.Key, l.Index)
	n := copy(d.Value, h)
	n += copy(d.Value[n:], l.Extensions)
	copy(d.Value[n:], l.Data)
	binary.LittleEndian.PutUint32(d.Value[body:], checksum(d.Key, d.Value[:body]))
	return d.Finish()
}

// DeleteRange deletes the entries lo..hi, which must be a beginning or an end of
// the log.
func (s *Store) DeleteRange(lo, hi uint64) error {
	const op = "raftlog.DeleteRange"
	s.mu.Lock()
	defer s.mu.Unlock()
	lo, hi = max(lo, s.first), min(hi, s.last)
	if s.first == 0 || lo > hi {
		return nil
	}
	if lo != s.first && hi != s.last {
		return errs.Newf(op, errs.Internal, "%d..%d lies in the middle of %d..%d", lo, hi, s.first, s.last)
	}
	if lo != s.first {
		if err := s.hasRoom(maxTailBytes); err != nil {
			return err
		}
		s.tailCut.Store(true)
	}
	err := s.gate.write(op, func() error {
		if hi == s.last {
			left := lo - 1
			if lo == s.first {
				left = 0
			}
			s.mark.note(true, func(last, _ *uint64) { *last = left })
		}
		return s.db.DeleteRange(logKey(lo), logKey(hi+1), pebble.NoSync)
	})
	if err != nil {
		return err
	}
	s.tail.remove(lo, hi)
	if lo == s.first {
		s.sizes.dropFirst(hi - lo + 1)
	} else {
		s.sizes.dropLast(hi - lo + 1)
	}
	switch {
	case lo == s.first && hi == s.last:
		s.first, s.last = 0, 0
	case lo == s.first:
		s.first = hi + 1
	default:
		s.last = lo - 1
	}
	return nil
}
