//go:build unix

package identity

import (
	"io/fs"
	"os"
	"syscall"
)

// ownerOf returns the user that a file belongs to, and the one that this process runs as.
func ownerOf(info fs.FileInfo) (owner, self int) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(s.Uid), os.Geteuid()
	}
	return noUser, os.Geteuid()
}
