// Command netfaults cuts and spoils the network between the nodes of a cluster of real processes, each
// in a network namespace of its own. Meanwhile clients at all nodes read, write, delete and complete
// uploads, on a few keys of a versioned bucket. Afterwards porcupine judges what they saw: every key
// must have behaved as one register, and every acknowledged version must be there once, with its bytes.
//
//	make scenarios-net
//	go run ./tools/netfaults -h
//
// It needs Linux, root, ip (iproute2) and iptables. Packets are delayed by tc's netem or, if the kernel
// has none, by cables of the program's own. If namespaces cannot be made, it says so and exits with
// status 0. Everything is made in namespaces that end with the program.
package main

import (
	"context"
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
	bin, dir string
	seed     uint64
	nodes    int
	short    bool
	hold     time.Duration
	traffic  time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "bin/cairn", "the cairn binary")
	flag.StringVar(&o.dir, "dir", "", "directory for the cluster's data (default: a temporary one)")
	flag.Uint64Var(&o.seed, "seed", 1, "decides what the clients do and whom the faults meet")
	flag.IntVar(&o.nodes, "nodes", 5, "number of nodes, 3 to 9")
	flag.BoolVar(&o.short, "short", false, "each kind of partition once, briefly")
	flag.DurationVar(&o.hold, "hold", 10*time.Second, "how long a fault lasts")
	flag.DurationVar(&o.traffic, "traffic", 0, "deal no faults, but tell what an idle cluster sends and uses, over this time")
	flag.Parse()
	if o.nodes < 3 || o.nodes > 9 {
		fmt.Fprintln(os.Stderr, "netfaults: -nodes is 3 to 9")
		os.Exit(2)
	}
	os.Exit(begin(o))
}

// begin starts the program anew in namespaces of its own or, if it is in them, runs it. It returns the
// exit status.
func begin(o options) int {
	if !inside() {
		if why := impossible(); why != "" {
			fmt.Println("skipped:", why)
			return 0
		}
		return reexec()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "netfaults:", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, o options) (err error) {
	if o.bin, err = filepath.Abs(o.bin); err != nil {
		return err
	}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "cairn-netfaults-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(o.dir) }()
	} else if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	net, err := newNetwork(o.nodes)
	if err != nil {
		return err
	}
	t, err := newTrial(ctx, o, net)
	if err != nil {
		return err
	}
	defer t.bed.KillAll()
	if o.traffic > 0 {
		return t.idle(ctx)
	}
	return t.run(ctx)
}
