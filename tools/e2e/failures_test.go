//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/tools/testbed"
)

// TestClientsUnderFailures lets clients do their ordinary work through a load balancer, while one node
// after the other is killed and started again. None of the clients may fail: their own retries must
// suffice. It runs alone: how long a client tries again is up to the client.
func TestClientsUnderFailures(t *testing.T) {
	u := newUnrest(t)
	for _, of := range []struct {
		name string
		run  func(*testing.T, string)
	}{
		{"aws CLI sync", u.awsSync},
		{"rclone sync and check", u.rcloneSync},
		{"restic backup, check and restore", u.restic},
		{"s3cmd sync", u.s3cmdSync},
		{"s3fs", u.s3fs},
		{"boto3 with threads", u.boto3Threads},
		{"minio-go", u.minioGo},
		{"aws-sdk-go-v2", u.sdkGo},
	} {
		t.Run(of.name, func(t *testing.T) { u.killsWhile(t, "unrest-"+strings.Fields(of.name)[0], of.run) })
	}
}

const (
	deaths  = 3                       // How many deaths of nodes each client must live through.
	upFor   = 3 * time.Second         // How long a node that came back is left alone.
	downFor = 1500 * time.Millisecond // How long a node that was killed stays down.
)

// unrest is a cluster behind a load balancer.
type unrest struct {
	*cluster
	proxy *testbed.Proxy
	dir   string // The directory of files that clients keep.
	files map[string][]byte
	kills atomic.Int64
}

func newUnrest(t *testing.T) *unrest {
	u := &unrest{cluster: startCluster(t, 6), dir: filepath.Join(t.TempDir(), "files"), files: map[string][]byte{}}
	proxy, err := u.bed.NewProxy()
	require.NoError(t, err)
	u.proxy = proxy
	t.Cleanup(proxy.Close)
	for i := range 40 {
		u.files[fmt.Sprintf("d%d/file %02d ü.txt", i%5, i)] = randomBytes(1 + i*i*40)
	}
	u.files["empty"] = []byte{}
	u.files["large.bin"] = randomBytes(18<<20 + 77)
	for name, data := range u.files {
		path := filepath.Join(u.dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, data, 0o644))
	}
	return u
}

func (u *unrest) endpoint() string { return "http://" + u.proxy.Host() }

// killsWhile kills and restarts one node after the other while a client works. The client repeats its
// work, each time in another bucket, until it has met a few deaths.
func (u *unrest) killsWhile(t *testing.T, bucket string, work func(*testing.T, string)) {
	ctx, stop := context.WithCancel(t.Context())
	var killing sync.WaitGroup
	var failed error
	killing.Go(func() { failed = u.kill1by1(ctx) })
	defer killing.Wait()
	defer stop()
	before, round := u.kills.Load(), 0
	for ; round == 0 || u.kills.Load()-before < deaths; round++ {
		name := fmt.Sprintf("%s-%d", bucket, round)
		u.cluster.t = t
		u.retry(t.Context(), func(c *s3.Client) error {
			_, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name})
			return err
		})
		work(t, name)
	}
	stop()
	killing.Wait()
	require.NoError(t, failed)
	t.Logf("%d nodes were killed meanwhile, in %d rounds of work", u.kills.Load()-before, round)
}

func (u *unrest) kill1by1(ctx context.Context) error {
	for ctx.Err() == nil {
		n := u.nodes[int(u.kills.Load())%len(u.nodes)]
		u.bed.Kill(n)
		u.kills.Add(1)
		idle(ctx, downFor)
		if err := u.bed.Run(n); err != nil {
			return err
		}
		ready, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
		err := u.bed.WaitReady(ready, n)
		cancel()
		if err != nil {
			return err
		}
		idle(ctx, upFor)
	}
	return nil
}

func idle(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// run runs a client's program and returns what it printed.
func (u *unrest) run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	program, err := exec.LookPath(name)
	require.NoError(t, err, "%s is needed (.ci/run installs it)", name)
	cmd := exec.CommandContext(t.Context(), program, args...)
	own := slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "AWS_") }) // The person's own settings.
	cmd.Env = append(own, "HOME="+t.TempDir(), "LC_ALL=C.UTF-8", "AWS_ACCESS_KEY_ID="+rootUser, "AWS_SECRET_ACCESS_KEY="+rootPassword,
		"AWS_DEFAULT_REGION=us-east-1")
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %s:\n%s", name, strings.Join(args, " "), out)
	return string(out)
}

func (u *unrest) awsSync(t *testing.T, bucket string) {
	back := t.TempDir()
	retries := []string{"AWS_RETRY_MODE=standard", "AWS_MAX_ATTEMPTS=10"}
	u.run(t, retries, "aws", "--endpoint-url", u.endpoint(), "s3", "sync", "--no-progress", u.dir, "s3://"+bucket)
	u.run(t, retries, "aws", "--endpoint-url", u.endpoint(), "s3", "sync", "--no-progress", "s3://"+bucket, back)
	isTree(t, back, u.files)
}

