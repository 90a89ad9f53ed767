//go:build e2e

package e2e

import (
	"context"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
)

const (
	bucket       = "e2e"
	realFileSize = 200 << 20
	cliPart      = 8 << 20 // The aws CLI's default part size.
	extentSize   = 64 << 20
	stripeSize   = 1 << 20
)

// TestCluster is one long story on one cluster, whose chapters build on each other.
func TestCluster(t *testing.T) {
	ctx := t.Context()
	c := startCluster(t, 6)
	s := &story{cluster: c}
	chapters := []struct {
		name string
		run  func(*testing.T, context.Context)
	}{
		{"upload a real file with the aws CLI", s.uploadFile},
		{"part copies across every border, plain and SSE-C", s.partCopies},
		{"every node reads every object", s.readEverywhere},
		{"two nodes killed: reads, writes and part copies go on", s.twoNodesDown},
		{"leader killed in the middle of a part copy", s.leaderKilledInCopy},
		{"leader killed in the middle of complete", s.leaderKilledInComplete},
		{"all six killed and restarted: nothing is missing", s.restartAll},
		{"bytes flipped on two drives: reads stay right, damage is repaired", s.flippedBytes},
	}
	for _, ch := range chapters {
		if !t.Run(ch.name, func(t *testing.T) {
			c.t = t
			ch.run(t, ctx)
		}) {
			break // Later chapters would only repeat the failure.
		}
	}
	c.t = t
}

// story is what one chapter hands on to the next: everything that was acknowledged.
type story struct {
	*cluster
	file    *object // The real file, plain, uploaded in parts of cliPart.
	single  *object // Plain, in one request, of several extents.
	sealed  *object // Under SSE-C, multipart.
	objects []*object
}

func (s *story) keep(o *object) *object {
	s.objects = append(s.objects, o)
	return o
}

func (s *story) uploadFile(t *testing.T, ctx context.Context) {
	path, data := realFile(t)
	_, err := client(s.nodes[0]).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: ptr(bucket)})
	require.NoError(t, err)
	aws, err := exec.LookPath("aws")
	require.NoError(t, err, "the aws CLI is needed (Debian: awscli)")
	cmd := exec.Command(aws, "--endpoint-url", s.nodes[1].Endpoint(), "s3", "cp", "--no-progress", path, "s3://"+bucket+"/file")
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+rootUser, "AWS_SECRET_ACCESS_KEY="+rootPassword, "AWS_DEFAULT_REGION=us-east-1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	s.file = s.keep(&object{key: "file", data: data})

	s.single = &object{key: "single", data: data[:2*extentSize+stripeSize+12345]}
	require.NoError(t, put(ctx, client(s.nodes[2]), bucket, s.single))
	s.keep(s.single)

	up, err := createUpload(ctx, client(s.nodes[3]), bucket, "sealed", newCustomerKey(t))
	require.NoError(t, err)
	for off := 0; off < 90<<20; off += 30 << 20 {
		require.NoError(t, up.put(ctx, client(s.nodes[(off>>20)%6]), data[off+7:off+7+30<<20]))
	}
	s.sealed, err = up.complete(ctx, client(s.nodes[4]))
	require.NoError(t, err)
	s.keep(s.sealed)

	small := &object{key: "small", data: data[100 : 100+4096]}
	require.NoError(t, put(ctx, client(s.nodes[5]), bucket, small))
	s.keep(small)
}

// borders are ranges that cross part, extent and stripe borders, or lie on them.
var borders = []struct{ first, last int }{
	{500, 6291456},                                       // The sample of OBS's documentation.
	{cliPart - 1, 2 * cliPart},                           // Across two part borders.
	{cliPart, 2*cliPart - 1},                             // Exactly a part.
	{extentSize - 5, extentSize + stripeSize + 5},        // Across an extent border.
	{stripeSize - 1, 3*stripeSize + 1},                   // Across stripes.
	{extentSize - stripeSize, extentSize + extentSize/4}, // From a stripe border.
	{12345678, 12345678},                                 // One byte, in the last part.
}

