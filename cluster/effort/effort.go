// Package effort says how much a test does. What is exhaustive, or drawn at random, has a
// usual size; a smaller one under the race detector, which makes it ten times slower and
// finds no more races in its last case than in its first; and a larger one in the hours of
// `make test-long`. `make test-unraced` runs the usual size of what is less under the race
// detector: tools/lint proves that its packages are those that import this one.
package effort

import (
	"flag"
	"os"
	"testing"
)

// racedChecks is how many examples of a property are drawn under the race detector.
const racedChecks = "15"

// Long reports whether hours may be taken: CAIRN_TEST_LONG is set.
func Long() bool { return os.Getenv("CAIRN_TEST_LONG") != "" }

// Lessened reports whether a test is to leave to `make test-unraced` what finds no race.
func Lessened() bool { return Raced && !Long() }

// Of returns which size to use: long, raced where the race detector is on, else usual.
func Of[T any](usual, raced, long T) T {
	switch {
	case Long():
		return long
	case Raced:
		return raced
	}
	return usual
}

// Leaves reports whether case i is left out, of which one in n is enough to find races.
func Leaves(i, n int) bool { return Lessened() && i%n != 0 }

// SkipLessened skips a test that takes long under the race detector and has no other
// goroutines than its neighbours.
func SkipLessened(t testing.TB) {
	t.Helper()
	if Lessened() {
		t.Skip("left to make test-unraced")
	}
}

// LessenRapid has rapid draw fewer examples where a test is to do less. TestMain calls it.
func LessenRapid() {
	if Lessened() {
		if err := flag.Set("rapid.checks", racedChecks); err != nil {
			panic(err)
		}
	}
}
