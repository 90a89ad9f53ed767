//go:build race

package state

// raced says that the race detector is on: then what is pooled is dropped at random.
const raced = true
