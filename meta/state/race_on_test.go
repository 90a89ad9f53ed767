//go:build race

package state

// raced says that the race detector is on. What is pooled is dropped at random then, and
// exhaustive tests, which it makes ten times slower and which have no more races in their
// last case than in their first, do a part; make test-unraced does all.
const raced = true
