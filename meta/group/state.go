package group

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/files"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/meta/snapshot"
	"github.com/cairnstore/cairn/meta/state"
)

// stateMachine is what a group needs of meta/state. One goroutine applies, checkpoints and
// closes; many query beside it.
type stateMachine interface {
	Applied() (index, term uint64)
	FeatureLevel() uint32
	Apply(entries []state.Entry) ([]*metapb.Result, error)
	Query(q *metapb.Query) (*metapb.Answer, error)
	Contradictions() (applied uint64, c *metapb.Contradictions)
	Flush() error
	Checkpoint(dir string) error
	Close() error
}

// openStateFunc opens the state in dir, and makes an empty one where there is none.
type openStateFunc func(fs vfs.FS, dir string) (stateMachine, error)

// mendIt tells an operator what to do about a record without which nothing can be applied.
const mendIt = "where other voters run, stop this node, move its metadata directory away and start it again: " +
	"it is made anew from theirs; where all have stopped so, `cairn meta check --data DIR` names what is wrong " +
	"and `cairn meta mend` mends or removes it (docs/operations.md, \"A record is bad\")"

// stateDir is the directory that holds the state. The state has generations: each is a
// directory with a number for a name, and the file CURRENT holds the number in force. A
// restored snapshot makes the next generation.
type stateDir struct {
	fs   vfs.FS
	dir  string
	open openStateFunc

	panicked func(value any, stack []byte) // Events.QueryPanicked.

	mu      sync.RWMutex // Queries hold it shared; restore and close hold it alone.
	current stateMachine // The generation in force.
	number  uint64       // Its number.
	closed  bool
}

// The names in the directory of a group; see the package comment.
const (
	logDir       = "log"
	stateDirName = "state"
	snapshotsDir = "snapshots"

	currentName = "CURRENT"
)

// openStateDir opens the generation in force and removes what a crash has left of others. Errors:
// Corrupt, with what an operator can do about it.
func openStateDir(fs vfs.FS, dir string, open openStateFunc) (*stateDir, error) {
	d := &stateDir{fs: fs, dir: dir, open: open}
	if err := files.MkdirSynced(fs, dir); err != nil {
		return nil, err
	}
	n, err := d.readCurrent()
	if err != nil {
		return nil, err
	}
	if n == 0 {
		n = 1
		if err := d.writeCurrent(n); err != nil {
			return nil, err
		}
	}
	d.number = n
	if err := d.removeOthers(); err != nil {
		return nil, err
	}
	if err := files.MkdirSynced(fs, d.path(n)); err != nil {
		return nil, err
	}
	d.current, err = open(fs, d.path(n))
	switch {
	case record.IsContradiction(err):
		err = errs.Newf("group.Open", errs.Corrupt,
			"a record without which nothing can be applied is bad: %w; %s", err, mendIt)
	case errs.Is(err, errs.Corrupt):
		err = errs.Newf("group.Open", errs.Corrupt, "the state is damaged: %w; stop this node and move %s away: "+
			"the state is made anew from the snapshot and the Raft log", err, d.path(n))
	}
	return d, err
}

func (d *stateDir) path(n uint64) string {
	return d.fs.PathJoin(d.dir, strconv.FormatUint(n, 10))
}

