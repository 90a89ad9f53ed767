//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
)

// TestDiskFaults harms the drives of real processes. Reads must stay right, repair must come to its end
// by the metadata's count, and the status must tell what has happened.
func TestDiskFaults(t *testing.T) {
	t.Parallel()
	small := filepath.Join(t.TempDir(), "small")
	d := newDiskStory(t, small)
	chapters := []struct {
		name string
		run  func(*testing.T, context.Context)
	}{
		{"a full drive: writes go on, and the status tells", d.full},
		{"a drive's directory is gone while its node is down", d.lostWhileDown},
		{"a drive's directory is removed under a running node", d.lostWhileUp},
		{"segments are cut short", d.cutShort},
		{"a node that answers nothing for a while is hedged around", d.frozen},
		{"a slow drive is hedged around and shown", d.slow},
		{"a drive that cannot be read is taken out of use", d.unreadable},
	}
	for _, ch := range chapters {
		if !t.Run(ch.name, func(t *testing.T) {
			d.t = t
			ch.run(t, t.Context())
		}) {
			break // Later chapters would only repeat the failure.
		}
	}
	d.t = t
}

const (
	frozenFor = 8 * time.Second
	leftRoom  = 16 << 20 // How much room a full drive has left: less than --drive-reserve.

	slowness = 2 * time.Second // Much longer than --hedge-delay, and than a drive may take before it counts as slow.
)

// diskStory is a cluster with two drives on each node, and everything that was acknowledged.
type diskStory struct {
	*cluster
	objects []*object
	sick    *sickDisk // Holds the last drive of the last node; nil if it cannot be mounted.
	small   string    // A file system that holds the last drive of the first node; empty if it cannot be mounted.
}

func newDiskStory(t *testing.T, small string) *diskStory {
	require.NoError(t, os.MkdirAll(small, 0o755))
	d := &diskStory{sick: newSickDisk(t)}
	o := options{drives: 2, small: small}
	if d.sick != nil {
		o.sick = d.sick.dir
	}
	// It is as large as the others, or it would get no slots. It takes memory only as it is used.
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, sizeOption(sizeOf(t, t.TempDir()))); err == nil {
		d.small = small
		t.Cleanup(func() { _ = syscall.Unmount(small, syscall.MNT_DETACH) })
	}
	d.cluster = startClusterWith(t, 5, o)
	_, err := client(d.nodes[0]).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: ptr(bucket)})
	require.NoError(t, err)
	d.write(t, t.Context(), "first", 6, 5<<20)
	return d
}

// write puts objects through every node in turn.
func (d *diskStory) write(t *testing.T, ctx context.Context, name string, n, size int) {
	t.Helper()
	for i := range n {
		o := &object{key: fmt.Sprintf("%s-%d", name, i), data: randomBytes(size + i)}
		d.retry(ctx, func(c *s3.Client) error { return put(ctx, c, bucket, o) })
		d.objects = append(d.objects, o)
	}
}

// readAll reads everything at a node.
func (d *diskStory) readAll(t *testing.T, ctx context.Context, p *process) {
	t.Helper()
	for _, o := range d.objects {
		require.NoError(t, o.get(ctx, client(p), bucket), "%s from %s", o.key, p)
	}
}

// second returns the drive of a node that does not hold its metadata.
func second(p *process) string { return p.Drives[1] }

// full takes a drive's room, as files of another program would, and gives it back. Writes must go on at
// the other drives, and what the drive holds must stay readable.
func (d *diskStory) full(t *testing.T, ctx context.Context) {
	if d.small == "" {
		t.Skip("a file system of its own is needed to be filled, and mounting one is not allowed here")
	}
	var s syscall.Statfs_t
	require.NoError(t, syscall.Statfs(d.small, &s))
	used := (s.Blocks - s.Bfree) * uint64(s.Bsize)
	require.NotZero(t, used, "the drive holds something")
	resize := func(size uint64) {
		require.NoError(t, syscall.Mount("tmpfs", d.small, "tmpfs", syscall.MS_REMOUNT, sizeOption(size)))
	}
	resize(used + leftRoom)
	d.eventually("a warning about the full drive", warnTimeout, func() bool { return d.warned("full") })
	d.write(t, ctx, "while-full", 16, 6<<20)
	d.readAll(t, ctx, d.nodes[0])
	resize(s.Blocks * uint64(s.Bsize))
	d.eventually("the drive is no longer full", warnTimeout, func() bool { return !d.warned("full") })
	d.write(t, ctx, "with-room", 4, 6<<20)
	d.healed()
}

const warnTimeout = 3 * time.Minute

// warned reports whether the status has a warning with these words.
func (d *diskStory) warned(words string) bool {
	s, err := d.status()
	return err == nil && strings.Contains(strings.Join(s.Warnings, "\n"), words)
}

func sizeOption(bytes uint64) string { return fmt.Sprintf("size=%d", bytes) }

// sizeOf returns the size of the file system that holds a directory.
func sizeOf(t *testing.T, dir string) uint64 {
	var s syscall.Statfs_t
	require.NoError(t, syscall.Statfs(dir, &s))
	return s.Blocks * uint64(s.Bsize)
}

// lostWhileDown replaces a drive by an empty one.
func (d *diskStory) lostWhileDown(t *testing.T, ctx context.Context) {
	p := d.nodes[1]
	d.kill(p)
	require.NoError(t, os.RemoveAll(second(p)))
	d.readAll(t, ctx, d.nodes[2])
	d.startWithout(t, ctx, p)
	d.healed()
	d.readAll(t, ctx, p)
}

