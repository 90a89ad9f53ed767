// Package cost holds what an input may cost to a bound that can be counted, not
// timed: the bytes that are allocated for it. It is for tests.
//
// The total of the process is counted, so a test that measures must not run beside
// others of its package, and its bound has to leave room for what the runtime does
// meanwhile: Slack.
package cost

import (
	"bytes"
	"runtime"
)

// Slack is what an input of no bytes may cost: small fixed costs, and what others
// allocate meanwhile.
const Slack = 256 << 10

// maxInput bounds what Repeat makes, so that a fuzzer's worker stays small.
const maxInput = 1 << 20

// TB is what Allocated needs of a test.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Allocated fails the test where f allocates more than perByte bytes for each byte of
// an input of size bytes, and Slack.
func Allocated(t TB, size, perByte int, f func()) {
	t.Helper()
	if got, most := Count(f), uint64(size)*uint64(perByte)+Slack; got > most {
		t.Fatalf("%d bytes were allocated for an input of %d, the bound is %d", got, size, most)
	}
}

// Count returns how many bytes the process allocates while f runs.
func Count(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Repeat returns head, unit as often as asked for, and tail: how a small input of a
// fuzzer becomes one whose cost shows how it grows. It never returns more than 1 MiB,
// but for what head and tail have.
func Repeat(head, unit, tail []byte, times uint16) []byte {
	n := int(times)
	if len(unit) > 0 {
		n = min(n, maxInput/len(unit))
	}
	return bytes.Join([][]byte{head, bytes.Repeat(unit, n), tail}, nil)
}
