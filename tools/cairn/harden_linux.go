package main

import "golang.org/x/sys/unix"

// hideMemory makes the process one that cannot be dumped: no core is written, whatever its
// limits become and wherever core_pattern leads, and other processes of the same user can
// neither trace it nor read its memory, environment and open files. Root can. What a
// process reads of itself below /proc stays readable to it.
func hideMemory() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
