// Command replay tells how many seeds of the simulation (node/sim) replay exactly. It runs each seed
// twice, in processes of their own, and compares all that they have logged.
//
//	go run ./tools/replay -seeds 50
//	go run ./tools/replay -first 7 -seeds 1 -keep /tmp/traces
//
// What a run does at random comes from its seed, and its time is that of synctest's bubble. What may
// still differ between two runs comes from the Go runtime and from real time. The runtime chooses the
// order of maps, which case of a select is taken, and which of two timers of one instant comes first.
// Real time decides when a goroutine is put off because its slice is over, when another thread takes
// the place of one that is in a system call, and when a mutex takes a waiter for starved.
//
// So the test is compiled with a runtime of which some files are changed (by -overlay: the installed Go
// is not touched). Random numbers come from one generator with a fixed seed, and real time decides none
// of these things. All packages must be compiled for it once, which takes minutes. GOMAXPROCS is 1, and
// no garbage is collected, so a run takes about 2 GB.
//
// The exit status is 0 if at least -want percent of the seeds replay, 1 if fewer do, and 2 if it could
// not run.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
)

type options struct {
	first, seeds uint64
	want         int
	keep         string
}

func main() {
	var o options
	flag.Uint64Var(&o.first, "first", 1, "the first seed")
	flag.Uint64Var(&o.seeds, "seeds", 50, "how many seeds")
	flag.IntVar(&o.want, "want", 60, "percent of the seeds that must replay")
	flag.StringVar(&o.keep, "keep", "", "folder to keep the logs of seeds that do not replay in")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	code, err := run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "replay:", err)
	}
	os.Exit(code)
}

func run(ctx context.Context, o options) (int, error) {
	dir, err := os.MkdirTemp("", "cairn-replay-")
	if err != nil {
		return 2, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary, err := build(ctx, dir)
	if err != nil {
		return 2, err
	}
	same := uint64(0)
	for seed := o.first; seed < o.first+o.seeds; seed++ {
		var logs [2][]byte
		for i := range logs {
			if logs[i], err = simulate(ctx, dir, binary, seed); err != nil {
				return 2, err
			}
		}
		if bytes.Equal(logs[0], logs[1]) {
			same++
			fmt.Printf("seed %d: %d lines, the same\n", seed, bytes.Count(logs[0], []byte("\n")))
			continue
		}
		fmt.Printf("seed %d: %s\n", seed, difference(logs[0], logs[1]))
		for i := range logs {
			if o.keep == "" {
				break
			}
			if err := os.WriteFile(filepath.Join(o.keep, fmt.Sprintf("%d.%d.log", seed, i)), logs[i], 0o600); err != nil {
				return 2, err
			}
		}
	}
	fmt.Printf("%d of %d seeds replay exactly\n", same, o.seeds)
	if same*100 < uint64(o.want)*o.seeds {
		return 1, fmt.Errorf("fewer than %d %%", o.want)
	}
	return 0, nil
}

// memory is how much memory a run may take before its garbage is collected after all.
const memory = "8GiB"

// simulate runs a seed and returns all that it has logged, whether it failed or not.
func simulate(ctx context.Context, dir, binary string, seed uint64) ([]byte, error) {
	trace := filepath.Join(dir, "trace")
	_ = os.Remove(trace)
	c := exec.CommandContext(ctx, binary, "-test.run", "^TestReplay$", "-test.timeout", "30m")
	c.Dir = "node/sim"
	c.Env = append(os.Environ(), fmt.Sprintf("CAIRN_SIM_SEED=%d", seed), "CAIRN_SIM_TRACE="+trace,
		"GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1,gcstoptheworld=2", "GOGC=off", "GOMEMLIMIT="+memory)
	out, err := c.CombinedOutput()
	log, rerr := os.ReadFile(trace)
	if rerr != nil {
		return nil, fmt.Errorf("seed %d: %w\n%s", seed, err, out)
	}
	if err != nil {
		fmt.Printf("seed %d fails: %v\n%s", seed, err, out)
	}
	return log, nil
}

// difference says which lines are the first that differ.
func difference(a, b []byte) string {
	x, y := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d of %d and %d differs:\n  %s\n  %s", i+1, len(x), len(y), x[i], y[i])
		}
	}
	return fmt.Sprintf("one ends after %d lines, the other after %d", len(x), len(y))
}

// change replaces text of a file of Go's standard library.
type change struct{ file, from, to string }

// changes are made for Go 1.26. If another release has other text, build returns an error.
var changes = []change{
	{rand, "	globalRand.state.Init(*seed)\n", "	*seed = [32]byte{1}\n	globalRand.state.Init(*seed)\n"},
	{rand, "	mp := getg().m\n	c := &mp.chacha8\n", "	mp := getg().m\n	c := &onlyRand.chacha8\n"},
	{rand, "func mrandinit(mp *m) {\n",
		"func mrandinit(mp *m) {\n	if onlyRand.cheaprand != 0 {\n		return\n	}\n	mp = &onlyRand\n"},
	{rand, "func cheaprand() uint32 {\n	mp := getg().m\n", "func cheaprand() uint32 {\n	mp := &onlyRand\n"},
	{rand, "var readRandomFailed bool\n",
		"var readRandomFailed bool\n\n// The state that all threads share.\nvar onlyRand m\n"},
	{"runtime/proc.go", "func retake(now int64) uint32 {\n",
		"func retake(now int64) uint32 {\n	if true {\n		return 0\n	}\n"},
	{"internal/sync/mutex.go", "starvationThresholdNs = 1e6\n", "starvationThresholdNs = 1 << 60\n"},
}

const rand = "runtime/rand.go"

// build compiles the test with the changed runtime, and returns the name of the binary.
func build(ctx context.Context, dir string) (binary string, err error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	src := filepath.Join(strings.TrimSpace(string(out)), "src")
	replace := map[string]string{}
	for _, c := range changes {
		original, changed := filepath.Join(src, c.file), filepath.Join(dir, filepath.Base(c.file))
		from := original
		if replace[original] != "" {
			from = changed
		}
		text, err := os.ReadFile(from)
		if err != nil {
			return "", err
		}
		if strings.Count(string(text), c.from) != 1 {
			return "", fmt.Errorf("%s of this Go does not read as expected: %q", original, c.from)
		}
		if err := os.WriteFile(changed, []byte(strings.Replace(string(text), c.from, c.to, 1)), 0o600); err != nil {
			return "", err
		}
		replace[original] = changed
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(name, overlay, 0o600); err != nil {
		return "", err
	}
	binary = filepath.Join(dir, "sim.test")
	c := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-tags", "invariants", "-overlay", name,
		"-o", binary, "./node/sim")
	c.Env = append(os.Environ(), "CGO_ENABLED=0") // As the released program is compiled.
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go test -c: %w\n%s", err, out)
	}
	return binary, nil
}
