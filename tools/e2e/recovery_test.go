//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/tools/testbed"
)

// TestRecovery loses the metadata of a cluster of four nodes, three of which vote. First all metadata
// are lost, and restored from a backup that was made while clients wrote. Then two voters are lost for
// good, and the third goes on without them. The data are coded 2+2, so they survive the loss of two
// nodes.
func TestRecovery(t *testing.T) {
	t.Parallel()
	r := &recovery{file: filepath.Join(t.TempDir(), "backup")}
	r.cluster = startClusterWith(t, 4, options{flags: []string{"--min-part", "1MiB", "--upkeep-interval", "300ms",
		"--gc-grace", "1h"}}) // Longer than the backup gets old: what is deleted after it can be read again.
	chapters(t, r.cluster,
		chapter{"back up while clients write", r.backup},
		chapter{"damage and other keys are found", r.verify},
		chapter{"restore into nodes without metadata", r.restore},
		chapter{"data that the backup does not know is kept until it is released", r.release},
		chapter{"two of three voters lost for good", r.loseVoters},
		chapter{"lost nodes come back or are replaced", r.replace},
	)
}

type recovery struct {
	*cluster
	file    string // The file of the backup.
	objects []*object
	later   []*object // Objects that were written after the backup.
	lost    []*process
}

// write puts objects of all kinds: inline, in extents, of parts and copies, and encrypted.
func (r *recovery) write(t *testing.T, name string) (out []*object) {
	t.Helper()
	ctx := t.Context()
	for i, size := range []int{0, 300, 100_000, 1 << 20, 3<<20 + 17} {
		o := &object{key: fmt.Sprintf("%s-%d", name, i), data: randomBytes(size)}
		r.retry(ctx, func(c *s3.Client) error { return put(ctx, c, bucket, o) })
		out = append(out, o)
	}
	sealed := &object{key: name + "-sealed", data: randomBytes(2 << 20), sse: newCustomerKey(t)}
	r.retry(ctx, func(c *s3.Client) error { return put(ctx, c, bucket, sealed) })
	var copied *object
	r.retry(ctx, func(c *s3.Client) error {
		up, err := createUpload(ctx, c, bucket, name+"-copied", nil)
		if err == nil {
			err = up.copy(ctx, c, sealed, 5, 1<<20+4)
		}
		if err == nil {
			err = up.copy(ctx, c, out[4], 1, 2<<20)
		}
		if err == nil {
			copied, err = up.complete(ctx, c)
		}
		return err
	})
	return append(out, sealed, copied)
}

// readAll reads everything at every node that runs.
func (r *recovery) readAll(t *testing.T) {
	t.Helper()
	for _, p := range r.up() {
		for _, o := range r.objects {
			require.NoError(t, o.get(t.Context(), client(p), bucket), "%s from %s", o.key, p)
		}
	}
}

func (r *recovery) backup(t *testing.T) {
	_, err := client(r.nodes[0]).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: ptr(bucket)})
	require.NoError(t, err)
	r.until("three voters", votersAre(3))
	r.objects = r.write(t, "before")
	b := r.work(3)
	for round := range 3 { // So that the clients have the time to be in the midst of their work.
		b.recorder.Begin(fmt.Sprintf("backup %d", round))
		r.objects = append(r.objects, r.write(t, fmt.Sprintf("before%d", round))...)
		if round > 0 {
			require.NoError(t, os.Remove(r.file))
		}
		_, err = r.cairn("meta", "backup", r.file)
		require.NoError(t, err)
	}
	r.later = r.write(t, "later")
	b.rest()
	b.check()
	_, err = r.cairn("meta", "backup", r.file)
	require.ErrorContains(t, err, "exists already")
	made := 0.0
	for _, p := range r.nodes {
		m, err := p.Metrics(t.Context())
		require.NoError(t, err)
		made = max(made, m["cairn_metadata_backup_timestamp_seconds"])
	}
	require.NotZero(t, made, "no node tells when it made a backup")
	_, err = client(r.nodes[0]).DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: ptr(bucket), Key: &r.objects[3].key})
	require.NoError(t, err)
}

