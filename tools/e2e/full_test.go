//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/tools/testbed"
)

// TestFullDisk fills the file systems of a cluster's nodes, each a small tmpfs, to the last byte, as
// another program would. Reads must go on, and deletions too as long as the ballast lasts. What grows
// must be refused, with a code that says why. A node that is started meanwhile must come up and serve
// reads. Once there is room, everything must go on without a restart.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	f := newFullDisks(t)
	chapters(t, f.cluster,
		chapter{"one node's disk is full: its writes go on at the others", f.one},
		chapter{"all disks are full: reads and deletions go on", f.all},
		chapter{"a start on a full disk comes up and reads", f.restart},
		chapter{"there is room again: no node needs a restart", f.heal},
		chapter{"a start without any room waits, says so, and can be interrupted", f.nothing},
	)
}

const (
	smallDisk   = 640 << 20
	fillerPiece = 1 << 20
	ballastWait = 2 * time.Second // Longer than a node takes to give up a piece of its ballast.
	ballastMost = 4               // How many pieces the ballast has at most.
)

// fullDisks is a cluster whose nodes have a small file system each.
type fullDisks struct {
	*cluster
	compat string // The profile that the cluster is set to.
	kept   []*object
}

func newFullDisks(t *testing.T) *fullDisks {
	mounted := true
	c := startClusterWith(t, 3, options{flags: []string{"--metadata-reserve", "48MiB"}, prepare: func(p *process) {
		dir := p.Drives[0]
		require.NoError(t, os.MkdirAll(dir, 0o755))
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, sizeOption(smallDisk)); err != nil {
			mounted = false
			return
		}
		t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	}})
	if !mounted {
		t.Skip("file systems of their own are needed to be filled, and mounting is not allowed here")
	}
	f := &fullDisks{cluster: c, compat: "obs"}
	_, err := client(f.nodes[0]).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: ptr(bucket)})
	require.NoError(t, err)
	for i := range 12 {
		o := &object{key: fmt.Sprint("kept-", i), data: randomBytes(1<<20 + i)}
		f.retry(t.Context(), func(c *s3.Client) error { return put(t.Context(), c, bucket, o) })
		f.kept = append(f.kept, o)
	}
	f.eventually("every node has its ballast", warnTimeout, func() bool { return f.gauge("cairn_metadata_ballast_bytes", 96<<20) })
	return f
}

// gauge reports whether a metric has a value on every node that runs.
func (f *fullDisks) gauge(name string, want float64) bool {
	for _, p := range f.up() {
		m, err := p.Metrics(f.t.Context())
		if err != nil || m[name] != want {
			return false
		}
	}
	return true
}

func filler(p *process) string { return filepath.Join(p.Drives[0], "of-another-program") }

