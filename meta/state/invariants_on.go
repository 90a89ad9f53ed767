//go:build invariants

package state

// invariants makes a put look whether its content id is in use.
const invariants = true
