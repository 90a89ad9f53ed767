package drive

import (
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// indexFS is the index's file system. A change that fails breaks the index, and from then on
// changes go nowhere and succeed, and the index is thrown away. Pebble is not told of the failure,
// because it would end the process if a directory cannot be synced, list a flush twice if the
// MANIFEST cannot be written, and try a failing flush again and again while its Open waits.
//
// If there is no room for a table, nothing is broken: it is written again, but not at once.
type indexFS struct {
	vfs.FS
	broken *atomic.Bool
	fail   func(error)
}

// change makes a change of the file called name, unless the index is broken.
func (fs indexFS) change(name string, do func() error) error {
	if fs.broken.Load() {
		return nil
	}
	err := do()
	switch {
	case err == nil, oserror.IsNotExist(err), oserror.IsExist(err):
		return err
	case vfs.IsNoSpaceError(err) && strings.HasSuffix(name, ".sst"):
		return err
	}
	fs.fail(faulty(err))
	return nil
}

// file opens a file to write to. If the index is broken, a file in memory stands for it.
func (fs indexFS) file(name string, open func() (vfs.File, error)) (f vfs.File, err error) {
	err = fs.change(name, func() (err error) { f, err = open(); return err })
	if err != nil {
		return nil, err
	}
	if f == nil {
		f = vfs.NewMemFile(nil)
	}
	return indexFile{f, fs, name}, nil
}

// Create implements vfs.FS.
func (fs indexFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.file(name, func() (vfs.File, error) { return fs.FS.Create(name, c) })
}

// OpenReadWrite implements vfs.FS.
func (fs indexFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return fs.file(name, func() (vfs.File, error) { return fs.FS.OpenReadWrite(name, c, o...) })
}

// ReuseForWrite implements vfs.FS.
func (fs indexFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.file(to, func() (vfs.File, error) { return fs.FS.ReuseForWrite(from, to, c) })
}

// OpenDir implements vfs.FS: a directory is opened to be synced.
func (fs indexFS) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return indexFile{f, fs, name}, nil
}

// Rename implements vfs.FS.
func (fs indexFS) Rename(from, to string) error {
	return fs.change(to, func() error { return fs.FS.Rename(from, to) })
}

// Link implements vfs.FS.
func (fs indexFS) Link(from, to string) error {
	return fs.change(to, func() error { return fs.FS.Link(from, to) })
}

// Remove implements vfs.FS. What stays is removed when the index is opened again.
func (fs indexFS) Remove(name string) error {
	if fs.broken.Load() {
		return nil
	}
	return fs.FS.Remove(name)
}

// Unwrap implements vfs.FS.
func (fs indexFS) Unwrap() vfs.FS { return fs.FS }

type indexFile struct {
	vfs.File
	fs   indexFS
	name string
}

// Write implements vfs.File.
func (f indexFile) Write(p []byte) (int, error) {
	n := len(p)
	err := f.fs.change(f.name, func() (err error) { n, err = f.File.Write(p); return err })
	return written(n, p, err)
}

// WriteAt implements vfs.File.
func (f indexFile) WriteAt(p []byte, off int64) (int, error) {
	n := len(p)
	err := f.fs.change(f.name, func() (err error) { n, err = f.File.WriteAt(p, off); return err })
	return written(n, p, err)
}

// written is the result of a write. If the error may not be told, everything was written.
func written(n int, p []byte, err error) (int, error) {
	if err == nil {
		n = len(p)
	}
	return n, err
}

// Sync implements vfs.File.
func (f indexFile) Sync() error { return f.fs.change(f.name, f.File.Sync) }

// SyncData implements vfs.File.
func (f indexFile) SyncData() error { return f.fs.change(f.name, f.File.SyncData) }

// SyncTo implements vfs.File.
func (f indexFile) SyncTo(n int64) (full bool, err error) {
	err = f.fs.change(f.name, func() (err error) { full, err = f.File.SyncTo(n); return err })
	return full, err
}
