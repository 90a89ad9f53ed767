// Command mutate asks whether the tests would notice a fault: it breaks the code in one place at a
// time, runs the tests, and tells which breaks no test noticed.
//
//	go run ./tools/mutate                           # a sample of the default packages
//	go run ./tools/mutate -n 0 -in meta/state/move.go   # every break of one file
//	go run ./tools/mutate -list -in shard/drive     # what would be broken
//
// A break (a mutant) is a change of one expression or statement: see mutants.go. The tree is never
// touched: go build's -overlay compiles the changed file in the place of the original. A change that
// does not compile is no mutant, and another takes its place.
//
// Which tests run: each test of a package first runs once by itself, with nothing broken, to learn
// which statements it reaches and how long it takes (see profile.go). A mutant is tried only with the
// tests that reach it: those of its own package before those of the packages that rest on it, and of
// each package the quickest first. It is killed if a test fails, panics, or takes many times as long as
// before. The first test that does so ends the trial.
//
// The verdicts are kept below -dir, outside the tree, so that a run that was cut off goes on where it
// stopped. The verdict that a mutant was killed stands as long as its file does not change. A survivor
// is tried again once the tests, or the code that may be broken, have changed.
//
// Survivors that somebody has looked at, and that make no difference that anybody could see, stand in
// tools/mutate/explained.txt with the reason. They count in the sample, but neither as killed nor as
// survivors.
//
// The exit status is 0 if at least -want percent were killed, 1 if fewer were, and 2 if it could not
// run.
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
	"slices"
	"strings"
	"syscall"
)

// suites says what is mutated by default, and the tests of which packages are asked. The cheaper tests
// come first.
var suites = []suite{
	{"meta/state", nil, []string{"meta/state", "s3api/object", "node/upkeep", "node/sim"}},
	{"meta/query", nil, []string{"meta/state", "meta/query", "s3api/object", "node/upkeep", "node/sim"}},
	{"meta/record", nil, []string{"meta/state", "meta/record", "s3api/object", "node/upkeep", "node/sim"}},
	{"meta/check", nil, []string{"meta/state", "meta/check"}},
	{"meta/snapshot", nil, []string{"meta/snapshot", "meta/group", "node/sim"}},
	{"meta/rafttransport", nil, []string{"meta/rafttransport", "meta/group", "node/sim"}},
	{"meta/group", nil, []string{"meta/group", "node/sim"}},
	{"shard/drive", nil, []string{"shard/drive", "node/sim"}},
	{"shard/stripe", nil, []string{"shard/stripe", "s3api/object", "node/sim"}},
	{"node/upkeep", []string{"move_plan.go", "voter_plan.go", "garbage.go", "orphans.go", "adopt.go", "lost.go"},
		[]string{"node/upkeep", "node/sim"}},
	{"cluster/place", nil, []string{"cluster/place", "node/upkeep", "node/sim"}},
}

// A suite is a package, or a file of it, and the packages whose tests should notice when
// it is broken.
type suite struct {
	in    string
	files []string // If set, only these files of in are broken: those that plan and decide.
	tests []string // The first is the package of its own tests: itself, or the one that makes what it reads.
}

// own returns the packages of a suite's own tests: the first of tests and, if tests has it and it is
// another one, the package that is broken.
func (s suite) own() []string {
	own := s.tests[:1:1]
	if s.dir() != own[0] && slices.Contains(s.tests, s.dir()) {
		own = append(own, s.dir())
	}
	return own
}

func (s suite) dir() string {
	if strings.HasSuffix(s.in, ".go") {
		return filepath.Dir(s.in)
	}
	return s.in
}

// mutants returns all mutants of a suite.
func (s suite) mutants() ([]mutant, error) {
	if s.files == nil {
		return mutantsIn(s.in)
	}
	var all []mutant
	for _, file := range s.files {
		found, err := mutantsIn(filepath.Join(s.in, file))
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

type options struct {
	n     int
	seed  uint64
	want  int
	list  bool
	own   bool
	quick bool
	dir   string
}

func main() {
	var o options
	in := flag.String("in", "", "packages or files to break, comma-separated; default: those that hold data")
	flag.IntVar(&o.n, "n", 20, "mutants per package or file, chosen by -seed; 0: all")
	flag.Uint64Var(&o.seed, "seed", 1, "which sample")
	flag.IntVar(&o.want, "want", 90, "percent of the mutants that must be killed")
	flag.BoolVar(&o.list, "list", false, "print the mutants, run nothing")
	flag.BoolVar(&o.own, "own", false, "ask each package's own tests alone: a first look, for a fraction of the time")
	flag.BoolVar(&o.quick, "quick", false,
		"ask the short form of each package's own tests: survivors are tried again without it")
	flag.StringVar(&o.dir, "dir", filepath.Join(os.TempDir(), "cairn-mutate"), "where results are kept, and work is done")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code, err := run(ctx, os.Stdout, chosen(*in), o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
	}
	os.Exit(code)
}

// chosen returns the suites of the packages and files that are named, or the default ones. If a package
// has no suite, only its own tests are asked.
func chosen(in string) []suite {
	if in == "" {
		return suites
	}
	var out []suite
	for name := range strings.SplitSeq(in, ",") {
		s := suite{in: filepath.Clean(name)}
		s.tests = []string{s.dir()}
		for _, known := range suites {
			if known.in == s.dir() {
				s.tests = known.tests
			}
			if known.in == s.in {
				s.files = known.files
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
	j := &jury{w: w, dir: o.dir, quick: o.quick, profiles: make(map[string]*profile), explained: explained}
	if !o.list {
		if err := j.open(); err != nil {
			return 2, err
		}
		defer j.close()
	}
	var total tally
	for _, s := range suites {
		if o.own {
			s.tests = s.own()
		}
		all, err := s.mutants()
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
		t, err := j.try(ctx, s, all, o.n)
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
	fmt.Fprintf(w, "%d of %d killed, %d explained\n", total.killed, tried, total.explained)
	if total.killed*100 < o.want*tried {
		return 1, fmt.Errorf("fewer than %d %% were noticed: kill the survivors by tests, or explain them", o.want)
	}
	return 0, nil
}