func votersAre(n int) func(*testbed.Status) error {
	return func(s *testbed.Status) error {
		votes := 0
		for i := range s.Nodes {
			if s.Nodes[i].Voter {
				votes++
			}
		}
		if votes != n {
			return fmt.Errorf("%d vote", votes)
		}
		return nil
	}
}

func (r *recovery) verify(t *testing.T) {
	out, err := r.cairn("meta", "verify", r.file, "--cluster-key-file", r.path("cluster.key"))
	require.NoError(t, err)
	require.Contains(t, string(out), "log entry")
	key, err := r.cairn("key", "new")
	require.NoError(t, err)
	other := filepath.Join(t.TempDir(), "other.key")
	require.NoError(t, os.WriteFile(other, key, 0o600))
	_, err = r.cairn("meta", "verify", r.file, "--cluster-key-file", other)
	require.ErrorContains(t, err, "key")
	text, err := os.ReadFile(r.file)
	require.NoError(t, err)
	bad := filepath.Join(t.TempDir(), "bad")
	for what, damaged := range map[string][]byte{"cut short": text[:len(text)*2/3], "a changed byte": flipped(text)} {
		require.NoError(t, os.WriteFile(bad, damaged, 0o600))
		_, err = r.cairn("meta", "verify", bad)
		require.Error(t, err, what)
	}
}

// flipped returns a copy with a byte in the middle changed.
func flipped(b []byte) []byte {
	b = append([]byte(nil), b...)
	b[len(b)/2] ^= 1
	return b
}

func home(p *process) string     { return p.Drives[0] }
func metadata(p *process) string { return filepath.Join(home(p), "meta") }

func (r *recovery) restore(t *testing.T) {
	s, err := r.status()
	require.NoError(t, err)
	var first, last *process // To be restored; to keep its old metadata, which a node has that voted.
	for _, p := range r.nodes {
		if s.Node(p).Voter {
			first, last = last, p
		}
	}
	args := []string{"meta", "restore", r.file, "--data", home(first), "--cluster-key-file", r.path("cluster.key")}
	_, err = r.offline(args...)
	require.ErrorContains(t, err, "Nobody can be asked here")
	_, err = r.offline(append(args, "--yes")...)
	require.ErrorContains(t, err, "stop the node first")
	for _, p := range r.nodes {
		r.stop(p)
		require.NoError(t, os.Rename(metadata(p), metadata(p)+".old"))
	}
	out, err := r.offline(append(args, "--yes")...)
	require.NoError(t, err)
	require.Contains(t, string(out), "only voter")
	r.start(first)
	r.waitReady(first)
	for _, p := range r.nodes {
		if p != first && p != last {
			r.start(p)
			r.waitReady(p)
		}
	}
	// A node whose metadata were not moved away ends and says so.
	require.NoError(t, os.Rename(metadata(last)+".old", metadata(last)))
	r.refused(last, "the cluster's metadata were restored or recovered without this node (era 1), and this node's are of before that (era 0): move "+metadata(last)+" away and start it again")
	require.NoError(t, os.Rename(metadata(last), metadata(last)+".old"))
	r.start(last)
	r.waitReady(last)
	r.until("three voters", votersAre(3))

	r.readAll(t) // What was deleted after the backup is read, too.
	for _, o := range r.later {
		_, err := client(r.nodes[0]).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: ptr(bucket), Key: &o.key})
		var none *types.NotFound
		require.ErrorAs(t, err, &none, "%s was written after the backup", o.key)
	}
	// New extents must not take the numbers of those that the backup does not know.
	for i := range 4 {
		r.objects = append(r.objects, r.write(t, fmt.Sprintf("restored%d", i))...)
	}
	r.readAll(t)
	r.until("health", healthy)
}

