//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/tools/testbed"
)

// sweepPause is longer than it takes until an orphan sweep begins: 30 upkeep intervals.
const sweepPause = 20 * time.Second

// TestBeyond kills more nodes of nine than 4+2 may lose, for longer than it takes to give them up.
// Meanwhile status, health and `object stat` must say what cannot be read, and what would bring it
// back. The nodes are undamaged: once they are started again, everything must be readable.
func TestBeyond(t *testing.T) {
	t.Parallel()
	c := startClusterWith(t, 9, options{flags: []string{"--upkeep-interval", "300ms", "--lost-after", "20s"}})
	objects := c.manyObjects(60)
	c.until("health", healthy)
	victims := c.mostVictims(3)
	c.kill(victims...)
	c.until("the dead are given up and what cannot be read is counted", func(s *testbed.Status) error {
		for _, p := range victims {
			if s.Node(p).Life != "lost" {
				return fmt.Errorf("%s is %s", p, s.Node(p).Life)
			}
		}
		if s.Unreadable == 0 {
			return fmt.Errorf("nothing is counted as unreadable: %s", s.HealthReason)
		}
		return nil
	})
	time.Sleep(sweepPause) // By then, what would wrongly be moved or deleted is.
	s, err := c.status()
	require.NoError(t, err)
	require.Equal(t, "critical", s.Health)
	require.True(t, s.Finds("cannot be read"), s.HealthReason)
	require.Contains(t, strings.Join(s.Warnings, "\n"), "start node", "it says what would bring them back")
	lost := 0
	for _, o := range objects {
		if o.get(t.Context(), client(c.up()[0]), bucket) == nil {
			continue
		}
		if lost++; lost > 1 {
			continue
		}
		stat, err := c.cairn("object", "stat", "s3://"+bucket+"/"+o.key)
		require.NoError(t, err)
		require.Contains(t, string(stat), "unreadable")
		require.Contains(t, string(stat), "start node")
	}
	require.NotZero(t, lost, "three nodes of nine hold three slots of some volume")

	for _, p := range victims {
		c.start(p)
	}
	c.waitReady(victims...)
	c.until("health", healthy)
	c.allThere(objects)
	time.Sleep(sweepPause)
	c.until("health", healthy)
	c.allThere(objects)
}

// manyObjects makes the bucket and objects of one to three extents.
func (c *cluster) manyObjects(count int) (out []*object) {
	c.t.Helper()
	_, err := client(c.nodes[0]).CreateBucket(c.t.Context(), &s3.CreateBucketInput{Bucket: ptr(bucket)})
	require.NoError(c.t, err)
	for i := range count {
		o := &object{key: fmt.Sprintf("object-%d", i), data: randomBytes(200_000 + 20_000*i)}
		c.retry(c.t.Context(), func(cl *s3.Client) error { return put(c.t.Context(), cl, bucket, o) })
		out = append(out, o)
	}
	return out
}

func (c *cluster) allThere(objects []*object) {
	c.t.Helper()
	for i, o := range objects {
		require.NoError(c.t, o.get(c.t.Context(), client(c.nodes[i%len(c.nodes)]), bucket), o.key)
	}
}

// mostVictims returns nodes, chosen so that a majority of the voters is left without them.
func (c *cluster) mostVictims(count int) (out []*process) {
	c.t.Helper()
	s, err := c.status()
	require.NoError(c.t, err)
	voters := 0
	for _, p := range c.nodes {
		n := s.Node(p)
		if n.Leader || n.Voter && voters == 2 || len(out) == count {
			continue
		}
		if n.Voter {
			voters++
		}
		out = append(out, p)
	}
	require.Len(c.t, out, count)
	return out
}

// TestRestoreAfterMoves restores a backup that does not know that two drives were drained since. All
// that it refers to must be found where it is now, before anything is taken for an orphan.
func TestRestoreAfterMoves(t *testing.T) {
	t.Parallel()
	c := startClusterWith(t, 4, options{drives: 2, flags: []string{"--upkeep-interval", "300ms", "--backup-horizon", "1h"}})
	objects := c.manyObjects(20)
	c.until("health", healthy)
	file := filepath.Join(t.TempDir(), "backup")
	_, err := c.cairn("meta", "backup", file)
	require.NoError(t, err)

	s, err := c.status()
	require.NoError(t, err)
	drained := []string{s.Node(c.nodes[0]).Drives[0].ID, s.Node(c.nodes[1]).Drives[0].ID}
	for _, id := range drained {
		_, err := c.cairn("drive", "drain", id, "--yes")
		require.NoError(t, err)
	}
	c.until("both drives are empty", func(s *testbed.Status) error {
		for _, n := range s.Nodes {
			for _, d := range n.Drives {
				if (d.ID == drained[0] || d.ID == drained[1]) && (d.Slots > 0 || d.Shards > 0) {
					return fmt.Errorf("drive %s has %d slots and %d shards", d.ID, d.Slots, d.Shards)
				}
			}
		}
		return nil
	})
	for _, o := range objects[:5] { // The old data of each stays for as long as a backup may refer to it.
		anew := &object{key: o.key, data: randomBytes(300_000)}
		c.retry(t.Context(), func(cl *s3.Client) error { return put(t.Context(), cl, bucket, anew) })
	}

	for _, p := range c.nodes {
		c.stop(p)
		require.NoError(t, os.Rename(metadata(p), metadata(p)+".old"))
	}
	_, err = c.offline("meta", "restore", file, "--data", home(c.nodes[0]), "--cluster-key-file", c.path("cluster.key"), "--yes")
	require.NoError(t, err)
	for _, p := range c.nodes[:3] {
		c.start(p)
		c.waitReady(p)
	}
	_, err = c.cairn("meta", "release-orphans", "--yes")
	require.ErrorContains(t, err, "drives have not been compared", "a node is down whose drives were not compared")
	c.start(c.nodes[3])
	c.waitReady(c.nodes[3])
	c.eventually("orphans are released", stepTimeout, func() bool {
		if _, err = c.cairn("meta", "release-orphans", "--yes"); err != nil {
			require.Contains(t, err.Error(), "nothing is released", strings.TrimSpace(err.Error()))
		}
		return err == nil
	})
	c.until("health", healthy)
	c.allThere(objects)
	time.Sleep(sweepPause)
	c.until("health", healthy)
	c.allThere(objects)
}
