package state

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/events"
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/query"
	"github.com/cairnstore/cairn/meta/record"
)

// Options says where a State is and what it may use.
type Options struct {
	FS         vfs.FS
	Dir        string
	CacheBytes int64 // What the block cache holds, memtables not counted; 0: DefaultCacheBytes.
	Events     Events

	// Cache is a cache that is shared with other databases. It must have room for
	// MemTableBytes besides the blocks that it is to hold. Nil: the State has a cache of its
	// own, of CacheBytes.
	Cache *pebble.Cache

	limits *dropLimits // For tests.
}

// State is the state machine of the metadata. The package comment says what may run at once.
type State struct {
	db     *pebble.DB
	events Events
	failed failure
	noRoom chan struct{} // Holds an element after a flush found the file system full.
	limits dropLimits

	closing chan struct{} // Closed to end waits for room.

	applyMu sync.Mutex // Held by Apply, Checkpoint and Close; guards mem and broken.
	mem     *memory
	broken  error // Why nothing is applied any more.

	// viewMu guards what follows. A batch is committed and published under it, so that a
	// query sees both or neither. The messages are replaced, never changed.
	viewMu  sync.RWMutex
	applied *metapb.Applied
	cluster *metapb.Cluster
	refused *metapb.Contradictions

	directory       query.DirectoryLog
	viewLog         query.ViewLog
	bucketsRevision uint64 // The index at which a bucket was last changed or deleted, or a greater one.
}

// Open opens the state in o.Dir, or makes an empty one. Errors: Corrupt if the database is
// damaged, and then a Contradiction if it is whole but a record that is kept in memory is bad
// (record.IsContradiction); Internal if the file system fails.
func Open(o Options) (*State, error) {
	s := &State{events: events.Filled(o.Events), limits: dropLimits{inline: dropInline, perObject: dropInlinePerObject,
		listSteps: query.ListSteps, eventsMax: EventQueueMax}}
	if o.limits != nil {
		s.limits = *o.limits
	}
	if s.limits.replaceBytes == 0 {
		s.limits.replaceBytes = replaceBytes
	}
	s.failed.ch, s.noRoom, s.closing = make(chan struct{}), make(chan struct{}, 1), make(chan struct{})
	opts := PebbleOptions(o)
	opts.EventListener = s.listener()
	defer opts.Cache.Unref()
	db, err := pebble.Open(o.Dir, opts)
	if err != nil {
		return nil, errs.New("state.Open", record.OpenKind(err), fmt.Errorf("metadata in %s: %w", o.Dir, err))
	}
	s.db = db
	err = s.checkOrder()
	if err == nil {
		err = s.load()
	}
	if err != nil {
		return nil, errors.Join(errs.Wrap("state.Open", err), db.Close())
	}
	return s, nil
}

// checkOrder refuses a database of which a table holds a sequence number that Pebble is still
// to give out. It must be called before the first write.
//
// Such a database has lost the end of its MANIFEST. Pebble reads a MANIFEST up to the first
// record that is damaged, and the first record lists the tables but not the last sequence
// number. The state would look like an older one at first. Then, as numbers are given out
// again, new records would be hidden behind old ones with greater numbers. (If only later
// records of the MANIFEST are lost, the state is an older one, and the log or a snapshot
// brings it up to date.)
func (s *State) checkOrder() error {
	b := s.db.NewBatch()
	// This takes the next number, gives it to nothing, and writes nothing.
	err := errors.Join(b.LogData(nil, nil), b.Commit(pebble.NoSync))
	next := b.SeqNum()
	if err = errors.Join(err, b.Close()); err != nil {
		return record.DBError(err)
	}
	levels, err := s.db.SSTables()
	if err != nil {
		return record.DBError(err)
	}
	for _, tables := range levels {
		for _, t := range tables {
			if t.LargestSeqNum >= next {
				return errs.Newf("state", errs.Corrupt, "the table %s holds records that were written after "+
					"the database's last change", t.BackingSSTNum)
			}
		}
	}
	return nil
}