func (s *story) partCopies(t *testing.T, ctx context.Context) {
	for _, src := range []*object{s.file, s.single, s.sealed} {
		for _, sse := range []*customerKey{nil, newCustomerKey(t)} {
			name := "copy-of-" + src.key
			if sse != nil {
				name += "-sealed"
			}
			s.keep(s.copyBorders(t, ctx, name, src, sse))
		}
	}
}

func (s *story) copyBorders(t *testing.T, ctx context.Context, key string, src *object, sse *customerKey) *object {
	up, err := createUpload(ctx, client(s.up()[0]), bucket, key, sse)
	require.NoError(t, err)
	for i, b := range borders {
		require.NoError(t, up.copy(ctx, client(s.up()[i%len(s.up())]), src, b.first, b.last), "bytes=%d-%d", b.first, b.last)
	}
	o, err := up.complete(ctx, client(s.up()[1]))
	require.NoError(t, err)
	return o
}

func (s *story) readEverywhere(t *testing.T, ctx context.Context) {
	s.readAll(t, ctx, s.up())
	status, err := s.status()
	require.NoError(t, err)
	for _, n := range status.Nodes {
		require.NotNil(t, n.Cache, n.ID)
		require.NotZero(t, n.Cache.LimitBytes, n.ID)
		require.NotZero(t, n.Cache.Hits+n.Cache.Misses, "node %s looks for blocks in its cache", n.ID)
	}
}

func (s *story) readAll(t *testing.T, ctx context.Context, from []*process) {
	t.Helper()
	for _, p := range from {
		for _, o := range s.objects {
			require.NoError(t, o.get(ctx, client(p), bucket), "%s from node %d", o.key, p.Index+1)
		}
	}
}

func (s *story) twoNodesDown(t *testing.T, ctx context.Context) {
	down := []*process{s.nodes[1], s.nodes[4]}
	s.kill(down...)
	s.retry(ctx, func(c *s3.Client) error { return s.sealed.get(ctx, c, bucket) })
	s.readAll(t, ctx, s.up())

	fresh := &object{key: "written-degraded", data: s.file.data[5 : 70<<20]}
	s.retry(ctx, func(c *s3.Client) error { return put(ctx, c, bucket, fresh) })
	s.keep(fresh)
	s.keep(s.copyBorders(t, ctx, "copied-degraded", s.file, newCustomerKey(t)))
	s.keep(s.copyBorders(t, ctx, "referenced-degraded", s.single, nil))
	s.readAll(t, ctx, s.up()[:1])

	for _, p := range down {
		s.start(p)
	}
	s.waitReady(down...)
	s.healed()
}

func (s *story) leaderKilledInCopy(t *testing.T, ctx context.Context) {
	for round, src := range []*object{s.file, s.sealed} {
		var up *upload
		s.retry(ctx, func(c *s3.Client) (err error) {
			up, err = createUpload(ctx, c, bucket, []string{"copy-leader-1", "copy-leader-2"}[round], newCustomerKey(t))
			return err
		})
		leader := s.leader()
		killed := make(chan struct{})
		go func() {
			time.Sleep(time.Duration(rand.IntN(400)) * time.Millisecond)
			leader.KillNow()
			close(killed)
		}()
		s.retry(ctx, func(c *s3.Client) error { return up.copy(ctx, c, src, 10, 80<<20) })
		<-killed
		s.kill(leader)
		s.retry(ctx, func(c *s3.Client) error {
			o, err := up.complete(ctx, c)
			if err == nil {
				s.keep(o)
			}
			return err
		})
		s.start(leader)
		s.waitReady(leader)
	}
	s.readAll(t, ctx, s.up()[:1])
}

