//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/tools/testbed"
)

// locked is a version that is kept until some time.
type locked struct{ key, version string }

func (c *cluster) lock(via *process, key string, until time.Duration) locked {
	c.t.Helper()
	out, err := client(via).PutObject(c.t.Context(), &s3.PutObjectInput{Bucket: ptr("locked"), Key: &key, Body: bytes.NewReader([]byte(key)),
		ObjectLockMode: types.ObjectLockModeCompliance, ObjectLockRetainUntilDate: ptr(time.Now().Add(until))})
	require.NoError(c.t, err)
	return locked{key, *out.VersionId}
}

// remove deletes a version and returns the code of the error; "" if it is deleted.
func (c *cluster) remove(via *process, l locked) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), adminTimeout)
	defer cancel()
	_, err := client(via).DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: ptr("locked"), Key: &l.key, VersionId: &l.version})
	var api smithy.APIError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &api):
		return api.ErrorCode()
	}
	return err.Error()
}

// withClocks restarts nodes, with clocks that are ahead by so much.
func (c *cluster) withClocks(ahead time.Duration, nodes ...*process) {
	for _, p := range nodes {
		c.stop(p)
	}
	for _, p := range nodes {
		p.Flags = nil
		if ahead != 0 {
			p.Flags = []string{"--pretend-clock", ahead.String()}
		}
		c.start(p)
	}
	c.waitReady(nodes...)
}

// TestClocks first has the clocks of all nodes two days ahead for a while. Locks then end two days
// early, until `cairn meta repair-clock` sets back the time by which they are judged. Then the clock of
// one node alone is two years ahead. That node changes nothing and ends no lock, whichever node is
// asked, and status, health and a metric name it.
func TestClocks(t *testing.T) {
	t.Parallel()
	c := startClusterWith(t, 3, options{flags: []string{"--upkeep-interval", "300ms"}})
	ctx := t.Context()
	c.until("three voters", votersAlive(3))
	_, err := client(c.nodes[0]).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: ptr("locked"), ObjectLockEnabledForBucket: ptr(true)})
	require.NoError(t, err)
	day := 24 * time.Hour
	early, kept, later := c.lock(c.nodes[0], "early", day), c.lock(c.nodes[1], "kept", day), c.lock(c.nodes[2], "later", 5*day)
	for _, l := range []locked{early, kept, later} {
		require.Equal(t, "AccessDenied", c.remove(c.nodes[0], l))
	}
	out, err := c.cairn("meta", "repair-clock", "--yes")
	require.NoError(t, err)
	require.Contains(t, string(out), "nothing to repair")

	c.withClocks(2*day, c.nodes...)
	require.Equal(t, "AccessDenied", c.remove(c.nodes[0], later), "judged by a clock that is two days ahead")
	c.withClocks(0, c.nodes...)
	c.until("health", healthy)
	require.Empty(t, c.remove(c.nodes[1], early), "what was judged by a later time once stays over: this is to be repaired")
	_, err = c.cairn("meta", "repair-clock")
	require.ErrorContains(t, err, "3 clocks prove")
	require.ErrorContains(t, err, "--yes")
	out, err = c.cairn("meta", "repair-clock", "--yes")
	require.NoError(t, err)
	require.Contains(t, string(out), "no more by")
	for _, p := range c.nodes {
		require.Equal(t, "AccessDenied", c.remove(p, kept), "the lock holds again")
	}
	out, err = c.cairn("meta", "repair-clock", "--yes")
	require.NoError(t, err)
	require.Contains(t, string(out), "nothing to repair")

	// The node that leads comes back with a clock that is two years ahead.
	ahead := c.leader()
	var others []*process
	for _, p := range c.nodes {
		if p != ahead {
			others = append(others, p)
		}
	}
	c.withClocks(2*365*day, ahead)
	var id string
	c.until("status and health name the clock", func(s *testbed.Status) error {
		id = s.Node(ahead).ID
		if !s.Finds("the clock of node "+id) || s.Node(ahead).Leader {
			return fmt.Errorf("%s: %s", s.Health, s.HealthReason)
		}
		return nil
	})
	own, err := c.bed.CairnAt(ctx, ahead, "status")
	require.NoError(t, err)
	require.Contains(t, string(own), "it changes nothing until that is set right")
	m, err := ahead.Metrics(ctx)
	require.NoError(t, err)
	require.Equal(t, 1.0, m["cairn_clock_off"])

	attempt, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	require.Error(t, put(attempt, client(ahead), "locked", &object{key: "from ahead", data: []byte("x")}), "it proposes nothing")
	require.NotEmpty(t, c.remove(ahead, kept))
	for _, p := range others {
		require.Equal(t, "AccessDenied", c.remove(p, kept))
		require.NoError(t, (&object{key: "kept", data: []byte("kept")}).get(ctx, client(p), "locked"))
	}
	require.NoError(t, (&object{key: "kept", data: []byte("kept")}).get(ctx, client(ahead), "locked"), "it reads")
	c.lock(others[0], "meanwhile", day)
	out, err = c.cairn("meta", "repair-clock", "--yes")
	require.NoError(t, err)
	require.Contains(t, string(out), "nothing to repair", "the clock of one moved nothing")

	c.withClocks(0, ahead)
	c.until("health after all", healthy)
	require.NoError(t, put(ctx, client(ahead), "locked", &object{key: "from ahead", data: []byte("x")}))
}
