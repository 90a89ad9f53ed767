//go:build e2e

package e2e

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
)

const (
	logsSource = "logged"
	logsTarget = "logs"

	logsTimeout = 5 * time.Minute
)

// TestAccessLogs has boto3 turn the access log of a bucket on, and read what was logged of requests to
// all nodes. Then a node that keeps its log for an hour is killed. When it is back it must deliver what
// it had kept.
func TestAccessLogs(t *testing.T) {
	t.Parallel()
	c := startClusterWith(t, 3, options{prepare: func(p *process) {
		p.Flags = append(p.Flags, "--access-log-interval", map[bool]string{true: "1h", false: "1s"}[p.Index == 2])
	}})
	cmd := exec.CommandContext(t.Context(), python(t), "testdata/boto3_logging.py")
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+rootUser, "AWS_SECRET_ACCESS_KEY="+rootPassword, "AWS_DEFAULT_REGION=us-east-1",
		"SOURCE="+logsSource, "TARGET="+logsTarget, "ENDPOINTS="+c.nodes[0].Endpoint()+","+c.nodes[1].Endpoint())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)

	jobs, err := c.cairn("job", "list", "--all")
	require.NoError(t, err, "%s", jobs)
	require.Contains(t, string(jobs), "access-logs")

	patient, marked := c.nodes[2], "read-before-the-kill"
	_, err = client(patient).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(logsSource), Key: &marked})
	require.Error(t, err)
	require.Eventually(t, func() bool { return onDisk(t, patient, marked) }, logsTimeout, pollEvery, "it is written to the node's disk")
	require.False(t, c.delivered(t, marked), "its time has not come")
	c.kill(patient)
	c.start(patient)
	c.waitReady(patient)
	require.Eventually(t, func() bool { return c.delivered(t, marked) }, logsTimeout, time.Second)
	require.Eventually(t, func() bool { return !onDisk(t, patient, marked) }, logsTimeout, pollEvery, "what is delivered is removed")
}

// onDisk reports whether a node keeps a line with this text that it has yet to deliver.
func onDisk(t *testing.T, p *process, text string) bool {
	segments, err := filepath.Glob(filepath.Join(p.Drives[0], "access-log", "*.log"))
	require.NoError(t, err)
	for _, name := range segments {
		if raw, err := os.ReadFile(name); err == nil && bytes.Contains(raw, []byte(text)) {
			return true
		}
	}
	return false
}

// delivered reports whether a line with this text is in the logs that were delivered.
func (c *cluster) delivered(t *testing.T, text string) bool {
	cl := client(c.nodes[0])
	pages := s3.NewListObjectsV2Paginator(cl, &s3.ListObjectsV2Input{Bucket: aws.String(logsTarget)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		for _, o := range page.Contents {
			got, err := cl.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(logsTarget), Key: o.Key})
			require.NoError(t, err)
			raw, err := io.ReadAll(got.Body)
			_ = got.Body.Close()
			require.NoError(t, err)
			if strings.Contains(string(raw), text) {
				return true
			}
		}
	}
	return false
}
