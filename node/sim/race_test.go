//go:build race

package sim

// slowdown divides the number of seeds: under the race detector each takes that
// much longer.
const slowdown = 10
