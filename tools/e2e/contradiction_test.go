//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/group"
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/meta/state"
	"github.com/cairnstore/cairn/tools/testbed"
)

// spoil replaces a record of a node that does not run by one that cannot be decoded, and returns the
// old value.
func spoil(t *testing.T, p *process, key []byte) (was []byte) {
	err := group.LookAt(group.Config{FS: vfs.Default, Dir: metadata(p)}, func(r *state.Records) (err error) {
		if was, _, err = r.Get(key); err != nil {
			return err
		}
		return r.Set(key, []byte{0xff, 0xff})
	})
	require.NoError(t, err)
	require.NotNil(t, was)
	return was
}

// TestDamagedVoter spoils the record of what a bucket holds on one of three voters, so that its
// database does not notice. While only one other voter runs, nobody can say which of the two is right,
// and health says that. Once all three run, the damaged one ends by itself and says why. When it is
// started again it takes part as another server, has its metadata made anew, and votes. Nothing is
// lost.
func TestDamagedVoter(t *testing.T) {
	t.Parallel()
	c := startClusterWith(t, 3, options{flags: []string{"--upkeep-interval", "300ms"}})
	ctx := t.Context()
	c.until("three voters", votersAlive(3))
	objects := c.manyObjects(10)
	leader := c.leader()
	var damaged, away *process
	for _, p := range c.nodes {
		switch {
		case p == leader:
		case damaged == nil:
			damaged = p
		default:
			away = p
		}
	}
	c.evenlyApplied()
	c.stop(damaged)
	usage := c.usageOf(damaged, bucket)
	spoil(t, damaged, usage)
	c.kill(away)
	c.start(damaged)
	c.waitReady(damaged)
	c.eventually("health tells of the disagreement", stepTimeout, func() bool {
		// Whoever leads, one of the two refuses this. Its outcome counts for nothing.
		attempt, cancel := context.WithTimeout(ctx, adminTimeout)
		defer cancel()
		_ = put(attempt, client(leader), bucket, &object{key: "uncertain", data: []byte("x")})
		s, err := c.status()
		return err == nil && s.Health == "critical" && s.Finds("have refused different commands")
	})
	require.True(t, damaged.Running(), "nobody can say yet who is right")

	c.start(away)
	select {
	case <-damaged.Done():
	case <-ctx.Done():
		t.Fatal("the damaged voter does not end by itself")
	}
	log, err := damaged.Log()
	require.NoError(t, err)
	require.Contains(t, log, "disagreed with those of 2 of 3 voters")
	require.Contains(t, log, record.Name(usage), "it names the record")
	c.kill(damaged)
	c.waitReady(leader, away)
	for _, o := range objects {
		require.NoError(t, o.get(ctx, client(leader), bucket))
	}

	c.start(damaged)
	c.waitReady(c.nodes...)
	log, err = damaged.Log()
	require.NoError(t, err)
	require.Contains(t, log, "neither votes nor counts")
	c.until("three voters again", votersAlive(3))
	c.until("health", healthy)
	kept, err := filepath.Glob(filepath.Join(metadata(damaged), "disowned", "*", "state"))
	require.NoError(t, err)
	require.Len(t, kept, 1, "what it had is kept to look at")

	// It can carry the cluster: while one of the others is down, every commit needs it.
	c.kill(away)
	c.allThereAt(objects, leader, damaged)
	more := &object{key: "more", data: randomBytes(1000)}
	c.retry(ctx, func(cl *s3.Client) error { return put(ctx, cl, bucket, more) })
	c.start(away)
	c.waitReady(away)
	c.until("health after all", healthy)
	c.allThere(append(objects, more))
}

// shown returns the value of a record as `cairn meta mend` shows it.
func (c *cluster) shown(p *process, kind string, key []byte) string {
	c.t.Helper()
	out, err := c.offline("meta", "mend", "--data", home(p), "--record", record.Name(key))
	require.NoError(c.t, err)
	_, value, found := strings.Cut(string(out), "value   "+kind+" ")
	require.True(c.t, found, "%s", out)
	return value
}

// usageOf returns the key of the record of what a bucket holds. It reads the metadata of a node that
// does not run.
func (c *cluster) usageOf(p *process, bucket string) []byte {
	c.t.Helper()
	var record struct {
		ID uint64 `json:"id,string"`
	}
	require.NoError(c.t, json.Unmarshal([]byte(c.shown(p, "Bucket", keys.AppendBucket(nil, bucket))), &record))
	return keys.AppendUsage(nil, record.ID)
}

// evenlyApplied waits until all nodes have applied the same entries. What a follower has not applied
// when it is stopped is in its log only, and not in its records.
func (c *cluster) evenlyApplied() {
	c.eventually("all have applied the same", stepTimeout, func() bool {
		applied := map[float64]bool{}
		for _, p := range c.up() {
			m, err := p.Metrics(c.t.Context())
			if err != nil {
				return false
			}
			applied[m["cairn_raft_applied_index"]] = true
		}
		return len(applied) == 1
	})
}

