//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/tools/testbed"
)

// TestMembership rotates the cluster key of three nodes with two drives each while clients work. Then
// it tries to run nodes that must not be let in. Each must end with a sentence that says what to do.
func TestMembership(t *testing.T) {
	t.Parallel()
	c := startClusterWith(t, 3, options{drives: 2, flags: []string{"--min-part", "1MiB"}})
	m := &membership{cluster: c, oldKey: filepath.Join(t.TempDir(), "old.key")}
	chapters(t, c,
		chapter{"the cluster key is rotated", m.rotate},
		chapter{"another cluster key", m.otherKey},
		chapter{"data of another cluster", m.otherCluster},
		chapter{"a copy of a member", m.clone},
		chapter{"drives that do not fit", m.drives},
		chapter{"settings that must be equal", m.settings},
		chapter{"a node is removed while it runs", m.removed},
		chapter{"clocks that differ", m.clocks},
	)
}

type membership struct {
	*cluster
	oldKey string // The file of the old cluster key.
	guest  *process
	sealed *object // An object that is encrypted under a master key of the cluster.
}

// rotate follows docs/operations.md step by step.
func (m *membership) rotate(t *testing.T) {
	ctx := t.Context()
	b := m.work(3)
	const access, secret = "ROTATED0000000000001", "rotated/secret+of=some/length0123456789"
	_, err := m.cairn("account", "add", "rotated", "--access-key", access, "--secret-key", secret)
	require.NoError(t, err)
	m.known(ctx, access, secret)
	_, err = m.cairn("kms", "key", "create", "--alias", "rotated")
	require.NoError(t, err)
	m.sealed = &object{key: "sealed", data: randomBytes(1 << 20)}
	m.retry(ctx, func(c *s3.Client) error {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: ptr(busyBucket), Key: &m.sealed.key, Body: bytes.NewReader(m.sealed.data),
			ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: ptr("alias/rotated")})
		return err
	})

	text, err := os.ReadFile(m.path("cluster.key"))
	require.NoError(t, err)
	old := strings.TrimSpace(string(text))
	require.NoError(t, os.WriteFile(m.oldKey, text, 0o600))
	text, err = m.cairn("key", "new")
	require.NoError(t, err)
	fresh := strings.TrimSpace(string(text))
	for i, lines := range [][]string{{old, fresh, "seal " + old}, {fresh, old, "seal " + old}, {fresh, "seal " + old}} {
		b.recorder.Begin(fmt.Sprintf("key rotation, step %d", i+1))
		require.NoError(t, os.WriteFile(m.path("cluster.key"), []byte(strings.Join(lines, "\n")+"\n"), 0o600))
		m.eachInTurn(nil)
	}
	b.rest()
	b.check()
	for _, p := range m.nodes {
		require.NoError(t, m.sealed.get(ctx, client(p), busyBucket), "an object sealed before")
		_, err := clientAs(p, access, secret).ListBuckets(ctx, &s3.ListBucketsInput{})
		require.NoError(t, err, "a secret key sealed before")
	}
}

// visitor returns a node that was never a member, with empty directories.
func (m *membership) visitor(t *testing.T, flags ...string) *process {
	t.Helper()
	if m.guest == nil {
		added, err := m.bed.Add(1)
		require.NoError(t, err)
		m.guest = added[0]
	}
	for _, dir := range m.guest.Drives {
		require.NoError(t, os.RemoveAll(dir))
	}
	m.guest.Flags = flags
	return m.guest
}

func (m *membership) otherKey(t *testing.T) {
	m.refused(m.visitor(t, "--cluster-key-file", m.oldKey), "does not gossip with this node's cluster key: give every node the same --cluster-key-file")
	require.NoError(t, os.Chmod(m.oldKey, 0o644))
	m.refused(m.visitor(t, "--cluster-key-file", m.oldKey), "run: chmod 600 "+m.oldKey)
}

// otherCluster tries to let a node join that has the right key, but has belonged to another cluster. It
// must be refused.
func (m *membership) otherCluster(t *testing.T) {
	dir := t.TempDir()
	bed, err := testbed.New(testbed.Options{Bin: m.bed.Bin, Dir: dir, Expect: 2})
	require.NoError(t, err)
	t.Cleanup(bed.KillAll)
	key, err := os.ReadFile(m.path("cluster.key"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cluster.key"), key, 0o600))
	nodes, err := bed.Start(t.Context(), 2)
	require.NoError(t, err)
	s, err := bed.Status(t.Context())
	require.NoError(t, err)
	of := nodes[slices.IndexFunc(nodes, func(p *process) bool { return !s.Node(p).Voter })]
	bed.KillAll()
	p := m.visitor(t)
	require.NoError(t, os.Rename(of.Drives[0], p.Drives[0]))
	m.refused(p, ": check --join and the data directories")
}

// clone runs a copy of a member's directories beside it.
func (m *membership) clone(t *testing.T) {
	of := m.nodes[0]
	m.until("health", healthy)
	m.stop(of)
	p := m.visitor(t)
	for i, dir := range of.Drives {
		require.NoError(t, os.CopyFS(p.Drives[i], os.DirFS(dir)))
	}
	m.start(of)
	m.waitReady(of)
	m.until("health", healthy)
	m.retry(t.Context(), func(c *s3.Client) error {
		_, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: ptr(bucket)})
		return err
	})
	for i := range 50 { // So that the copy is behind. It must be said all the same that it is a copy.
		o := &object{key: fmt.Sprint("after-the-copy-", i), data: []byte("small")}
		m.retry(t.Context(), func(c *s3.Client) error { return put(t.Context(), c, bucket, o) })
	}
	m.refused(p, fmt.Sprintf("runs at %s already: the data directory %s is a copy of that node's. Stop one of the two", of.RPCHost(), home(p)))
	m.until("health of the members", healthy)
}

