//go:build e2e

package e2e

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/tools/load"
	"github.com/cairnstore/cairn/tools/testbed"
)

const (
	busyBucket  = "busy"
	stepTimeout = 6 * time.Minute // How long anything may take that is waited for. It is generous.
	dialTimeout = 2 * time.Second // After this a client tries the next node.
)

// busy is a cluster on which clients work all the time: they put, get, read ranges, head, list, copy,
// copy parts, complete and delete. They have the SDK's standard retries and one name for all nodes, and
// remember what was acknowledged.
type busy struct {
	*cluster
	load     *load.Load
	recorder *load.Recorder
}

// work lets clients begin to work on a cluster.
func (c *cluster) work(clients int) *busy {
	c.t.Helper()
	b := &busy{cluster: c, recorder: &load.Recorder{}}
	cfg := load.Config{Endpoint: testbed.BalancedURL, HTTP: c.bed.Balanced(dialTimeout), Access: rootUser, Secret: rootPassword,
		Bucket: busyBucket, Seed: uint64(time.Now().UnixNano()), Clients: clients, MaxObject: 3 << 20, PartBytes: 1 << 20, KeptBytes: 8 << 20,
		Pause: 40 * time.Millisecond, OpTimeout: 2 * time.Minute, Recorder: b.recorder}
	c.t.Logf("seed of the clients: %d", cfg.Seed)
	_, err := cfg.SDK().CreateBucket(c.t.Context(), &s3.CreateBucketInput{Bucket: ptr(busyBucket)})
	require.NoError(c.t, err)
	b.recorder.Begin("start")
	b.load = load.Start(cfg)
	return b
}

// rest lets the clients end what they do, and judges what they saw, phase by phase. No answer may
// contradict what was acknowledged. Requests may have failed only in the phases that mayFail names.
func (b *busy) rest(mayFail ...string) {
	b.t.Helper()
	b.load.Stop()
	b.recorder.End()
	total := 0
	for _, p := range b.recorder.Phases() {
		b.t.Logf("%-45s %5.1f s, %d operations, %d errors, %d took more than one attempt, longest %s %.1f s, stall %.1f s",
			p.Name, p.Seconds, p.Total(), p.Failed(), p.Retried, p.LongestOp, p.Longest, p.Stall)
		total += p.Total()
		if p.Failed() > 0 && !slices.Contains(mayFail, p.Name) {
			b.t.Errorf("%s: %d requests failed: %v", p.Name, p.Failed(), p.Errors)
		}
	}
	if total == 0 {
		b.t.Error("no request succeeded")
	}
	for _, wrong := range b.recorder.Wrong() {
		b.t.Errorf("wrong answer: %s", wrong)
	}
}

// check reads everything that was acknowledged.
func (b *busy) check() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), stepTimeout)
	defer cancel()
	got, err := b.load.Check(ctx)
	require.NoError(b.t, err)
	require.Empty(b.t, got.Wrong)
	b.t.Logf("checked %d keys, %d MiB; of %d the outcome was not told", got.Keys, got.Bytes>>20, got.Unknown)
}

// until waits for something of the cluster's status.
func (c *cluster) until(what string, holds func(*testbed.Status) error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), stepTimeout)
	defer cancel()
	require.NoError(c.t, testbed.Until(ctx, what, func() error {
		s, err := c.bed.Status(ctx)
		if err != nil {
			return err
		}
		return holds(s)
	}))
}

// healthy returns nil if the cluster says that it is healthy. It ignores disks that others than this
// test have filled, and nothing else.
func healthy(s *testbed.Status) error {
	if len(s.Checks) == 0 {
		return errors.New("nothing was checked")
	}
	if found := s.Findings("space"); len(found) > 0 {
		return errors.New(strings.Join(found, "; "))
	}
	return nil
}

// stop stops a node as systemd does.
func (c *cluster) stop(p *process) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), stepTimeout)
	defer cancel()
	require.NoError(c.t, c.bed.Stop(ctx, p))
}

// eachInTurn restarts every node, one at a time, as docs/operations.md says. It calls whileDown while
// the node is down.
func (c *cluster) eachInTurn(whileDown func(*process)) {
	c.t.Helper()
	for _, p := range c.nodes {
		c.until("health before "+p.String()+" is stopped", healthy)
		c.stop(p)
		if whileDown != nil {
			whileDown(p)
		}
		c.start(p)
		c.waitReady(p)
	}
	c.until("health in the end", healthy)
}

// chapters runs a story whose parts build on each other.
func chapters(t *testing.T, c *cluster, parts ...chapter) {
	for _, p := range parts {
		if !t.Run(p.name, func(t *testing.T) {
			c.t = t
			p.run(t)
		}) {
			break
		}
	}
	c.t = t
}

type chapter struct {
	name string
	run  func(*testing.T)
}