func (c *cluster) allThereAt(objects []*object, nodes ...*process) {
	c.t.Helper()
	for i, o := range objects {
		require.NoError(c.t, o.get(c.t.Context(), client(nodes[i%len(nodes)]), bucket), o.key)
	}
}

// TestBadRecord has a record that is bad on all voters alike. If it is the record that counts what a
// bucket holds, only writes to that bucket fail, and health says so. If it is one without which nothing
// can be applied, no node starts, and each names the command that helps. That command shows the bad
// records, and mends or removes them. Then everything is served.
func TestBadRecord(t *testing.T) {
	t.Parallel()
	c := startClusterWith(t, 3, options{flags: []string{"--upkeep-interval", "300ms"}})
	ctx := t.Context()
	c.until("three voters", votersAlive(3))
	objects := c.manyObjects(5)
	_, err := client(c.nodes[0]).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: ptr("bad")})
	require.NoError(t, err)
	require.NoError(t, put(ctx, client(c.nodes[0]), "bad", &object{key: "first", data: []byte("x")}))
	mend := func(p *process, args ...string) (string, error) {
		out, err := c.offline(append([]string{"meta", "mend", "--data", home(p)}, args...)...)
		return string(out), err
	}
	each := func(do func(p *process)) {
		for _, p := range c.nodes {
			do(p)
		}
	}

	// Refused on all alike.
	c.evenlyApplied()
	each(c.stop)
	key := c.usageOf(c.nodes[0], "bad")
	name, value := record.Name(key), c.shown(c.nodes[0], "BucketUsage", key)
	file := filepath.Join(t.TempDir(), "usage.json")
	require.NoError(t, os.WriteFile(file, []byte(value), 0o600))
	each(func(p *process) { spoil(t, p, key) })
	each(c.start)
	c.waitReady(c.nodes...)
	c.eventually("a command is refused", stepTimeout, func() bool {
		attempt, cancel := context.WithTimeout(ctx, adminTimeout)
		defer cancel()
		if put(attempt, client(c.nodes[1]), "bad", &object{key: "k", data: []byte("x")}) == nil {
			t.Error("a put that cannot be counted was acknowledged")
		}
		s, err := c.status()
		return err == nil && s.Finds("since records of the metadata contradict each other", name)
	})
	c.until("all agree about it", func(s *testbed.Status) error {
		if s.Finds("different commands") {
			return fmt.Errorf("%s", s.HealthReason)
		}
		return votersAlive(3)(s)
	})
	more := &object{key: "more", data: randomBytes(1000)}
	c.retry(ctx, func(cl *s3.Client) error { return put(ctx, cl, bucket, more) })
	objects = append(objects, more)
	c.allThere(objects)

	// Mended on all alike; and one is made that stops all.
	each(c.stop)
	lease, stops := fmt.Sprintf("%x", keys.AppendLease(nil, 1, 1<<40)), filepath.Join(t.TempDir(), "lease.json")
	require.NoError(t, os.WriteFile(stops, []byte(`{"session": "BwcHBwcHBwcHBwcHBwcHBw=="}`), 0o600))
	each(func(p *process) {
		out, err := c.offline("meta", "check", "--data", home(p))
		require.Error(t, err)
		require.Contains(t, string(out), name)
		out2, err := mend(p, "--record", name, "--from", file, "--dry-run")
		require.NoError(t, err, out2)
		_, err = mend(p, "--record", name, "--from", file)
		require.ErrorContains(t, err, "--yes", "it is not done without being confirmed")
		_, err = c.offline("meta", "check", "--data", home(p))
		require.Error(t, err)
		out2, err = mend(p, "--record", name, "--from", file, "--yes")
		require.NoError(t, err, out2)
		out, err = c.offline("meta", "check", "--data", home(p))
		require.NoError(t, err, "%s", out)
		out2, err = mend(p, "--record", lease, "--from", stops, "--yes")
		require.NoError(t, err, out2)
	})
	each(func(p *process) { c.refused(p, "`cairn meta mend` mends or removes it") })
	each(func(p *process) {
		out, err := c.offline("meta", "check", "--data", home(p))
		require.ErrorContains(t, err, "contradict")
		require.Contains(t, string(out), "belongs to no live session")
		bad, _, _ := strings.Cut(string(out), ":")
		out2, err := mend(p, "--record", bad, "--remove", "--yes")
		require.NoError(t, err, out2)
		out, err = c.offline("meta", "check", "--data", home(p))
		require.NoError(t, err, "%s", out)
	})
	each(c.start)
	c.waitReady(c.nodes...)
	c.until("health", healthy)
	c.allThere(objects)
	require.NoError(t, put(ctx, client(c.nodes[2]), "bad", &object{key: "k", data: []byte("x")}))
}