// drives starts a member with directories that are missing, that belong to another member, or that are
// in another order.
func (m *membership) drives(t *testing.T) {
	p, other := m.nodes[1], m.nodes[2]
	m.until("health", healthy)
	m.stop(p)
	own := p.Drives
	for _, c := range []struct {
		name     string
		drives   []string
		sentence string
	}{
		{"one is not named", own[:1], "is missing: none of the directories in --data holds it"},
		{"one is not mounted", []string{own[0], filepath.Join(t.TempDir(), "empty")}, "empty is empty. Is its disk mounted? If it is lost for good or was replaced, start the node with --accept-lost-drive "},
		{"one is another node's", append(slices.Clone(own), other.Drives[1]), other.Drives[1] + " holds drive "},
		{"two nodes in one", []string{own[0], own[1], other.Drives[0]}, "they are directories of two nodes; name those of one"},
		{"the node's identity is missing", own[1:], "is a disk not mounted, or a directory not named in --data?"},
	} {
		p.Drives = c.drives
		t.Log(c.name)
		m.refused(p, c.sentence)
	}
	slices.Reverse(own)
	p.Drives = own
	m.start(p)
	m.waitReady(p)
	require.NoError(t, m.sealed.get(t.Context(), client(p), busyBucket))
	m.until("health with the drives in another order", healthy)
}

// clocks starts a new node, and a member, whose clock is wrong.
func (m *membership) clocks(t *testing.T) {
	m.refused(m.visitor(t, "--pretend-clock", "7m"), "this node's clock is 7m0s ahead of the clocks of the cluster")
	m.refused(m.visitor(t, "--pretend-clock", "-1h"), "this node's clock is 1h0m0s behind the clocks of the cluster")
	p := m.nodes[2]
	m.stop(p)
	p.Flags = []string{"--pretend-clock", "7m"}
	m.start(p)
	m.waitReady(p)
	s, err := m.status()
	require.NoError(t, err)
	m.until("a warning about the clock", func(of *testbed.Status) error {
		if !of.Finds("the clock of node " + s.Node(p).ID) {
			return fmt.Errorf("%s: %s", of.Health, of.HealthReason)
		}
		return nil
	})
}

// settings starts a new node, and a member, whose settings are not the cluster's.
func (m *membership) settings(t *testing.T) {
	const differs = "this node has another value of "
	m.refused(m.visitor(t, "--root-password", "another-root-secret"), differs+"--root-password than the nodes of the cluster")
	m.refused(m.visitor(t, "--region", "nowhere-1", "--lifecycle-day", "1h"), differs+"--lifecycle-day and of --region than")
	p := m.nodes[2]
	m.stop(p)
	p.Flags = []string{"--kms-root-key", strings.Repeat("5a", 32)}
	m.refused(p, differs+"--kms-root-key than")
	// A node is let in whose setting has a value that is being changed on one node after the other.
	// Status shows it.
	p.Flags = []string{"--root-password", "the-next-root-secret"}
	m.start(p)
	m.waitReady(p)
	s, err := m.status()
	require.NoError(t, err)
	m.until("a warning about the setting", func(of *testbed.Status) error {
		if !of.Finds("node "+s.Node(p).ID, "another --root-password than on most nodes") {
			return fmt.Errorf("%s: %s", of.Health, of.HealthReason)
		}
		return nil
	})
	m.stop(p)
	p.Flags = nil
	m.start(p)
	m.waitReady(p)
	m.until("health", healthy)
}

// removed removes a node while it runs. The node must end by itself, with the sentence with which it
// would be refused, and so must its next start.
func (m *membership) removed(t *testing.T) {
	// With a fourth node, data would be widened to 2+2, which three nodes could not hold again.
	_, err := m.cairn("job", "pause", "widen")
	require.NoError(t, err)
	p := m.visitor(t)
	m.start(p)
	m.waitReady(p)
	s, err := m.status()
	require.NoError(t, err)
	id := s.Node(p).ID
	_, err = m.cairn("node", "drain", id, "--yes")
	require.NoError(t, err)
	m.until("nothing is left on it", func(s *testbed.Status) error {
		if n := s.Node(p); n.Voter || n.Slots() > 0 {
			return fmt.Errorf("votes: %v, slots: %d", n.Voter, n.Slots())
		}
		return nil
	})
	_, err = m.cairn("node", "remove", id, "--yes")
	require.NoError(t, err)
	const said = "was removed from the cluster: empty its data directories to let it join as a new node"
	ended, cancel := context.WithTimeout(t.Context(), readyTimeout)
	defer cancel()
	select {
	case <-p.Done():
	case <-ended.Done():
		t.Fatalf("%s goes on serving:\n%s", p, p.LogTail())
	}
	require.Contains(t, p.LogTail(), said)
	m.kill(p)
	m.refused(p, said)
	_, err = m.cairn("job", "resume", "widen")
	require.NoError(t, err)
	m.until("health of the others", healthy)
}
