package drive

import (
	"container/list"
	"errors"
	"sync"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// files keeps the files of segments open while they are used, and at most limit others. A large
// drive has more segments than a process may have open files.
type files struct {
	fs    vfs.FS
	limit int
	watch func(what string) (end func() bool)
	bad   func(path string, off int64, err error) // A read failed for the device's sake; may be nil.

	mu   sync.Mutex
	idle list.List // Of *file: open and not used. The one used last is in front.
}

// file is a segment's file, which is opened when it is used. Whoever has a reference to the segment
// may use it, from many goroutines.
type file struct {
	set  *files
	path string

	opening sync.Mutex // Held while it is opened. Taken before set.mu.

	// Under set.mu.
	f     vfs.File      // Nil while it is not open.
	users int           // Uses that have not ended.
	place *list.Element // In set.idle, where it is there.
}

// errNotOpened says that a file could not be opened, so nothing is known of what is in it.
var errNotOpened = errors.New("a segment could not be opened: check the limit of open files and the device")

// add makes a file of an open one. It is in use until rest is called for the first time.
func (s *files) add(path string, f vfs.File) *file {
	return &file{set: s, path: path, f: f, users: 1}
}

// use opens the file and keeps it open until rest.
func (x *file) use() (vfs.File, error) {
	x.opening.Lock()
	defer x.opening.Unlock()
	x.set.mu.Lock()
	x.users++
	if x.place != nil {
		x.set.idle.Remove(x.place)
		x.place = nil
	}
	f := x.f
	x.set.mu.Unlock()
	if f != nil {
		return f, nil
	}
	f, err := x.set.fs.OpenReadWrite(x.path, vfs.WriteCategoryUnspecified)
	x.set.mu.Lock()
	defer x.set.mu.Unlock()
	if err != nil {
		x.users--
		if oserror.IsNotExist(err) {
			return nil, err
		}
		return nil, errors.Join(errNotOpened, err)
	}
	x.f = f
	return f, nil
}

// rest ends a use.
func (x *file) rest() {
	x.set.mu.Lock()
	var last vfs.File
	if x.users--; x.users == 0 && x.f != nil {
		x.place = x.set.idle.PushFront(x)
		if x.set.idle.Len() > x.set.limit {
			old := x.set.idle.Remove(x.set.idle.Back()).(*file)
			last, old.f, old.place = old.f, nil, nil
		}
	}
	x.set.mu.Unlock()
	if last != nil {
		_ = last.Close() // Everything that counts was synced before.
	}
}

// close closes the file. Nobody may use it any more.
func (x *file) close() error {
	x.set.mu.Lock()
	f := x.f
	x.f = nil
	if x.place != nil {
		x.set.idle.Remove(x.place)
		x.place = nil
	}
	x.set.mu.Unlock()
	if f == nil {
		return nil
	}
	return f.Close()
}

// ReadAt implements io.ReaderAt.
func (x *file) ReadAt(p []byte, off int64) (int, error) {
	f, err := x.use()
	if err != nil {
		return 0, err
	}
	defer x.rest()
	n, err := f.ReadAt(p, off)
	if deviceFailed(err) && x.set.bad != nil {
		x.set.bad(x.path, off, err)
	}
	return n, err
}

// WriteAt implements io.WriterAt.
func (x *file) WriteAt(p []byte, off int64) (n int, err error) {
	err = x.change("a write", func(f vfs.File) (err error) {
		n, err = f.WriteAt(p, off)
		return err
	})
	return n, err
}

// Sync makes the file durable.
func (x *file) Sync() error { return x.change("a sync", vfs.File.Sync) }

// SyncData makes durable what is needed to read the file's bytes.
func (x *file) SyncData() error { return x.change("a sync", vfs.File.SyncData) }

// change changes the file by do, which is watched because it may hang.
func (x *file) change(what string, do func(vfs.File) error) error {
	f, err := x.use()
	if err != nil {
		return err
	}
	defer x.rest()
	defer x.set.watch(what + " of " + x.path)()
	return do(f)
}
