// Command mutate asks whether the tests would notice: it breaks the code in one
// place at a time, runs the tests, and tells which of the breaks nobody saw.
//
//	go run ./tools/mutate                           # a sample of the default packages
//	go run ./tools/mutate -n 0 -in meta/state/move.go   # every break of one file
//	go run ./tools/mutate -list -in shard/drive     # what would be broken
//
// A break (a mutant) is a change of one expression or statement, see mutants.go. The
// tree is never touched: `go test -overlay` compiles the changed file in its place.
// Each package's mutants are tried against the package's own tests first, then
// against those of the packages that rest on it. A mutant is killed when a test
// fails, hangs or panics. One that does not compile is no mutant and is replaced.
//
// Survivors that were looked at and make no difference anybody could see stand in
// tools/mutate/explained.txt with the reason; they are not counted.
//
// Exit status: 0 at least -want percent were killed, 1 fewer were, 2 it could not run.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// suites tells which packages are mutated by default, and whose tests are asked, in
// the order of what they cost.
var suites = []suite{
	{"meta/state", []string{"./meta/state", "./s3api/object", "./node/upkeep", "./node/sim"}},
	{"meta/group", []string{"./meta/group", "./node/sim"}},
	{"shard/drive", []string{"./shard/drive", "./node/sim"}},
	{"shard/stripe", []string{"./shard/stripe", "./s3api/object", "./node/sim"}},
	{"node/upkeep", []string{"./node/upkeep", "./node/sim"}},
}

// A suite is a package (or one of its files) and the tests that should notice when it
// is broken.
type suite struct {
	in    string
	tests []string
}

type options struct {
	n       int
	seed    uint64
	timeout time.Duration
	want    int
	list    bool
}

func main() {
	var o options
	in := flag.String("in", "", "packages or files to break, comma-separated; default: those that hold data")
	flag.IntVar(&o.n, "n", 20, "mutants per package or file, chosen by -seed; 0: all")
	flag.Uint64Var(&o.seed, "seed", 1, "which sample")
	flag.DurationVar(&o.timeout, "timeout", 5*time.Minute, "of the tests of one package; longer counts as noticed")
	flag.IntVar(&o.want, "want", 90, "percent of the mutants that must be killed")
	flag.BoolVar(&o.list, "list", false, "print the mutants, run nothing")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	code, err := run(ctx, os.Stdout, chosen(*in), o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
	}
	os.Exit(code)
}

// chosen returns the suites of the packages and files named, or the default ones. The
// tests of a package that has no suite are its own.
func chosen(in string) []suite {
	if in == "" {
		return suites
	}
	var out []suite
	for name := range strings.SplitSeq(in, ",") {
		name = filepath.Clean(name)
		dir := name
		if strings.HasSuffix(name, ".go") {
			dir = filepath.Dir(name)
		}
		s := suite{in: name, tests: []string{"./" + dir}}
		for _, known := range suites {
			if known.in == dir {
				s.tests = known.tests
			}
		}
		out = append(out, s)
	}
	return out
}

// run tries a sample of each suite and prints a line for each survivor, then a table.
func run(ctx context.Context, w io.Writer, suites []suite, o options) (int, error) {
	explained, err := readExplained("tools/mutate/explained.txt")
	if err != nil {
		return 2, err
	}
	var total tally
	for _, s := range suites {
		all, err := mutantsIn(s.in)
		if err != nil {
			return 2, err
		}
		r := rand.New(rand.NewPCG(o.seed, 0))
		r.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
		if o.list {
			for _, m := range all {
				fmt.Fprintln(w, m)
			}
			continue
		}
		t, err := try(ctx, w, s, all, explained, o)
		fmt.Fprintf(w, "%-14s %d of %d killed (%d could be broken, %d explained)\n",
			s.in, t.killed, t.killed+t.survived, len(all), t.explained)
		total.add(t)
		if err != nil {
			return 2, err
		}
	}
	if o.list {
		return 0, nil
	}
	tried := total.killed + total.survived
	fmt.Fprintf(w, "%d of %d killed\n", total.killed, tried)
	if total.killed*100 < o.want*tried {
		return 1, fmt.Errorf("fewer than %d %% were noticed: kill the survivors by tests, or explain them", o.want)
	}
	return 0, nil
}
