//go:build race

package drive

// raced says that the race detector is on. Exhaustive tests, which it makes ten times
// slower and which have no more races in their last case than in their first, do a part
// then; make test-unraced does all.
const raced = true