// load reads from the database the records that are kept in memory: at Open, and again when
// the memory holds what a batch did that was thrown away.
func (s *State) load() error {
	applied := new(metapb.Applied)
	if _, err := record.Get(s.db, keys.AppendApplied(nil), applied); err != nil {
		return err
	}
	mem, err := loadMemory(s.db)
	if err != nil {
		return err
	}
	s.mem = mem
	s.viewMu.Lock()
	defer s.viewMu.Unlock()
	first := s.applied == nil
	s.applied, s.cluster, s.refused = applied, mem.cluster, mem.refused
	if first {
		s.directory, s.bucketsRevision = query.NewDirectoryLog(applied.DirectoryRevision), applied.ConfigRevision
		s.viewLog = query.NewViewLog(mem.cluster.ViewEpoch)
	}
	return nil
}

// Applied returns the index and the term of the last entry that was applied.
func (s *State) Applied() (index, term uint64) {
	s.viewMu.RLock()
	defer s.viewMu.RUnlock()
	return s.applied.Index, s.applied.Term
}

// FeatureLevel returns the feature level of the cluster; 0 where none was formed.
func (s *State) FeatureLevel() uint32 {
	s.viewMu.RLock()
	defer s.viewMu.RUnlock()
	return s.cluster.GetFeatureLevel()
}

// Query answers q from the state as it is now, also while Apply runs. A refusal is an answer.
// Errors are those of query.View.Answer.
func (s *State) Query(q *metapb.Query) (_ *metapb.Answer, err error) {
	s.viewMu.RLock()
	snap := s.db.NewSnapshot()
	v := query.View{Records: snap, Applied: s.applied, Cluster: s.cluster, Directory: s.directory, ViewLog: s.viewLog,
		BucketsRevision: s.bucketsRevision, ListSteps: s.limits.listSteps}
	s.viewMu.RUnlock()
	defer func() { // Deferred, since the caller may recover from a panic of Answer.
		if cerr := snap.Close(); err == nil && cerr != nil {
			err = errs.Wrap("state.Query", record.DBError(cerr))
		}
	}()
	a, err := v.Answer(q)
	if err != nil {
		return nil, errs.Wrap("state.Query", err)
	}
	return a, nil
}

// Flush makes everything durable that was applied before the call, and returns then. It does
// not wait for a disk that may never recover. Errors: Internal if a flush or a compaction has
// failed since Open (Events.BackgroundError), NoSpace if the file system is full. What was not
// flushed stays in memory, and in the Raft log.
func (s *State) Flush() error {
	select {
	case <-s.noRoom: // An earlier flush has put it there.
	default:
	}
	done, err := s.db.AsyncFlush()
	if err != nil {
		return errs.New("state.Flush", errs.Internal, err)
	}
	select {
	case <-done:
		return nil
	case <-s.failed.ch:
		return errs.New("state.Flush", errs.Internal, s.failed.cause())
	case <-s.noRoom:
		return errs.Newf("state.Flush", errs.NoSpace, "the file system is full")
	}
}

// Checkpoint writes the state into dir, which must not exist, durably and with hard links where
// the file system has them. No Apply runs meanwhile: if the goroutine that applies calls it,
// the checkpoint is as of Applied. Errors are those of Flush.
func (s *State) Checkpoint(dir string) error {
	s.applyMu.Lock()
	defer s.applyMu.Unlock()
	if err := s.Flush(); err != nil {
		return errs.Wrap("state.Checkpoint", err)
	}
	if err := s.db.Checkpoint(dir); err != nil {
		return errs.New("state.Checkpoint", errs.Internal, err)
	}
	return nil
}

// Metrics returns what the database counts of its work. It must not be called after Close.
func (s *State) Metrics() *pebble.Metrics { return s.db.Metrics() }

// Close flushes and closes the database. No other call may be in progress. Afterwards Apply
// fails (Unavailable), and no query may be asked. A full file system is no error of Close: what
// could not be flushed is in the Raft log.
func (s *State) Close() error {
	s.applyMu.Lock()
	defer s.applyMu.Unlock()
	s.broken = errs.New("state.Apply", errs.Unavailable, errors.New("the metadata state is closed"))
	err := s.Flush()
	if errs.Is(err, errs.NoSpace) {
		err = nil
	}
	close(s.closing)
	return errors.Join(err, s.db.Close())
}
