package drive

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
)

const (
	segDirName   = "seg"
	indexDirName = "index"
	lockName     = "lock"
)

// Drive is one directory of shards. Locks are taken in the order of the fields.
type Drive struct {
	o     Options
	fs    vfs.FS
	id    cluster.DriveID
	lock  io.Closer
	index *index

	failure      atomic.Pointer[error] // Why the drive is fenced.
	fenced       chan struct{}         // Closed when it is.
	indexFailure atomic.Pointer[error] // Why the index cannot be used any more.
	opening      atomic.Bool

	// gate is held for reading by whoever uses the index, for writing by Close.
	gate   sync.RWMutex
	closed bool

	identMu sync.Mutex
	ident   ident

	indexMu   sync.Mutex // Orders the changes of the index.
	appending turn       // Orders reservations and their headers (D1).
	space     space      // Has a lock of its own.

	mu       sync.Mutex // Guards what follows, and the fields of segments that say so.
	active   *segment   // Takes reservations; nil until the first. Whoever holds appending changes it.
	segments map[uint64]*segment
	nextSeg  uint64
	pins     map[shard.ID]*pin
	shards   int64
	used     int64 // How many bytes all live and unfinished records have.

	files     files      // Has a lock of its own.
	badPlaces unreadable // Has a lock of its own.
	commits   committer
	buffers   sync.Pool // *[ioBytes]byte.
}

var _ shard.Store = (*Drive)(nil)

// Usage is how full a drive is.
type Usage struct {
	CapacityBytes int64 // Of the file system.
	FreeBytes     int64 // Of the file system, the reserve included.
	UsedBytes     int64 // Taken by shards here, headers and padding included.
	Shards        int64
}

// ID returns the drive's id.
func (d *Drive) ID() cluster.DriveID { return d.id }

// Failed returns why the drive is fenced, or nil. Once it is not nil, all calls return Unavailable
// until the drive is closed and opened anew.
func (d *Drive) Failed() error {
	if p := d.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// Cluster returns the cluster that the drive belongs to; empty: none was recorded yet.
func (d *Drive) Cluster() string {
	d.identMu.Lock()
	defer d.identMu.Unlock()
	return d.ident.Cluster
}

// SetCluster records durably which cluster the drive belongs to. It returns Exists for a drive of
// another cluster, because its shards would be taken for orphans.
func (d *Drive) SetCluster(id string) error {
	const op = "drive.SetCluster"
	d.identMu.Lock()
	defer d.identMu.Unlock()
	switch d.ident.Cluster {
	case id:
		return nil
	case "":
	default:
		return errs.Newf(op, errs.Exists, "drive %s belongs to cluster %s", d.id, d.ident.Cluster)
	}
	d.ident.Cluster = id
	err := d.writeIdent(op)
	if err != nil {
		d.ident.Cluster = ""
	}
	return err
}

// Usage returns how full the drive is.
func (d *Drive) Usage() Usage {
	u := Usage{}
	u.CapacityBytes, u.FreeBytes = d.space.usage()
	d.mu.Lock()
	defer d.mu.Unlock()
	u.UsedBytes, u.Shards = d.used, d.shards
	return u
}

// Close ends the drive. Shards that are being committed fail with Unavailable, as do open readers
// and writers, and the next Open is quick. It waits for I/O that hangs. When called again, it
// returns nil.
func (d *Drive) Close() error {
	d.commits.close()
	d.gate.Lock()
	if d.closed {
		d.gate.Unlock()
		return nil
	}
	d.closed = true
	d.gate.Unlock()

	err := d.index.close(d.Failed() == nil)
	if d.indexError() != nil {
		_ = d.fs.RemoveAll(d.path(indexDirName)) // The next Open makes it anew.
	}
	d.mu.Lock()
	for _, s := range d.segments {
		if s.closeWhenIdle = true; s.refs == 0 {
			err = errors.Join(err, s.file.close())
		}
	}
	d.mu.Unlock()
	err = errors.Join(err, d.lock.Close())
	if err != nil {
		return errs.New("drive.Close", errs.Unavailable, err)
	}
	return nil
}

// enter begins an operation that uses the index. If it returns nil, the caller calls leave.
func (d *Drive) enter(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return errs.New(op, errs.Canceled, err)
	}
	// This is asked before the gate, at which Close may be waiting for something that hangs.
	if err := d.Failed(); err != nil {
		return errs.New(op, errs.Unavailable, err)
	}
	d.gate.RLock()
	if d.closed {
		d.gate.RUnlock()
		return errs.New(op, errs.Unavailable, errClosed)
	}
	return nil
}

func (d *Drive) leave() { d.gate.RUnlock() }

var (
	errClosed = errors.New("the drive is closed")
	errFenced = errors.New("the drive is fenced after failed or hanging I/O: check its device, then restart the node")
)

// fence takes the drive out of use. Only the first cause is kept.
func (d *Drive) fence(cause error) {
	err := errors.Join(errFenced, cause)
	if d.failure.CompareAndSwap(nil, &err) {
		close(d.fenced)
		d.o.Events.fenced(cause)
	}
}

// failWrite returns what a failed write or sync means: NoSpace for this shard, or the end of the
// drive.
func (d *Drive) failWrite(op string, err error) error {
	if vfs.IsNoSpaceError(err) {
		d.space.sawFull()
		return errs.New(op, errs.NoSpace, err)
	}
	d.fence(err)
	return errs.New(op, errs.Unavailable, err)
}

func (d *Drive) path(name string) string { return d.fs.PathJoin(d.o.Dir, name) }
func (d *Drive) segDir() string          { return d.path(segDirName) }

func nowMS() int64 { return time.Now().UnixMilli() }
