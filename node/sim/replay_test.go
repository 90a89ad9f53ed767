package sim

import (
	"math"
	"os"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
)

// TestReplay runs a seed of TestSimulation (CAIRN_SIM_SEED) and writes all that is logged to the file
// CAIRN_SIM_TRACE. tools/replay runs it twice and compares the files.
func TestReplay(t *testing.T) {
	to := os.Getenv("CAIRN_SIM_TRACE")
	if to == "" {
		t.Skip("tools/replay calls it")
	}
	seed, _ := seeds(t, 1, 1)
	cryptotest.SetGlobalRandom(t, seed)
	log := &Log{most: math.MaxInt}
	var err error
	synctest.Test(t, func(t *testing.T) { err = simulate(t.Context(), seed, []int{3, 6}[seed%2], log) })
	if werr := os.WriteFile(to, []byte(log.String()), 0o600); werr != nil {
		t.Fatal(werr)
	}
	if err != nil {
		t.Fatal(err)
	}
}
