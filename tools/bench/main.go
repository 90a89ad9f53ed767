// Command bench is the yardstick. It makes S3 servers do the same work in turn, A B A B, and tells of
// each the rates, the CPU time and memory of its processes, and how many times as much that is as the
// bare primitives of this machine would have cost.
//
//	make bench-s3                                  # six cairn processes with TLS, on loopback
//	make bench-peers MINIO=/path/minio WEED=/path/weed
//	go run ./tools/bench -list
//	go run ./tools/bench primitives                # only what the machine's primitives cost
//	go run ./tools/bench -target 'a=https://127.0.0.1:7000 ca=ca.crt pids=a.pids' -target 'b=…'
//
// A target is words between blanks: the name and its first URL, more URLs (requests go to all of them
// in turn), ca=FILE, access=KEY and secret=KEY (by default AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
// of the environment), and pids=1,2,3 or pids=FILE, which is read anew each time. Without pids the
// report has no CPU time and no memory.
//
// The run makes buckets, and removes them with all that is in them. It compares what servers answer
// with what was written: every byte of every measured GET, and samples of what PUTs, copies and lists
// have made.
//
// The exit status is 0 if every row went well on every target, 1 if one did not or answered wrong bytes
// (the report says which), and 2 if nothing could be run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	exitFailed = 1
	exitNotRun = 2
)

// options are those of the command line.
type options struct {
	targets    []spec
	cluster    bool
	peers      bool
	bin, dir   string
	only, skip string
	list       bool
	scale      float64
	rounds     int
	seed       uint64
	json       string
	bucket     string
	settle     time.Duration
	timeout    time.Duration
	primitives bool
	keep       bool
}

func (o *options) flags(f *flag.FlagSet) {
	f.Func("target", "`WORDS` that describe a server, see above; the first one given is what others are compared to",
		func(s string) error {
			t, err := parseTarget(s, os.Getenv)
			o.targets = append(o.targets, t)
			return err
		})
	f.BoolVar(&o.cluster, "cluster", false, "start six cairn processes with TLS as the first target")
	f.BoolVar(&o.peers, "peers", false, "start each peer whose binary the environment names: "+peerNames())
	f.StringVar(&o.bin, "bin", "bin/cairn", "the cairn binary, for -cluster")
	f.StringVar(&o.dir, "dir", "", "servers' data and scratch files go below this directory (default: the temporary one)")
	f.StringVar(&o.only, "only", "", "rows to run: names or patterns such as copy-*, with commas between (default: all)")
	f.StringVar(&o.skip, "skip", "", "rows to leave out, written the same way")
	f.BoolVar(&o.list, "list", false, "list the rows at this scale, and leave")
	f.Float64Var(&o.scale, "scale", 1, "factor of the work: large objects become smaller, small ones fewer")
	f.IntVar(&o.rounds, "rounds", 3, "how often each target does each row")
	f.Uint64Var(&o.seed, "seed", 1, "decides all bytes and choices")
	f.StringVar(&o.json, "json", "", "write every figure to this file, as JSON")
	bucket := fmt.Sprintf("bench-%d", time.Now().UnixMilli())
	f.StringVar(&o.bucket, "bucket", bucket, "buckets to make begin with this name")
	f.DurationVar(&o.settle, "settle", time.Second, "wait so long after each row before CPU time is read")
	f.DurationVar(&o.timeout, "timeout", 15*time.Minute, "longest time for one row on one target, with its preparation")
	f.BoolVar(&o.primitives, "primitives", true, "measure the machine's primitives before and after each round")
	f.BoolVar(&o.keep, "keep", false, "leave buckets, data and logs behind")
}

func main() {
	var o options
	o.flags(flag.CommandLine)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	failed, err := run(ctx, o, flag.Args(), os.Stdout)
	stop()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(exitNotRun)
	case failed:
		os.Exit(exitFailed)
	}
}

// run does what the command line asks for. An error says that nothing was measured.
func run(ctx context.Context, o options, args []string, out io.Writer) (failed bool, err error) {
	rows, err := choose(scenarios, o.only, o.skip)
	switch {
	case err != nil:
		return false, err
	case o.scale <= 0 || o.rounds < 1:
		return false, errors.New("-scale must be above 0, and -rounds 1 or more")
	case o.list:
		return false, listRows(out, rows, newPlan(o.scale, o.seed))
	}
	if o.dir != "" {
		if err := os.MkdirAll(o.dir, 0o755); err != nil {
			return false, err
		}
	}
	if o.dir, err = os.MkdirTemp(o.dir, "cairn-bench-"); err != nil { // What was there before stays.
		return false, err
	}
	if !o.keep {
		defer func() { _ = os.RemoveAll(o.dir) }()
	}
	switch {
	case len(args) == 1 && args[0] == "primitives":
		return false, tellPrimitives(o.dir, out)
	case len(args) > 0:
		return false, fmt.Errorf("%q is no argument; the only one is primitives", args[0])
	}
	return compare(ctx, o, rows, out)
}

// compare starts the servers that it is to start, measures, and removes what it has made.
func compare(ctx context.Context, o options, rows []scenario, out io.Writer) (failed bool, err error) {
	specs, stop, err := start(ctx, o, out)
	defer stop()
	if err != nil {
		return false, err
	}
	specs = append(specs, o.targets...)
	if len(specs) == 0 {
		return false, errors.New("name a server with -target, or start one with -cluster or -peers")
	}
	c, err := newContest(ctx, o, specs, out)
	if err != nil {
		return false, err
	}
	c.run(ctx, rows)
	c.clean(ctx)
	if err := c.report.tellEnd(out); err != nil {
		return true, err
	}
	if o.json != "" {
		if err := c.report.write(o.json); err != nil {
			return true, err
		}
	}
	return c.report.failed(), nil
}
