//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/tools/testbed"
)

// TestFailedSyncs has two nodes with two drives each, coded 1+1. On each node a single fdatasync of one
// drive fails, and the drive is taken out of use. Those are two drives, and only one may be lost: what
// lies on both of them cannot be read. Status and health must say so, and what to do: to start both
// nodes again. After that every object must be readable.
func TestFailedSyncs(t *testing.T) {
	t.Parallel()
	sick := []*sickDisk{newSickDisk(t), newSickDisk(t)}
	if sick[0] == nil || sick[1] == nil {
		t.Skip("mounting a file system is not allowed here")
	}
	c := startClusterWith(t, 2, options{drives: 2, flags: []string{"--upkeep-interval", "300ms", "--lost-after", "5s"},
		prepare: func(p *process) { p.Drives[1] = filepath.Join(sick[p.Index].dir, "drive") }})
	objects := c.manyObjects(40)
	c.until("health", healthy)

	for _, d := range sick {
		d.failSyncs.Store(1)
	}
	failed := func(s *testbed.Status) (n int) {
		for _, node := range s.Nodes {
			for _, d := range node.Drives {
				if d.State == "failed" {
					n++
				}
			}
		}
		return n
	}
	// Many are written at once, so that the second drive fails before the shards of the first one are
	// made anew.
	round := 0
	c.eventually("both drives are out of use", stepTimeout, func() bool {
		objects = append(objects, c.putAtOnce(fmt.Sprint("meanwhile-", round), 32)...)
		round++
		s, err := c.status()
		return err == nil && failed(s) == 2
	})
	time.Sleep(sweepPause) // By then, what would wrongly be moved or deleted is.
	s, err := c.status()
	require.NoError(t, err)
	require.Equal(t, "critical", s.Health)
	require.NotZero(t, s.Unreadable, "some volumes lie on both drives")
	lost := 0
	for _, o := range objects {
		if o.get(t.Context(), client(c.nodes[0]), bucket) != nil {
			lost++
		}
	}
	require.NotZero(t, lost)
	t.Logf("%d of %d objects cannot be read: %s", lost, len(objects), s.HealthReason)
	require.Contains(t, strings.Join(s.Warnings, "\n"), "whose drive failed", "it says which nodes to restart")

	for _, p := range c.nodes {
		c.stop(p)
		c.start(p)
		c.waitReady(p)
	}
	c.until("health after the restart", healthy)
	c.allThere(objects)
	time.Sleep(sweepPause)
	c.until("health after all", healthy)
	c.allThere(objects)
	more := &object{key: "more", data: randomBytes(300_000)}
	c.retry(t.Context(), func(cl *s3.Client) error { return put(t.Context(), cl, bucket, more) })
	c.allThere([]*object{more})
}

// putAtOnce writes n objects at once, at the nodes in turn, and returns those that were acknowledged.
func (c *cluster) putAtOnce(name string, n int) []*object {
	ctx, cancel := context.WithTimeout(c.t.Context(), adminTimeout)
	defer cancel()
	tried := make([]*object, n)
	var puts sync.WaitGroup
	for i := range tried {
		puts.Go(func() {
			o := &object{key: fmt.Sprintf("%s-%d", name, i), data: randomBytes(100_000)}
			if put(ctx, client(c.nodes[i%len(c.nodes)]), bucket, o) == nil {
				tried[i] = o
			}
		})
	}
	puts.Wait()
	return slices.DeleteFunc(tried, func(o *object) bool { return o == nil })
}
