//go:build unix

package node

import (
	"math"
	"syscall"
)

// maxOpenFiles returns how many files this process may have open; 0: not known.
func maxOpenFiles() int {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return 0
	}
	return int(min(uint64(r.Cur), math.MaxInt32))
}
