//go:build linux

package drive

import (
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"
)

// punch gives the file's blocks in [off, off+n) back to the file system, so that they read as zeros
// from then on. It reports whether that happened.
func punch(f vfs.File, off, n int64) bool {
	fd := f.Fd()
	if fd == vfs.InvalidFd {
		return false
	}
	return unix.Fallocate(int(fd), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n) == nil
}

// trim gives back what was preallocated past the end of the file's data.
func trim(f vfs.File, size int64) {
	if fd := f.Fd(); fd != vfs.InvalidFd {
		_ = unix.Ftruncate(int(fd), size) // Only space is lost where it fails.
	}
}

// startWriteback asks the kernel to write [off, off+n) out and does not wait, so that the sync at the
// end of a large shard finds little left to do.
func startWriteback(f vfs.File, off, n int64) {
	if fd := f.Fd(); fd != vfs.InvalidFd {
		_ = unix.SyncFileRange(int(fd), off, n, unix.SYNC_FILE_RANGE_WRITE) // A hint.
	}
}

// dropCache makes later reads of clean pages come from the device. After a failed sync the page cache
// may hold what the device never got, and a check must not believe it.
func dropCache(f vfs.File) {
	if fd := f.Fd(); fd != vfs.InvalidFd {
		_ = unix.Fadvise(int(fd), 0, 0, unix.FADV_DONTNEED) // A hint.
	}
}