// readCurrent returns the number in force; 0 where there is none yet.
func (d *stateDir) readCurrent() (uint64, error) {
	b, err := files.Read(d.fs, d.fs.PathJoin(d.dir, currentName))
	if files.IsNotExist(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || n == 0 {
		return 0, errs.Newf("group.Open", errs.Corrupt, "the file %s in %s does not hold a number",
			currentName, d.dir)
	}
	return n, nil
}

// writeCurrent puts a generation in force, durably.
func (d *stateDir) writeCurrent(n uint64) error {
	return files.Replace(d.fs, d.dir, currentName, []byte(strconv.FormatUint(n, 10)+"\n"))
}

// removeOthers removes all generations but the one in force.
func (d *stateDir) removeOthers() error {
	names, err := d.fs.List(d.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		n, err := strconv.ParseUint(name, 10, 64)
		if err == nil && n != d.number {
			if err := d.fs.RemoveAll(d.path(n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// query answers from the generation in force. A query that panics, since a record is damaged,
// fails with Internal; everything else can still be served. The panic must not go further:
// whoever asks may be a goroutine of this node that nothing recovers, and the process would end.
func (d *stateDir) query(q *metapb.Query) (a *metapb.Answer, err error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return nil, errNotLeader
	}
	defer func() {
		if v := recover(); v != nil {
			d.panicked(v, debug.Stack())
			a, err = nil, errs.Newf("group.Read", errs.Internal,
				"a query of the metadata panicked; see the log of the node that leads")
		}
	}()
	return d.current.Query(q)
}

func (d *stateDir) applied() (index, term uint64) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.current.Applied()
}

func (d *stateDir) featureLevel() uint32 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.current.FeatureLevel()
}

func (d *stateDir) contradictions() (applied uint64, c *metapb.Contradictions) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.current.Contradictions()
}

// restore replaces the state by the one that fill puts into a new directory. fill returns the
// index and term of the last entry that this state has applied; a state as of another entry is
// refused with Corrupt. The old state is in force until CURRENT is replaced, and the new one
// from then on.
func (d *stateDir) restore(fill func(dir string) (index, term uint64, err error)) error {
	n := d.number + 1
	dir := d.path(n)
	if err := d.fs.RemoveAll(dir); err != nil && !files.IsNotExist(err) {
		return err
	}
	next, err := d.build(dir, fill) // It is proven to be whole before the old one goes.
	if err != nil {
		_ = d.fs.RemoveAll(dir)
		return err
	}
	if err := d.writeCurrent(n); err != nil {
		_ = next.Close()
		return err
	}
	d.mu.Lock()
	old, oldNumber := d.current, d.number
	d.current, d.number = next, n
	d.mu.Unlock()
	if err := old.Close(); err != nil {
		return fmt.Errorf("close the replaced state: %w", err)
	}
	return d.fs.RemoveAll(d.path(oldNumber))
}

// build fills a directory, makes it durable and opens it.
func (d *stateDir) build(dir string, fill func(dir string) (index, term uint64, err error)) (stateMachine, error) {
	if err := files.MkdirSynced(d.fs, dir); err != nil {
		return nil, err
	}
	index, term, err := fill(dir)
	if err != nil {
		return nil, err
	}
	if err := files.SyncDir(d.fs, dir); err != nil {
		return nil, err
	}
	next, err := d.open(d.fs, dir)
	if err != nil {
		return nil, err
	}
	if i, t := next.Applied(); i != index || t != term {
		return nil, errors.Join(errs.Newf("group.Restore", errs.Corrupt, "a snapshot of entry %d in term %d "+
			"holds a state of entry %d in term %d", index, term, i, t), next.Close())
	}
	return next, nil
}

func (d *stateDir) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	return d.current.Close()
}

// fsm is the state as Raft sees it. Raft calls it from one goroutine.
type fsm struct {
	state  *stateDir
	snaps  *snapshot.Store
	events Events
	admit  func(int64) error // Asks for room; nil where there is always enough.

	entries []state.Entry // Reused by ApplyBatch.
	broken  error         // Why nothing is applied any more; nil: entries are applied.
}

// snapshotNeed is how many bytes a snapshot takes where its tables can be linked: the tables
// that memory is flushed to, and a MANIFEST.
const snapshotNeed = 32 << 20

var _ raft.BatchingFSM = (*fsm)(nil)

// Apply implements raft.FSM.
func (f *fsm) Apply(l *raft.Log) any { return f.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch implements raft.BatchingFSM. Its reply to an entry is an error; the *metapb.Result
// of its command, or a []*metapb.Result where several share it; nil where it has no command or
// was applied before.
func (f *fsm) ApplyBatch(logs []*raft.Log) []any {
	replies := make([]any, len(logs))
	applied, _ := f.state.current.Applied()
	f.entries = f.entries[:0]
	carried := make([]int, len(logs)) // How many of f.entries each has become.
	for i, l := range logs {
		if l.Index <= applied { // G5.
			continue
		}
		carried[i] = len(f.entries)
		f.append(l)
		carried[i] = len(f.entries) - carried[i]
	}
	if len(f.entries) == 0 {
		return replies
	}
	results, err := f.apply(f.entries)
	clear(f.entries) // The commands are to be freed.
	for i, n := range carried {
		switch {
		case n == 0:
			continue
		case err != nil:
			replies[i] = err
			continue
		case n > 1:
			replies[i] = results[:n:n]
		case results[0] != nil:
			replies[i] = results[0]
		}
		results = results[n:]
	}
	return replies
}

// append appends the commands of an entry to those that are to be applied.
func (f *fsm) append(l *raft.Log) {
	if l.Type != raft.LogCommand {
		f.entries = append(f.entries, state.Entry{Index: l.Index, Term: l.Term})
		return
	}
	commands := commandsOf(l.Data)
	for i, c := range commands {
		f.entries = append(f.entries, state.Entry{Index: l.Index, Term: l.Term, Command: c,
			Part: i, More: i < len(commands)-1})
	}
}

// apply applies entries. The process ends where that fails: the state lacks entries then, and
// the next start applies them again.
func (f *fsm) apply(entries []state.Entry) ([]*metapb.Result, error) {
	if f.broken != nil {
		return nil, f.broken
	}
	start := time.Now()
	results, err := f.state.current.Apply(entries)
	if err == nil && len(results) != len(entries) {
		err = errs.Newf("group.Apply", errs.Internal, "%d results of %d entries", len(results), len(entries))
	}
	if err != nil {
		f.broken = errs.Wrap("group.Apply", err)
		if record.IsContradiction(err) {
			f.broken = errs.Newf("group.Apply", errs.Corrupt,
				"a record without which nothing can be applied is bad: %w; %s", err, mendIt)
		}
		f.events.Fatal(f.broken)
		return nil, f.broken
	}
	f.applied(entries, time.Since(start))
	return results, nil
}

// applied tells that entries were applied.
func (f *fsm) applied(parts []state.Entry, took time.Duration) {
	entries, commands := 0, 0
	for i := range parts {
		if !parts[i].More {
			entries++
		}
		if parts[i].Command != nil {
			commands++
		}
	}
	f.events.Applied(entries, commands, took)
}

// Snapshot implements raft.FSM. It takes a checkpoint, which later entries do not change. Errors:
// raft.ErrNothingNewToSnapshot, and NoSpace; the log is kept then.
//
// It takes none of a state that a leader has just sent. The log is empty then, and Raft asks
// for a snapshot at once, since the distance from the snapshot to the log's last entry, 0,
// wraps around. A snapshot that this node took itself says that the log has reached it. The
// log has not, so entries would seem to be lost, and the node would not start again.
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) {
	if f.broken != nil {
		return nil, f.broken
	}
	start := time.Now()
	index, term := f.state.current.Applied()
	if m := f.snaps.Latest(); m != nil && m.Received && m.StateIndex == index {
		return nil, raft.ErrNothingNewToSnapshot
	}
	if f.admit != nil {
		// Without a snapshot the log is not cut. It grows until there is room for one.
		if err := f.admit(snapshotNeed); err != nil {
			f.events.NoRoom("taking a snapshot of the metadata", err)
			return nil, err
		}
	}
	c, err := f.snaps.Checkpoint(index, term, f.state.current.Checkpoint)
	if err != nil {
		return nil, err
	}
	f.events.SnapshotTaken(index, time.Since(start))
	return c, nil
}

// Restore implements raft.FSM. It replaces the state by a snapshot, and entries are applied
// again where that had failed before. Errors: Corrupt, where the old state stays in force, and
// those of the file system.
func (f *fsm) Restore(source io.ReadCloser) error {
	start := time.Now()
	err := f.state.restore(func(dir string) (index, term uint64, err error) {
		return f.snaps.UnpackInto(dir, source)
	})
	if err != nil {
		return errs.Wrap("group.Restore", fmt.Errorf("restore a snapshot: %w", err))
	}
	f.broken = nil
	index, _ := f.state.current.Applied()
	f.events.StateRestored(index, time.Since(start))
	return nil
}
