//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/tools/testbed"
)

const toleranceObjects = 16

// TestStatusSaysWhatMayBeLost has a small zone: two nodes, one of them with two drives. Without the
// other node each volume of 2+2 has two slots on one node. The test takes away what may be lost by the
// status, and everything must be readable. Without one node more it must not be.
func TestStatusSaysWhatMayBeLost(t *testing.T) {
	t.Parallel()
	zones := []string{"a", "a", "b", "b", "b"}
	c := startClusterWith(t, len(zones), options{flags: []string{"--lost-after", "1h"}, prepare: func(p *process) {
		p.Flags = []string{"--zone", zones[p.Index]}
		if p.Index == 0 {
			p.Drives = append(p.Drives, filepath.Join(filepath.Dir(p.Drives[0]), "second"))
		}
	}})
	first := client(c.nodes[4])
	_, err := first.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: ptr("kept")})
	require.NoError(t, err)
	var objects []*object
	for i := range toleranceObjects {
		o := &object{key: fmt.Sprint("o", i), data: randomBytes(300 << 10)}
		require.NoError(t, put(t.Context(), first, "kept", o))
		objects = append(objects, o)
	}
	tolerates := func(nodes int) func(*testbed.Status) bool {
		return func(s *testbed.Status) bool { return s.Tolerance.Nodes == nodes && s.Tolerance.Volumes > 0 }
	}
	await := func(what string, holds func(*testbed.Status) bool) (last *testbed.Status) {
		t.Helper()
		c.eventually(what, healTimeout, func() bool {
			s, err := c.status()
			if err != nil {
				return false
			}
			last = s
			return holds(s)
		})
		return last
	}
	readable := func(by *process) (n int) {
		for _, o := range objects {
			if o.get(t.Context(), client(by), "kept") == nil {
				n++
			}
		}
		return n
	}

	s := await("any two nodes may be lost", tolerates(2))
	t.Log(s.Tolerance.Text)
	small := s.Node(c.nodes[1]).ID
	c.kill(c.nodes[0], c.nodes[2])
	await("none may be lost any more", tolerates(0))
	require.Equal(t, toleranceObjects, readable(c.nodes[4]), "any two, status said")
	c.start(c.nodes[0])
	c.start(c.nodes[2])
	c.waitReady(c.nodes[0], c.nodes[2])
	c.healed()
	await("any two nodes may be lost again", tolerates(2))

	_, err = c.cairn("node", "drain", small, "--yes")
	require.ErrorContains(t, err, "could lose less than now")
	_, err = c.cairn("node", "drain", small, "--yes", "--force")
	require.NoError(t, err)
	await("nothing is left on it", func(s *testbed.Status) bool { return s.Node(c.nodes[1]).Slots() == 0 })
	_, err = c.cairn("node", "remove", small, "--yes")
	require.NoError(t, err)
	c.kill(c.nodes[1])
	s = await("any one node or zone may be lost", func(s *testbed.Status) bool {
		return tolerates(1)(s) && s.Tolerance.Zones == 1 && s.Tolerance.Crowded > 0 && s.Finds("too close together")
	})
	t.Log(s.Tolerance.Text, s.HealthReason)
	// Three of the four vote. Of the two that die, one must not vote, so that the metadata go on.
	var victim, asked *process
	c.eventually("three voters", healTimeout, func() bool {
		s, err := c.status()
		if err != nil {
			return false
		}
		votes := 0
		victim, asked = nil, nil
		for _, p := range c.nodes[2:] {
			if s.Node(p).Voter {
				votes++
				asked = p
			} else {
				victim = p
			}
		}
		if victim == nil {
			victim = c.nodes[2]
			asked = c.nodes[3]
		}
		if s.Node(c.nodes[0]).Voter {
			votes++
		}
		return votes == 3
	})
	c.kill(c.nodes[0])
	await("the rest may not lose another", tolerates(0))
	require.Equal(t, toleranceObjects, readable(asked), "any one, status said")
	c.kill(victim)
	s = await("volumes cannot be read", func(s *testbed.Status) bool { return s.Tolerance.Unreadable > 0 })
	require.Equal(t, "critical", s.Health)
	t.Log(s.Tolerance.Text)
	left := readable(asked)
	require.Less(t, left, toleranceObjects, "and they cannot")
	if s.Tolerance.Unreadable == s.Tolerance.Volumes {
		require.Zero(t, left)
	}
	c.start(c.nodes[0])
	c.waitReady(c.nodes[0])
	require.Equal(t, toleranceObjects, readable(asked))
	m, err := c.leader().Metrics(t.Context())
	require.NoError(t, err)
	require.Contains(t, m, `cairn_tolerance{unit="node"}`)
}
