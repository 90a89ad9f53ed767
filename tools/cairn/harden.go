package main

import (
	"errors"
	"os"
	"syscall"
)

const (
	// ownFiles keeps what this process makes to its user, whatever umask it was started
	// with: keys, certificates, logs, state, segments, backups.
	ownFiles = 0o077
	ownDir   = 0o700
	// noCore keeps memory, and the keys in it, out of core files. Linux writes none below
	// a page, and passes none to a program (core_pattern with |) at 1, which it does at 0.
	noCore = 1
)

// harden keeps what this process knows to itself and its files to its user. It is called
// once, first.
func harden() error {
	syscall.Umask(ownFiles)
	return errors.Join(limitCore(), hideMemory())
}

// limitCore goes no higher than what was allowed before, which may be less.
func limitCore() error {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &r); err != nil {
		return err
	}
	r.Max = min(r.Max, noCore)
	r.Cur = r.Max
	return syscall.Setrlimit(syscall.RLIMIT_CORE, &r)
}

// ownDirs closes data directories to others that are there already: older versions made
// them readable. One that belongs to another user (a mount of Kubernetes, which a group
// may write) is left as it is.
func ownDirs(dirs []string) {
	for _, dir := range dirs {
		_ = os.Chmod(dir, ownDir)
	}
}
