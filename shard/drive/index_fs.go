package drive

import (
	"errors"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// indexFS is the index's file system. Once the index has failed nothing is
// written any more: Pebble expects its process to end when the MANIFEST cannot
// be written, and going on would list one flush twice.
type indexFS struct {
	vfs.FS
	broken *atomic.Bool
}

var errIndexBroken = errors.New("the index has failed before")

func (fs indexFS) check() error {
	if fs.broken.Load() {
		return errIndexBroken
	}
	return nil
}

func (fs indexFS) wrap(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return indexFile{f, fs}, nil
}

// Create implements vfs.FS.
func (fs indexFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.check(); err != nil {
		return nil, err
	}
	return fs.wrap(fs.FS.Create(name, c))
}

// OpenReadWrite implements vfs.FS.
func (fs indexFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	if err := fs.check(); err != nil {
		return nil, err
	}
	return fs.wrap(fs.FS.OpenReadWrite(name, c, o...))
}

// ReuseForWrite implements vfs.FS.
func (fs indexFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.check(); err != nil {
		return nil, err
	}
	return fs.wrap(fs.FS.ReuseForWrite(from, to, c))
}

// Rename implements vfs.FS.
func (fs indexFS) Rename(from, to string) error {
	if err := fs.check(); err != nil {
		return err
	}
	return fs.FS.Rename(from, to)
}

// Link implements vfs.FS.
func (fs indexFS) Link(from, to string) error {
	if err := fs.check(); err != nil {
		return err
	}
	return fs.FS.Link(from, to)
}

// Remove implements vfs.FS.
func (fs indexFS) Remove(name string) error {
	if err := fs.check(); err != nil {
		return err
	}
	return fs.FS.Remove(name)
}

// Unwrap implements vfs.FS.
func (fs indexFS) Unwrap() vfs.FS { return fs.FS }

type indexFile struct {
	vfs.File
	fs indexFS
}

// Write implements vfs.File.
func (f indexFile) Write(p []byte) (int, error) {
	if err := f.fs.check(); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

// WriteAt implements vfs.File.
func (f indexFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.fs.check(); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, off)
}
