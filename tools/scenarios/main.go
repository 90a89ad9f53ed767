// Command scenarios leads a cluster of real processes through what happens to one in years: growth,
// drained and lost nodes, restarts, killed leaders. Meanwhile clients work on it. At the end it checks
// every acknowledged byte, and reports what the clients saw and what it cost.
//
//	make scenarios                 # everything, for the numbers
//	make scenarios-short           # the same story with few nodes and small objects
//	go run ./tools/scenarios -h
//
// It fails if an answer contradicts what was acknowledged, if by the metadata's count redundancy is not
// full at the end, or if a step does not end within a generous time. Errors that clients see are
// counted, and do not make it fail.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options are those of the command line.
type options struct {
	bin, dir, json string
	seed           uint64
	short, keep    bool
	hold           time.Duration
	skip           string
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "bin/cairn", "the cairn binary")
	flag.StringVar(&o.dir, "dir", "", "directory for the cluster's data (default: a temporary one)")
	flag.StringVar(&o.json, "json", "", "write the report to this file, as JSON")
	flag.Uint64Var(&o.seed, "seed", 1, "decides what the clients do")
	flag.BoolVar(&o.short, "short", false, "few nodes, small objects: minutes")
	flag.BoolVar(&o.keep, "keep", false, "keep the data and logs of the nodes")
	flag.DurationVar(&o.hold, "hold", 0, "how long to watch the clients in a phase that ends by itself (default: 5s short, 30s else)")
	flag.StringVar(&o.skip, "skip", "^$", "leave out the phases whose name this regular expression matches")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "scenarios:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	if o.bin, err = filepath.Abs(o.bin); err != nil {
		return err
	}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "cairn-scenarios-"); err != nil {
			return err
		}
	} else if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	if !o.keep {
		defer func() { _ = os.RemoveAll(o.dir) }()
	}
	p := long()
	if o.short {
		p = short()
	}
	if o.hold > 0 {
		p.Hold = o.hold
	}
	s, err := newStory(o, p)
	if err != nil {
		return err
	}
	defer s.bed.KillAll()
	err = s.tell(ctx)
	s.report.print(os.Stdout)
	if o.json != "" {
		text, jsonErr := json.MarshalIndent(s.report, "", "  ")
		if jsonErr != nil {
			return jsonErr
		}
		if jsonErr := os.WriteFile(o.json, append(text, '\n'), 0o644); jsonErr != nil {
			return jsonErr
		}
	}
	return err
}
