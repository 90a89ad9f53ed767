package node_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/node"
)

// TestMetrics looks at what a node exports as Prometheus does: the names keep its
// conventions, and what was done is counted.
func TestMetrics(t *testing.T) {
	addr := freePorts(t, 1)[0]
	dir := ""
	nodes, endpoints := realCluster(t, 1, func(c *node.Config) { c.MetricsAddr, dir = addr, c.DataDirs[0] })
	defer stopAll(t, nodes)
	s3, err := minio.New(endpoints[0], &minio.Options{Creds: credentials.NewStaticV4("root", "root-password", "")})
	require.NoError(t, err)
	require.NoError(t, s3.MakeBucket(t.Context(), "bucket", minio.MakeBucketOptions{}))
	_, err = s3.PutObject(t.Context(), "bucket", "key", bytes.NewReader(make([]byte, 1<<20)), 1<<20, minio.PutObjectOptions{DisableMultipart: true})
	require.NoError(t, err)
	_, err = s3.StatObject(t.Context(), "bucket", "none", minio.StatObjectOptions{})
	require.Error(t, err)

	resp, err := http.Get("http://" + addr + "/metrics")
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	problems, err := promlint.New(bytes.NewReader(body)).Lint()
	require.NoError(t, err)
	require.Empty(t, problems)

	drive := fmt.Sprintf("drive=%q", dir)
	for _, want := range []string{
		`cairn_build_info{goversion="go`,
		"cairn_node_ready 1",
		"cairn_s3_requests_in_flight 0",
		`cairn_s3_requests_total{operation="PutObject",status="200"} 1`,
		`cairn_s3_request_duration_seconds_count{operation="PutObject"} 1`,
		`cairn_s3_errors_total{code="NoSuchKey",operation="HeadObject"} 1`,
		`cairn_shard_operation_duration_seconds_count{operation="write",place="local"} 1`,
		"cairn_drive_shards{" + drive + "} 1",
		"cairn_drive_failed{" + drive + "} 0",
		"cairn_drive_failures_total{" + drive + "} 0",
		"cairn_raft_leader 1", "cairn_raft_voters 1", "cairn_raft_last_contact_seconds 0",
		`cairn_database_disk_bytes{database="log"}`, `cairn_database_disk_bytes{database="state"}`,
		"cairn_cluster_buckets 1", "cairn_cluster_extents_missing_shards 0",
		`cairn_gossip_members{state="alive"} 1`,
		"cairn_budget_bytes 1.34217728e+08", "cairn_raft_apply_duration_seconds_count",
		"process_resident_memory_bytes", "go_goroutines",
	} {
		require.True(t, strings.Contains("\n"+string(body), "\n"+want), "%s in:\n%s", want, body)
	}
}