var lostDrive = regexp.MustCompile(`start the node with --accept-lost-drive ([0-9a-f]{16})`)

// startWithout starts a node that misses a drive. The node must not start until it is told that the
// drive is lost, because the disk may only not be mounted.
func (d *diskStory) startWithout(t *testing.T, ctx context.Context, p *process) {
	d.start(p)
	ended, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	select {
	case <-p.Done():
	case <-ended.Done():
		t.Fatalf("%s runs without its drive:\n%s", p, p.LogTail())
	}
	said := lostDrive.FindStringSubmatch(p.LogTail())
	require.NotNil(t, said, "what to do is not said:\n%s", p.LogTail())
	d.kill(p)
	p.Flags = []string{"--accept-lost-drive", said[1]}
	d.start(p)
	d.waitReady(p)
	p.Flags = nil // From now on it has another drive.
}

// lostWhileUp removes the directory that a running node writes to. The node notices that when it needs
// a file that it has not open. At the latest a restart finds that the drive must be filled anew.
func (d *diskStory) lostWhileUp(t *testing.T, ctx context.Context) {
	p := d.nodes[2]
	require.NoError(t, os.RemoveAll(second(p)))
	d.write(t, ctx, "after-removal", 12, 5<<20)
	d.readAll(t, ctx, d.nodes[3])
	d.readAll(t, ctx, p)
	d.kill(p)
	d.startWithout(t, ctx, p)
	d.healed()
	d.readAll(t, ctx, p)
}

// cutShort cuts the second half off every segment of a drive.
func (d *diskStory) cutShort(t *testing.T, ctx context.Context) {
	p := d.nodes[3]
	segments, err := filepath.Glob(filepath.Join(second(p), "seg", "*.seg"))
	require.NoError(t, err)
	require.NotEmpty(t, segments)
	for _, s := range segments {
		info, err := os.Stat(s)
		require.NoError(t, err)
		require.NoError(t, os.Truncate(s, info.Size()/2))
	}
	d.readAll(t, ctx, p)
	d.kill(p)
	d.start(p)
	d.waitReady(p)
	d.healed()
	d.readAll(t, ctx, d.nodes[4])
}

// frozen stops a process without ending it: its connections stay open and say nothing. Meanwhile reads
// and writes must go on at the others.
func (d *diskStory) frozen(t *testing.T, ctx context.Context) {
	p := d.nodes[4]
	require.NoError(t, syscall.Kill(p.Pid(), syscall.SIGSTOP))
	thaw := time.AfterFunc(frozenFor, func() { _ = syscall.Kill(p.Pid(), syscall.SIGCONT) })
	defer func() {
		thaw.Stop()
		_ = syscall.Kill(p.Pid(), syscall.SIGCONT)
	}()
	o := d.objects[0]
	bounded, cancel := context.WithTimeout(ctx, frozenFor)
	defer cancel()
	require.NoError(t, o.get(bounded, client(d.nodes[1]), bucket), "read before the node answers again")
	fresh := &object{key: "while-frozen", data: bytes.Repeat([]byte("x"), 3<<20)}
	require.NoError(t, put(bounded, client(d.nodes[2]), bucket, fresh))
	d.objects = append(d.objects, fresh)
	require.NoError(t, syscall.Kill(p.Pid(), syscall.SIGCONT))
	d.waitReady(p)
	d.healed()
	d.readAll(t, ctx, p)
}

// slow makes reads and syncs of a drive take long. Readers must ask the other drives. New extents must
// go elsewhere, or be written without waiting for this one.
func (d *diskStory) slow(t *testing.T, ctx context.Context) {
	if d.sick == nil {
		t.Skip("a file system of its own is needed, and mounting one is not allowed here")
	}
	before := d.metric("cairn_hedged_reads_total")
	d.sick.slowness.Store(int64(slowness))
	for i := 0; !d.warned("is slow"); i++ {
		require.Less(t, i, 40, "nothing warns of the slow drive")
		d.write(t, ctx, fmt.Sprintf("while-slow-%d", i), 4, 3<<20)
		d.readAll(t, ctx, d.nodes[i%4])
	}
	require.Greater(t, d.metric("cairn_hedged_reads_total"), before)
	d.sick.slowness.Store(0)
	d.healed()
	d.readAll(t, ctx, d.nodes[4])
}

// unreadable makes every read of a drive fail. Readers must reconstruct what it held. It must be taken
// out of use, and its slots rebuilt on others. A restart tries it again.
func (d *diskStory) unreadable(t *testing.T, ctx context.Context) {
	if d.sick == nil {
		t.Skip("a file system of its own is needed, and mounting one is not allowed here")
	}
	d.sick.unreadable.Store(true)
	d.readAll(t, ctx, d.nodes[0])
	d.readAll(t, ctx, d.nodes[4])
	d.eventually("the drive is taken out of use", 2*warnTimeout, func() bool { return d.warned("out of use") })
	d.healed()
	d.readAll(t, ctx, d.nodes[1])
	d.write(t, ctx, "without-it", 4, 3<<20)
	d.sick.unreadable.Store(false)
	p := d.nodes[4]
	d.kill(p)
	d.start(p)
	d.waitReady(p)
	d.eventually("the drive is in use again", warnTimeout, func() bool { return !d.warned("out of use") })
	d.healed()
	d.readAll(t, ctx, p)
}

// metric returns the sum of a metric over all nodes that run.
func (d *diskStory) metric(name string) (sum float64) {
	d.t.Helper()
	for _, p := range d.up() {
		m, err := p.Metrics(d.t.Context())
		require.NoError(d.t, err)
		sum += m[name]
	}
	return sum
}
