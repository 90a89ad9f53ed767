//go:build !unix

package node

// maxOpenFiles returns how many files this process may have open; 0: not known.
func maxOpenFiles() int { return 0 }
