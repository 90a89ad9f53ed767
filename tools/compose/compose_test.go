//go:build compose

package compose

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	root      = "../.."
	bucket    = "compose-test"
	objectLen = 12 << 20
	readyWait = 2 * time.Minute
)

// run runs a program at the top of the repository and logs its output.
func run(t *testing.T, name string, args ...string) {
	cmd := exec.Command(name, args...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %v:\n%s", name, args, out)
}

// client returns an S3 client of one node.
func client(t *testing.T, port string) *minio.Core {
	env, err := os.ReadFile(root + "/deploy/secrets/env")
	require.NoError(t, err)
	secret := ""
	for line := range strings.Lines(string(env)) {
		if v, ok := strings.CutPrefix(line, "CAIRN_ROOT_PASSWORD="); ok {
			secret = strings.TrimSpace(v)
		}
	}
	c, err := minio.NewCore("127.0.0.1:"+port, &minio.Options{Creds: credentials.NewStaticV4("admin", secret, "")})
	require.NoError(t, err)
	return c
}

func portOf(node string) string {
	if p := os.Getenv("CAIRN_PORT" + node); p != "" {
		return p
	}
	return "910" + node
}

func requireObject(t *testing.T, c *minio.Core, key string, want []byte) {
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		o, err := c.Client.GetObject(context.Background(), bucket, key, minio.GetObjectOptions{})
		require.NoError(t, err)
		got, err := io.ReadAll(o)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), "%s is not what was written", key)
	}, readyWait, time.Second)
}

// TestCompose starts the nodes, puts an object and copies parts, kills two containers, reads and
// writes, and then stops and starts all nodes and reads again.
func TestCompose(t *testing.T) {
	engine := exec.Command(root + "/tools/compose/engine")
	out, err := engine.CombinedOutput()
	if err != nil {
		t.Skipf("the compose scenario needs an engine: %s", out)
	}
	compose := append(strings.Fields(strings.TrimSpace(string(out))), "--env-file", "deploy/secrets/env")
	run(t, "tools/compose/up")
	t.Cleanup(func() { run(t, "tools/compose/down", "-v") })

	s3 := client(t, portOf("1"))
	exists, err := s3.BucketExists(t.Context(), bucket)
	require.NoError(t, err)
	if !exists {
		require.NoError(t, s3.MakeBucket(t.Context(), bucket, minio.MakeBucketOptions{}))
	}
	body := make([]byte, objectLen)
	_, _ = rand.Read(body) // Never fails.
	_, err = s3.PutObject(t.Context(), bucket, "source", bytes.NewReader(body), objectLen, "", "", minio.PutObjectOptions{})
	require.NoError(t, err)

	upload, err := s3.NewMultipartUpload(t.Context(), bucket, "joined", minio.PutObjectOptions{})
	require.NoError(t, err)
	const from, length = 500, 6 << 20
	part, err := s3.CopyObjectPart(t.Context(), bucket, "source", bucket, "joined", upload, 1, from, length, nil)
	require.NoError(t, err)
	_, err = s3.CompleteMultipartUpload(t.Context(), bucket, "joined", upload, []minio.CompletePart{part}, minio.PutObjectOptions{})
	require.NoError(t, err)
	joined := body[from : from+length]

	kill := append(compose[1:], "kill", "-s", "SIGKILL", "node3", "node6") // Two nodes of two zones.
	run(t, compose[0], kill...)
	requireObject(t, s3, "source", body)
	requireObject(t, s3, "joined", joined)
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		_, err := s3.PutObject(context.Background(), bucket, "degraded", bytes.NewReader(body), objectLen, "", "", minio.PutObjectOptions{})
		require.NoError(t, err)
	}, readyWait, time.Second, "four of six nodes take writes")

	run(t, "tools/compose/down")
	run(t, "tools/compose/up")
	last := client(t, portOf("6")) // It was killed, and missed a write.
	requireObject(t, last, "source", body)
	requireObject(t, last, "joined", joined)
	requireObject(t, last, "degraded", body)
}
