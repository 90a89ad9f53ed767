//go:build !linux

package drive

import "github.com/cockroachdb/pebble/v2/vfs"

// Elsewhere space comes back only when a whole segment is dead.

func punch(vfs.File, int64, int64) bool { return false }

func trim(vfs.File, int64) {}

func startWriteback(vfs.File, int64, int64) {}

func dropCache(vfs.File) {}
