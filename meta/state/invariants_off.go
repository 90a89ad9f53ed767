//go:build !invariants

package state

// invariants says that a put looks whether its content id is in use. Ids are random
// and a command is applied once, so only a proposer's bug could make it so.
const invariants = false