func (u *unrest) rcloneSync(t *testing.T, bucket string) {
	env := []string{"RCLONE_CONFIG_CAIRN_TYPE=s3", "RCLONE_CONFIG_CAIRN_PROVIDER=Other", "RCLONE_CONFIG_CAIRN_ENDPOINT=" + u.endpoint(),
		"RCLONE_CONFIG_CAIRN_ACCESS_KEY_ID=" + rootUser, "RCLONE_CONFIG_CAIRN_SECRET_ACCESS_KEY=" + rootPassword}
	back := t.TempDir()
	u.run(t, env, "rclone", "sync", u.dir, "cairn:"+bucket)
	u.run(t, env, "rclone", "check", "--download", u.dir, "cairn:"+bucket)
	u.run(t, env, "rclone", "sync", "cairn:"+bucket, back)
	isTree(t, back, u.files)
}

func (u *unrest) restic(t *testing.T, bucket string) {
	env := []string{"RESTIC_REPOSITORY=s3:" + u.endpoint() + "/" + bucket + "/repository", "RESTIC_PASSWORD=only a test"}
	back := t.TempDir()
	u.run(t, env, "restic", "init")
	u.run(t, env, "restic", "backup", u.dir)
	u.run(t, env, "restic", "check", "--read-data")
	u.run(t, env, "restic", "restore", "latest", "--target", back)
	isTree(t, filepath.Join(back, u.dir), u.files)
}

func (u *unrest) s3cmdSync(t *testing.T, bucket string) {
	config := filepath.Join(t.TempDir(), "s3cfg")
	text := fmt.Sprintf("[default]\naccess_key = %s\nsecret_key = %s\nhost_base = %s\nhost_bucket = %s\nuse_https = False\n",
		rootUser, rootPassword, u.proxy.Host(), u.proxy.Host())
	require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
	back := t.TempDir()
	u.run(t, nil, "s3cmd", "-c", config, "--no-progress", "sync", u.dir+"/", "s3://"+bucket+"/")
	u.run(t, nil, "s3cmd", "-c", config, "--no-progress", "sync", "s3://"+bucket+"/", back+"/")
	isTree(t, back, u.files)
}

// s3fs mounts a bucket as a file system and works on it.
func (u *unrest) s3fs(t *testing.T, bucket string) {
	fuse, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("s3fs needs FUSE: %v", err)
	}
	fuse.Close()
	at, passwd := t.TempDir(), filepath.Join(t.TempDir(), "passwd")
	require.NoError(t, os.WriteFile(passwd, []byte(rootUser+":"+rootPassword), 0o600))
	u.run(t, nil, "s3fs", bucket, at, "-o", "passwd_file="+passwd, "-o", "url="+u.endpoint(), "-o", "use_path_request_style",
		"-o", "retries=10", "-o", "endpoint=us-east-1")
	defer u.run(t, nil, "umount", at)
	for _, name := range []string{"large.bin", "empty", "d1/file 21 ü.txt"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(at, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(at, name), u.files[name], 0o644))
	}
	require.NoError(t, os.Rename(filepath.Join(at, "large.bin"), filepath.Join(at, "renamed.bin")))
	f, err := os.OpenFile(filepath.Join(at, "renamed.bin"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.Write([]byte("the end"))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.NoError(t, os.Remove(filepath.Join(at, "empty")))
	isTree(t, at, map[string][]byte{"renamed.bin": append(bytes.Clone(u.files["large.bin"]), "the end"...),
		"d1/file 21 ü.txt": u.files["d1/file 21 ü.txt"]})
	require.NoFileExists(t, filepath.Join(at, "large.bin"))
	require.NoFileExists(t, filepath.Join(at, "empty"))
}

func (u *unrest) boto3Threads(t *testing.T, bucket string) {
	t.Log(u.run(t, nil, python(t), "testdata/boto3_threads.py", u.endpoint(), bucket, u.dir))
}

func (u *unrest) minioGo(t *testing.T, bucket string) {
	c, err := minio.New(u.proxy.Host(), &minio.Options{Creds: credentials.NewStaticV4(rootUser, rootPassword, "")})
	require.NoError(t, err)
	for name, data := range u.files {
		_, err := c.PutObject(t.Context(), bucket, name, bytes.NewReader(data), int64(len(data)), minio.PutObjectOptions{PartSize: 5 << 20})
		require.NoError(t, err, name)
		back := filepath.Join(t.TempDir(), "back")
		require.NoError(t, c.FGetObject(t.Context(), bucket, name, back, minio.GetObjectOptions{}), name)
		isTree(t, filepath.Dir(back), map[string][]byte{"back": data})
	}
}

// sdkGo uses the SDK's high-level uploader and downloader.
func (u *unrest) sdkGo(t *testing.T, bucket string) {
	creds := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: rootUser, SecretAccessKey: rootPassword}, nil
	})
	manager := transfermanager.New(s3.New(s3.Options{Region: "us-east-1", Credentials: creds, UsePathStyle: true, BaseEndpoint: aws.String(u.endpoint())}))
	for name, data := range u.files {
		_, err := manager.UploadObject(t.Context(), &transfermanager.UploadObjectInput{Bucket: &bucket, Key: &name, Body: bytes.NewReader(data)})
		require.NoError(t, err, name)
		back := filepath.Join(t.TempDir(), "back")
		f, err := os.Create(back)
		require.NoError(t, err)
		_, err = manager.DownloadObject(t.Context(), &transfermanager.DownloadObjectInput{Bucket: &bucket, Key: &name, WriterAt: f})
		require.NoError(t, err, name)
		require.NoError(t, f.Close())
		isTree(t, filepath.Dir(back), map[string][]byte{"back": data})
	}
}