// offline runs a command without a cluster.
func (c *cluster) offline(args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), stepTimeout)
	defer cancel()
	return c.bed.CairnAt(ctx, c.nodes[0], args...)
}

// orphans returns how many orphans the nodes have deleted.
func (r *recovery) orphans(t *testing.T) (sum float64) {
	for _, p := range r.up() {
		m, err := p.Metrics(t.Context())
		require.NoError(t, err)
		sum += m["cairn_orphans_deleted_total"]
	}
	return sum
}

func (r *recovery) release(t *testing.T) {
	require.Zero(t, r.orphans(t))
	_, err := r.cairn("meta", "release-orphans")
	require.ErrorContains(t, err, "Nobody can be asked here")
	_, err = r.cairn("meta", "release-orphans", "--yes")
	require.NoError(t, err)
	r.eventually("orphans deleted", stepTimeout, func() bool { return r.orphans(t) > 0 })
	r.readAll(t)
}

var lastEntry = regexp.MustCompile(`log entry (\d+) \(term (\d+)\)`)

// standing asks `cairn meta recover` how far the metadata of a node reach that does not run.
func (r *recovery) standing(t *testing.T, p *process) (term, index int) {
	t.Helper()
	_, err := r.offline("meta", "recover", "--data", home(p))
	require.ErrorContains(t, err, "Nobody can be asked here")
	m := lastEntry.FindStringSubmatch(err.Error())
	require.NotNil(t, m, "%v", err)
	index, err = strconv.Atoi(m[1])
	require.NoError(t, err)
	term, err = strconv.Atoi(m[2])
	require.NoError(t, err)
	return term, index
}

func (r *recovery) loseVoters(t *testing.T) {
	r.until("health", healthy)
	r.objects = append(r.objects, r.write(t, "last")...)
	s, err := r.status()
	require.NoError(t, err)
	var left []*process
	for _, p := range r.nodes {
		if n := s.Node(p); n.Voter && !n.Leader {
			r.lost = append(r.lost, p)
		} else {
			left = append(left, p)
		}
	}
	require.Len(t, r.lost, 2)
	r.healed()
	r.kill(r.lost...)
	_, err = r.offline("meta", "recover", "--data", home(left[0]), "--yes")
	require.ErrorContains(t, err, "stop the node first")
	for _, p := range left {
		r.stop(p)
	}
	best, other := left[0], left[1]
	term, index := r.standing(t, best)
	if t2, i2 := r.standing(t, other); t2 > term || t2 == term && i2 > index {
		best, other = other, best
	}
	out, err := r.offline("meta", "recover", "--data", home(best), "--yes")
	require.NoError(t, err)
	require.Contains(t, string(out), "only voter")
	require.NoError(t, os.RemoveAll(metadata(other)))
	r.start(best)
	r.waitReady(best)
	r.start(other)
	r.waitReady(other)
	r.readAll(t)
	r.objects = append(r.objects, r.write(t, "recovered")...)
	r.readAll(t)
}

// replace brings one of the lost nodes back without its metadata, and puts a new node in the place of
// the other.
func (r *recovery) replace(t *testing.T) {
	back, dead := r.lost[0], r.lost[1]
	r.refused(back, "restored or recovered without this node")
	require.NoError(t, os.RemoveAll(metadata(back)))
	r.start(back)
	r.waitReady(back)
	s, err := r.status()
	require.NoError(t, err)
	fresh, err := r.bed.Add(1)
	require.NoError(t, err)
	r.start(fresh[0])
	r.waitReady(fresh...)
	_, err = r.cairn("node", "remove", s.Node(dead).ID, "--yes")
	require.ErrorContains(t, err, "drain it first")
	_, err = r.cairn("node", "remove", s.Node(dead).ID, "--force", "--yes")
	require.NoError(t, err)
	r.until("health of the nodes that there are now", healthy)
	r.until("three voters", votersAre(3))
	_, err = r.cairn("meta", "release-orphans", "--yes")
	require.NoError(t, err)
	r.readAll(t)
}
