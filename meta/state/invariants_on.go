//go:build invariants

package state

// invariants says that a put looks whether its content id is in use.
const invariants = true
