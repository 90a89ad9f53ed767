//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/tools/testbed"
)

const (
	rootUser     = testbed.RootUser
	rootPassword = testbed.RootPassword

	// These are generous, because three clusters and their clients share a small machine.
	readyTimeout  = 3 * time.Minute
	leaderTimeout = 2 * time.Minute
	healTimeout   = 6 * time.Minute
	adminTimeout  = time.Minute
	pollEvery     = 100 * time.Millisecond
)

// options say how a cluster is set up.
type options struct {
	tls    bool     // The nodes speak HTTPS, with a certificate of an authority made for the cluster.
	domain string   // Buckets can be reached at BUCKET.domain too.
	flags  []string // More flags of every server.
	env    []string // More environment of every server.
	drives int      // How many drives each node has; 0 means 1.
	small  string   // If set, the directory that holds the last drive of the first node.
	sick   string   // If set, the directory that holds the last drive of the last node.

	prepare func(*process) // If set, it is called with each node before that runs.
}

type process = testbed.Node

// cluster is a testbed whose failures end the test.
type cluster struct {
	t      *testing.T
	bed    *testbed.Cluster
	nodes  []*process
	http   *http.Client
	caFile string
	dir    string
}

// startCluster starts n servers and waits until all are ready. They are killed when the test ends. The
// smallest part is 1 MiB, for tests that make many parts.
func startCluster(t *testing.T, n int) *cluster {
	t.Helper()
	return startClusterWith(t, n, options{flags: []string{"--min-part", "1MiB"}})
}

// startClusterWith is startCluster with options.
func startClusterWith(t *testing.T, n int, o options) *cluster {
	t.Helper()
	bin, err := filepath.Abs("../../bin/cairn")
	require.NoError(t, err)
	dir := t.TempDir()
	flags := []string{"--gc-grace", "20s", "--upkeep-interval", "1s", "--scrub-interval", "5s"}
	bed, err := testbed.New(testbed.Options{Bin: bin, Dir: dir, Expect: n, Drives: o.drives, TLS: o.tls, Domain: o.domain,
		Flags: append(flags, o.flags...), Env: o.env})
	require.NoError(t, err)
	t.Cleanup(func() {
		bed.KillAll()
		if t.Failed() {
			tellWarnings(t, bed.Nodes())
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), readyTimeout)
	defer cancel()
	nodes, err := bed.Add(n)
	require.NoError(t, err)
	if o.small != "" {
		nodes[0].Drives[len(nodes[0].Drives)-1] = filepath.Join(o.small, "drive")
	}
	if o.sick != "" {
		last := nodes[n-1]
		last.Drives[len(last.Drives)-1] = filepath.Join(o.sick, "drive")
	}
	for _, p := range nodes {
		if o.prepare != nil {
			o.prepare(p)
		}
		require.NoError(t, bed.Run(p))
	}
	require.NoError(t, bed.WaitReady(ctx, nodes...))
	return &cluster{t: t, bed: bed, nodes: nodes, http: bed.Client, caFile: bed.CAFile, dir: dir}
}

// tellWarnings logs the last warnings of every node, which may tell why a client has failed.
func tellWarnings(t *testing.T, nodes []*process) {
	const most = 40
	for _, p := range nodes {
		text, err := os.ReadFile(filepath.Join(p.Dir, "log"))
		if err != nil {
			continue // The node never ran.
		}
		var lines []string
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") {
				lines = append(lines, line)
			}
		}
		t.Logf("%s, the last of %d warnings:\n%s", p, len(lines), strings.Join(lines[max(0, len(lines)-most):], ""))
	}
}

func (c *cluster) path(name string) string { return filepath.Join(c.dir, name) }

// start runs a node that is down.
func (c *cluster) start(p *process) {
	c.t.Helper()
	require.NoError(c.t, c.bed.Run(p))
}

// kill ends nodes with SIGKILL.
func (c *cluster) kill(ps ...*process) { c.bed.Kill(ps...) }

func (c *cluster) killAll() { c.bed.KillAll() }

func (c *cluster) waitReady(ps ...*process) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	require.NoError(c.t, c.bed.WaitReady(ctx, ps...))
}

// up returns the nodes that run.
func (c *cluster) up() []*process { return c.bed.Up() }

// status asks a node that runs for the cluster's status, by the command that a person would use.
func (c *cluster) status() (*testbed.Status, error) {
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	return c.bed.Status(ctx)
}

// cairn runs an admin command as the cluster's root and returns what it printed.
func (c *cluster) cairn(args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	return c.bed.Cairn(ctx, args...)
}

// leader returns the node that leads the metadata.
func (c *cluster) leader() *process {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), leaderTimeout)
	defer cancel()
	p, err := c.bed.Leader(ctx)
	require.NoError(c.t, err)
	return p
}

// healed waits until no extent lacks a shard.
func (c *cluster) healed() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), healTimeout)
	defer cancel()
	require.NoError(c.t, c.bed.WaitRedundant(ctx))
}

func (c *cluster) eventually(what string, within time.Duration, ok func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(within); !ok(); time.Sleep(pollEvery) {
		if time.Now().After(deadline) {
			c.t.Fatalf("not within %s: %s", within, what)
		}
	}
}

// scrubRounds returns how often each running node has verified all its drives,
// from its metrics.
func (c *cluster) scrubRounds() []int {
	c.t.Helper()
	var rounds []int
	for _, p := range c.up() {
		m, err := p.Metrics(c.t.Context())
		require.NoError(c.t, err)
		rounds = append(rounds, int(m["cairn_scrub_rounds_total"]))
	}
	return rounds
}