func (s *story) leaderKilledInComplete(t *testing.T, ctx context.Context) {
	for round := range 5 {
		key := []string{"done-1", "done-2", "done-3", "done-4", "done-5"}[round]
		var up *upload
		s.retry(ctx, func(c *s3.Client) (err error) {
			up, err = createUpload(ctx, c, bucket, key, nil)
			return err
		})
		for i := range 40 {
			off := i * cliPart / 2
			s.retry(ctx, func(c *s3.Client) error { return up.copy(ctx, c, s.file, off, off+cliPart-1) })
		}
		leader := s.leader()
		killed := make(chan struct{})
		go func() {
			time.Sleep(time.Duration(rand.IntN(15)) * time.Millisecond)
			leader.KillNow()
			close(killed)
		}()
		s.retry(ctx, func(c *s3.Client) error {
			o, err := up.complete(ctx, c)
			if err == nil {
				s.keep(o)
			}
			return err
		})
		<-killed
		s.kill(leader)
		require.NoError(t, s.objects[len(s.objects)-1].get(ctx, client(s.up()[0]), bucket))
		s.start(leader)
		s.waitReady(leader)
	}
}

func (s *story) restartAll(t *testing.T, ctx context.Context) {
	last := &object{key: "last-before-restart", data: s.file.data[:20<<20]}
	s.retry(ctx, func(c *s3.Client) error { return put(ctx, c, bucket, last) })
	s.keep(last)
	s.killAll()
	for _, p := range s.nodes {
		s.start(p)
	}
	s.waitReady(s.nodes...)
	s.readAll(t, ctx, s.up()[:2])
}

// flippedBytes damages what two drives hold, headers of records or not, as chance has it. After the
// repair it takes two other nodes away, which proves that the repaired shards are good.
func (s *story) flippedBytes(t *testing.T, ctx context.Context) {
	s.healed()
	for _, p := range []*process{s.nodes[0], s.nodes[3]} {
		n := flip(t, filepath.Join(p.Dir, "drive"), 400)
		t.Logf("node %d: flipped %d bytes", p.Index+1, n)
	}
	s.readAll(t, ctx, []*process{s.nodes[0], s.nodes[2]})
	s.repairedByScrub(ctx)
	s.kill(s.nodes[1], s.nodes[5])
	s.retry(ctx, func(c *s3.Client) error { return s.single.get(ctx, c, bucket) })
	s.readAll(t, ctx, s.up()[:1])
	s.start(s.nodes[1])
	s.start(s.nodes[5])
	s.waitReady(s.nodes...)
}

// repairedByScrub waits until scrub has gone over every drive twice, and until what it has found is
// repaired.
func (s *story) repairedByScrub(ctx context.Context) {
	before := s.scrubRounds()
	s.eventually("two scrub rounds on every node", 180*time.Second, func() bool {
		for i, n := range s.scrubRounds() {
			if n < before[i]+2 {
				return false
			}
		}
		return true
	})
	s.healed()
}

// flip inverts n bytes at random places of the used parts of a drive's segments.
func flip(t *testing.T, drive string, n int) (flipped int) {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(drive, "seg", "*.seg"))
	require.NoError(t, err)
	require.NotEmpty(t, segments)
	for range n {
		f, err := os.OpenFile(segments[rand.IntN(len(segments))], os.O_RDWR, 0)
		require.NoError(t, err)
		info, err := f.Stat()
		require.NoError(t, err)
		at := rand.Int64N(info.Size())
		var b [1]byte
		_, err = f.ReadAt(b[:], at)
		require.NoError(t, err)
		if b[0] != 0 { // A zero is mostly in room that nothing uses.
			b[0] = ^b[0]
			_, err = f.WriteAt(b[:], at)
			require.NoError(t, err)
			flipped++
		}
		require.NoError(t, f.Close())
	}
	return flipped
}

// realFile packs as much of the Go toolchain as fits into one file.
func realFile(t *testing.T) (path string, data []byte) {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	require.NoError(t, err)
	goroot := strings.TrimSpace(string(out))
	for len(data) < realFileSize {
		before := len(data)
		err := filepath.WalkDir(goroot, func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || len(data) > realFileSize+10<<20 {
				return err
			}
			text, err := os.ReadFile(p)
			data = append(data, text...)
			return err
		})
		require.NoError(t, err)
		require.Greater(t, len(data), before)
	}
	path = filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, data, 0o644))
	return path, data
}

func ptr[T any](v T) *T { return &v }
