//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/tools/testbed"
)

// unelected is how long voters are watched that must not elect a leader. An election takes about three
// seconds.
const unelected = 30 * time.Second

// TestForgottenVoter keeps one of three nodes down while the other two acknowledge 30 objects. One of
// these two then loses its metadata, and starts together with the one that was down. They must elect
// nobody, and not serve as if there were no objects. When the third node is back, all objects must be
// there, and the node that has lost its metadata must vote again as a new server.
func TestForgottenVoter(t *testing.T) {
	t.Parallel()
	c := startClusterWith(t, 3, options{flags: []string{"--upkeep-interval", "300ms"}})
	ctx := t.Context()
	c.until("three voters", votersAlive(3))
	_, err := client(c.nodes[0]).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: ptr(bucket)})
	require.NoError(t, err)
	away, forgets, third := c.nodes[0], c.nodes[1], c.nodes[2]
	c.kill(away)
	var objects []*object
	for i := range 30 {
		o := &object{key: fmt.Sprintf("after-%d", i), data: randomBytes(2000)}
		c.retry(ctx, func(cl *s3.Client) error { return put(ctx, cl, bucket, o) })
		objects = append(objects, o)
	}
	c.kill(third, forgets)
	lost := filepath.Join(forgets.Dir, "drive", "meta")
	require.DirExists(t, lost)
	require.NoError(t, os.RemoveAll(lost))
	c.start(away)
	c.start(forgets)

	// It says what has happened, in its log and to everybody who asks whether it is ready.
	require.NoError(t, testbed.Until(ctx, "the node says that its metadata are gone", func() error {
		log, err := forgets.Log()
		if err == nil && !strings.Contains(log, "it neither votes nor counts until") {
			err = fmt.Errorf("its log: %s", forgets.LogTail())
		}
		return err
	}))
	for deadline := time.Now().Add(unelected); time.Now().Before(deadline); time.Sleep(time.Second) {
		for _, p := range []*process{away, forgets} {
			require.False(t, p.Ready(ctx), "%s serves without the node that holds the objects; its log:\n%s", p, p.LogTail())
		}
	}

	c.start(third)
	c.waitReady(c.nodes...)
	for _, p := range c.nodes {
		for _, o := range objects {
			require.NoError(t, o.get(ctx, client(p), bucket), "%s at %s", o.key, p)
		}
	}
	c.until("three voters again", votersAlive(3))
	c.until("health", healthy)
	s, err := c.status()
	require.NoError(t, err)
	require.False(t, slices.ContainsFunc(s.Warnings, func(w string) bool { return strings.Contains(w, "votes nor counts") }), "%v", s.Warnings)

	// A command takes the vote of a node that is down, and looks before whether the node is gone.
	out, err := c.bed.CairnAt(ctx, third, "node", "unseat", "--yes", nodeID(t, c, away))
	require.Error(t, err, "%s", out)
	require.ErrorContains(t, err, "alive")
	c.kill(away)
	require.NoError(t, testbed.Until(ctx, "its vote is taken", func() error {
		_, err := c.bed.CairnAt(ctx, third, "node", "unseat", "--yes", nodeID(t, c, away))
		return err
	}))
	s, err = c.status()
	require.NoError(t, err)
	require.False(t, s.Node(away).Voter)
	c.start(away)
	c.until("three voters after all", votersAlive(3))
}

func nodeID(t *testing.T, c *cluster, p *process) string {
	ctx, cancel := context.WithTimeout(t.Context(), adminTimeout)
	defer cancel()
	s, err := c.bed.Status(ctx)
	require.NoError(t, err)
	require.NotNil(t, s.Node(p))
	return s.Node(p).ID
}

func votersAlive(want int) func(*testbed.Status) error {
	return func(s *testbed.Status) error {
		have := 0
		for _, n := range s.Nodes {
			if n.Voter && n.State == "alive" {
				have++
			}
		}
		if have != want {
			return fmt.Errorf("%d voters are alive", have)
		}
		return nil
	}
}