// fill fills the file systems of nodes, so many times: each time the nodes give up some of their
// ballast, which is filled the next time.
func (f *fullDisks) fill(times int, nodes ...*process) {
	for range times {
		for _, p := range nodes {
			o, err := os.OpenFile(filler(p), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
			require.NoError(f.t, err)
			for n := fillerPiece; n > 0; {
				_, err := o.Write(make([]byte, n))
				switch {
				case errors.Is(err, syscall.ENOSPC):
					n /= 16 // Smaller writes fill the room to the last page.
				case err != nil:
					require.NoError(f.t, err)
				}
			}
			require.NoError(f.t, o.Close())
		}
		time.Sleep(ballastWait)
	}
}

func (f *fullDisks) readAll(ctx context.Context, from ...*process) {
	f.t.Helper()
	for _, p := range from {
		for _, o := range f.kept {
			require.NoError(f.t, o.get(ctx, client(p), bucket), "%s from %s", o.key, p)
		}
	}
}

// roomRefusals say how each profile refuses for want of room. OBS documents 403. S3 has no code of its
// own for that, and HTTP has 507.
var roomRefusals = map[string]struct {
	status int
	code   string
}{"obs": {403, "InsufficientStorageSpace"}, "aws": {507, "InsufficientStorage"}}

// refusedForRoom returns nil if err is the profile's refusal for want of room.
func (f *fullDisks) refusedForRoom(err error) error {
	var e smithy.APIError
	var r *smithyhttp.ResponseError
	if want := roomRefusals[f.compat]; errors.As(err, &e) && errors.As(err, &r) &&
		e.ErrorCode() == want.code && r.HTTPStatusCode() == want.status {
		return nil
	}
	return fmt.Errorf("not refused for want of room as %s does: %w", f.compat, errors.Join(err, errors.New("no error")))
}

// speak sets the profile. That must succeed even on disks without room.
func (f *fullDisks) speak(compat string) {
	f.t.Helper()
	out, err := f.cairn("config", "set", "compat", compat)
	require.NoError(f.t, err, "%s", out)
	f.compat = compat
}

// refusing waits until a put is refused at each node.
func (f *fullDisks) refusing(ctx context.Context) {
	f.t.Helper()
	for _, p := range f.up() {
		f.until("puts are refused", func(*testbed.Status) error {
			return f.refusedForRoom(put(ctx, client(p), bucket, &object{key: "refused", data: []byte("a few bytes")}))
		})
	}
}

func (f *fullDisks) one(t *testing.T) {
	ctx := t.Context()
	p := f.leader()
	f.fill(ballastMost+1, p)
	f.until("the status tells of it", func(s *testbed.Status) error {
		if !strings.Contains(s.HealthReason+strings.Join(s.Warnings, "\n"), "node "+s.Node(p).ID) {
			return fmt.Errorf("%s: %s", s.Health, s.HealthReason)
		}
		return nil
	})
	o := &object{key: "kept-one-full", data: randomBytes(3 << 20)}
	f.retry(ctx, func(c *s3.Client) error { return put(ctx, c, bucket, o) })
	f.kept = append(f.kept, o)
	f.readAll(ctx, f.nodes...)
}

func (f *fullDisks) all(t *testing.T) {
	ctx := t.Context()
	f.fill(1, f.nodes...)
	f.refusing(ctx)
	f.speak("aws")
	f.refusing(ctx)
	f.readAll(ctx, f.nodes...)
	for i, p := range f.nodes {
		_, err := client(p).DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: ptr(bucket), Key: &f.kept[i].key})
		require.NoError(t, err, "a deletion on full disks")
	}
	f.kept = f.kept[len(f.nodes):]
	s, err := f.status()
	require.NoError(t, err)
	require.Equal(t, "critical", s.Health)
	require.True(t, s.Finds("takes nothing that grows"), s.HealthReason)
	f.fill(ballastMost, f.nodes...)
	f.refusing(ctx)
	f.readAll(ctx, f.nodes...)
	require.Len(t, f.up(), len(f.nodes), "no process has ended")
}

// restart kills two nodes, one after the other, and starts them again.
func (f *fullDisks) restart(t *testing.T) {
	for _, p := range f.nodes[:2] {
		f.kill(p)
		f.start(p)
		f.waitReady(p)
		f.readAll(t.Context(), p)
	}
	f.refusing(t.Context())
}

func (f *fullDisks) heal(t *testing.T) {
	ctx := t.Context()
	pids := map[*process]int{}
	for _, p := range f.nodes {
		pids[p] = p.Pid()
		require.NoError(t, os.Remove(filler(p)))
	}
	o := &object{key: "kept-healed", data: randomBytes(3 << 20)}
	f.until("puts are taken", func(*testbed.Status) error { return put(ctx, client(f.nodes[1]), bucket, o) })
	f.kept = append(f.kept, o)
	f.until("nothing is said of room any more", func(s *testbed.Status) error {
		if said := strings.Join(s.Warnings, "\n"); strings.Contains(said, "room") {
			return errors.New(said)
		}
		return nil
	})
	f.readAll(ctx, f.nodes...)
	for _, p := range f.nodes {
		require.Equal(t, pids[p], p.Pid(), "%s was not restarted", p)
		require.True(t, p.Ready(ctx))
	}
}

// nothing takes the ballast's room, too, while the node is down.
func (f *fullDisks) nothing(t *testing.T) {
	p := f.nodes[2]
	f.stop(p)
	require.NoError(t, os.RemoveAll(filepath.Join(p.Drives[0], "ballast")))
	f.fill(1, p)
	const said = "the node starts when there is room"
	waits := func() {
		f.start(p)
		f.eventually("it says that it waits", warnTimeout, func() bool { return strings.Contains(p.LogTail(), said) })
	}
	waits()
	ctx, cancel := context.WithTimeout(t.Context(), readyTimeout)
	defer cancel()
	require.NoError(t, f.bed.End(ctx, p, syscall.SIGINT))
	waits()
	require.NoError(t, os.Remove(filler(p)))
	f.waitReady(p)
	f.readAll(t.Context(), p)
}
