package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// TestSimulation runs clusters of three and six nodes while machines lose power, links fail, and disks
// hang, fail and rot. Meanwhile reads and writes must go on and be right. In the end all that was
// acknowledged must be there, references must equal a recount, all voters must hold the same metadata,
// and the drives must hold exactly the shards that they should. When everything was deleted nothing
// must be left. No goroutine may outlive its node, or the bubble fails.
//
// CAIRN_SIM_SEED=n runs one seed, and CAIRN_SIM_BLOW="hanging drive" only that kind of blow.
// CAIRN_SIM_LOG=file keeps the log of a failed run. CAIRN_TEST_LONG=1 runs thousands of seeds.
func TestSimulation(t *testing.T) { eachSeed(t, 30, 2000, simulate) }

// seeds returns the first seed to run, and how many.
func seeds(t *testing.T, few, many int) (first uint64, count int) {
	if s := os.Getenv("CAIRN_SIM_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n, 1
	}
	switch {
	case testing.Short():
		return 1, 2
	}
	// The one under the race detector has three nodes: their races are those of six.
	return effort.Of[uint64](1, 2, 1), effort.Of(few, 1, many)
}

// fail fails the test, says how to run the seed again, and keeps the log if that is wanted.
func fail(t *testing.T, seed uint64, log *Log, err error) {
	if path := os.Getenv("CAIRN_SIM_LOG"); path != "" {
		_ = os.WriteFile(path, []byte(log.String()), 0o644)
	}
	t.Fatalf("%v\nrun it again: CAIRN_SIM_SEED=%d CAIRN_SIM_LOG=sim.log go test ./node/sim -run '^%s$'",
		err, seed, strings.SplitN(t.Name(), "/", 2)[0])
}

const (
	formTimeout  = 60 * time.Second
	healTimeout  = 5 * time.Minute
	gcTimeout    = 5 * time.Minute
	opTimeout    = 30 * time.Second
	clientCount  = 4
	opsPerClient = 150 // At most: clients end when the nemesis does.
	blowCount    = 6
	usualDelay   = 2 * time.Millisecond
	usualLoss    = 0.01
)

// form starts a cluster with a bucket.
func form(ctx context.Context, seed uint64, nodes int, log *Log) (*Cluster, error) {
	c := NewCluster(rand.New(rand.NewPCG(seed, 0)), nodes, log)
	return c, c.form(ctx)
}

// form starts all machines and makes a bucket.
func (c *Cluster) form(ctx context.Context) error {
	for _, m := range c.Machines {
		if err := c.Start(ctx, m); err != nil {
			return err
		}
	}
	if err := c.AwaitReady(formTimeout); err != nil {
		return fmt.Errorf("the cluster did not form: %w", err)
	}
	// A cluster that has two voters on its way to more does not survive the loss of one.
	if err := c.eventually(formTimeout, c.hasVoters); err != nil {
		return err
	}
	c.Net.Slow(usualDelay, usualLoss)
	if _, err := c.Machines[0].Node().Objects().CreateBucket(ctx, caller, bucket, "", nil); err != nil {
		return fmt.Errorf("create the bucket: %w", err)
	}
	return nil
}

func (c *Cluster) hasVoters() error {
	for _, m := range c.Machines {
		if g := m.Node().Group(); g.IsLeader() && g.Stats().Voters == min(5, len(c.Machines)-1+len(c.Machines)%2) {
			return nil
		}
	}
	return errors.New("there are too few voters")
}

// simulate is one run.
func simulate(ctx context.Context, seed uint64, nodes int, log *Log) (err error) {
	c, err := form(ctx, seed, nodes, log)
	defer c.Stop()
	if err != nil {
		return err
	}
	n, err := newNemesis(ctx, c, log.Trace)
	if err != nil {
		return err
	}
	if only := os.Getenv("CAIRN_SIM_BLOW"); only != "" {
		n.kinds = slices.DeleteFunc(n.kinds, func(b blow) bool { return b.name != only })
	}
	busy, rest := context.WithCancel(ctx)
	var clients []*client
	var wg sync.WaitGroup
	for i := range clientCount {
		cl := newClient(c, i, rand.New(rand.NewPCG(seed, uint64(100+i))))
		clients = append(clients, cl)
		wg.Go(func() { cl.run(busy) })
	}
	err = n.run(ctx, blowCount)
	rest()
	wg.Wait()
	for _, cl := range clients {
		err = errors.Join(err, cl.err)
	}
	if err != nil {
		return err
	}
	return c.judge(ctx, clients)
}

const bucket = "sim-bucket"

var caller = object.Caller{Account: "sim", User: "sim"}

// notFound reports whether an error says that a key does not exist.
func notFound(err error) bool {
	var e *s3err.Error
	return errors.As(err, &e) && e.Code == s3err.NoSuchKey
}
