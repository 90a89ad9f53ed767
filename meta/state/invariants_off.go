//go:build !invariants

package state

// invariants makes a put look whether its content id is in use. Ids are random and a command is
// applied once, so only a fault of the proposer could make it so, and to look costs two reads.
const invariants = false
