package state

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/query"
	"github.com/cairnstore/cairn/meta/record"
)

// Options of a State.
type Options struct {
	FS         vfs.FS
	Dir        string
	CacheBytes int64 // Block cache, without memtables; 0: DefaultCacheBytes.
	Events     Events

	// Cache is shared with other databases, and is to have room for MemTableBytes
	// besides what it is to hold. Nil: one of CacheBytes.
	Cache *pebble.Cache

	limits *dropLimits // For tests.
}

// State is the state machine. See the package comment for what may run at once.
type State struct {
	db     *pebble.DB
	events Events
	failed failure
	noRoom chan struct{} // Has one element after a flush found the file system full.
	limits dropLimits

	closing chan struct{} // Ends waits for room.

	applyMu sync.Mutex // Held by Apply, Checkpoint and Close; guards mem.
	mem     *memory
	broken  error // An Apply failed; guarded by applyMu.

	// viewMu makes the commit of a batch and what is published of it one step
	// for queries.
	viewMu  sync.RWMutex
	applied *metapb.Applied // As committed. Never changed, only replaced.
	cluster *metapb.Cluster // Likewise.
	refused *metapb.Contradictions

	directory       query.DirectoryLog
	bucketsRevision uint64 // Of the last change of a bucket, or a later one.
}

// Open opens the database in o.Dir, or makes an empty one.
func Open(o Options) (*State, error) {
	s := &State{events: o.Events.withDefaults(), limits: dropLimits{inline: dropInline, perObject: dropInlinePerObject,
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

// checkOrder refuses a database whose tables hold sequence numbers that are still to
// be given. Pebble reads a MANIFEST up to the first record that is damaged, and the
// first record lists the tables but not the last sequence number. The state would
// look like an older one and then, as numbers are given again, hide what is applied
// and show what is not. (Where later records are lost the state is an older one, and
// the log or a snapshot brings it up to date.) It must come before the first write.
func (s *State) checkOrder() error {
	b := s.db.NewBatch()
	// Takes the next number but gives it to nothing, and writes nothing.
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

// load reads the records that are kept in memory, from what was committed.
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
	}
	return nil
}

// Applied returns index and term of the last applied entry.
func (s *State) Applied() (index, term uint64) {
	s.viewMu.RLock()
	defer s.viewMu.RUnlock()
	return s.applied.Index, s.applied.Term
}

// Query answers q from the current state. Safe concurrently with Apply. A
// refusal is an answer. Errors: Invalid (an unknown query), Corrupt.
func (s *State) Query(q *metapb.Query) (_ *metapb.Answer, err error) {
	s.viewMu.RLock()
	snap := s.db.NewSnapshot()
	v := query.View{Records: snap, Applied: s.applied, Cluster: s.cluster, Directory: s.directory,
		BucketsRevision: s.bucketsRevision, ListSteps: s.limits.listSteps}
	s.viewMu.RUnlock()
	defer func() { // After a panic too, which the caller may recover from.
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

// Flush returns when everything applied before the call survives a crash. It
// fails when the database has (Events.BackgroundError), rather than waiting for a
// disk that may never recover, and (NoSpace) when the file system is full: what is
// applied stays in memory, and in the Raft log.
func (s *State) Flush() error {
	select {
	case <-s.noRoom: // Of an earlier try.
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

// Checkpoint writes the state, flushed, into dir, which must not exist: hard
// links where the file system has them. No Apply runs meanwhile, so the
// checkpoint is as of Applied where the applier calls it.
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

// Metrics returns what the database counts. It must not be called after Close.
func (s *State) Metrics() *pebble.Metrics { return s.db.Metrics() }

// Close flushes and closes the database. Nothing may be in progress.
func (s *State) Close() error {
	s.applyMu.Lock()
	defer s.applyMu.Unlock()
	s.broken = errs.New("state.Apply", errs.Unavailable, errors.New("the metadata state is closed"))
	err := s.Flush()
	if errs.Is(err, errs.NoSpace) {
		err = nil // The Raft log has it.
	}
	close(s.closing)
	return errors.Join(err, s.db.Close())
}
