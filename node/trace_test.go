package node_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/node"
)

// receiver is an OTLP/HTTP receiver that keeps what it gets.
type receiver struct {
	mu    sync.Mutex
	spans []received
}

// received is a span and the node that made it.
type received struct {
	*tracepb.Span
	node string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	var export collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &export)
	}
	if err != nil || req.URL.Path != "/v1/traces" {
		http.Error(w, "not an export of traces", http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rs := range export.ResourceSpans {
		id := ""
		for _, a := range rs.Resource.Attributes {
			if a.Key == "service.instance.id" {
				id = a.Value.GetStringValue()
			}
		}
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				r.spans = append(r.spans, received{s, id})
			}
		}
	}
}

// of returns the spans of a trace, by name.
func (r *receiver) of(trace string) map[string][]received {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string][]received{}
	for _, s := range r.spans {
		if fmt.Sprintf("%x", s.TraceId) == trace {
			out[s.Name] = append(out[s.Name], s)
		}
	}
	return out
}

func nodesOf(spans []received) int {
	ids := map[string]bool{}
	for _, s := range spans {
		ids[s.node] = true
	}
	return len(ids)
}

// tracing sends a trace context of the test's own with each request.
type tracing struct{ trace string }

func (c *tracing) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("traceparent", "00-"+c.trace+"-00f067aa0ba902b7-01")
	return http.DefaultTransport.RoundTrip(r)
}

// TestTraces follows a PUT and a part copy from the S3 request to the shards of every
// node, in the trace that the client began.
func TestTraces(t *testing.T) {
	in := &receiver{}
	srv := httptest.NewServer(in)
	defer srv.Close()
	nodes, endpoints := realCluster(t, 3, func(c *node.Config) { c.OTLPEndpoint, c.TraceSample = srv.URL, 0 })
	const putTrace, copyTrace = "0af7651916cd43dd8448eb211c80319c", "0af7651916cd43dd8448eb211c80319d"
	carrier := &tracing{putTrace}
	s3, err := minio.New(endpoints[1], &minio.Options{Creds: credentials.NewStaticV4("root", "root-password", ""), Transport: carrier})
	require.NoError(t, err)
	ctx := t.Context()
	require.NoError(t, s3.MakeBucket(ctx, "secretbucket", minio.MakeBucketOptions{}))
	body := bytes.Repeat([]byte("what is in it"), 1<<17)
	_, err = s3.PutObject(ctx, "secretbucket", "secretkey", bytes.NewReader(body), int64(len(body)),
		minio.PutObjectOptions{DisableMultipart: true})
	require.NoError(t, err)

	carrier.trace = copyTrace
	core := minio.Core{Client: s3}
	upload, err := core.NewMultipartUpload(ctx, "secretbucket", "joined", minio.PutObjectOptions{})
	require.NoError(t, err)
	_, err = core.CopyObjectPart(ctx, "secretbucket", "secretkey", "secretbucket", "joined", upload, 1, 0, 1<<20, nil)
	require.NoError(t, err)
	stopAll(t, nodes) // Sends what is left.

	put := in.of(putTrace)
	require.Len(t, put["S3 PutObject"], 1)
	require.NotEmpty(t, put["metadata propose"])
	require.Len(t, put["extent write"], 1)
	// The node that writes has a span for each of the three shards, the two others
	// one for theirs.
	require.Len(t, put["shard write"], 5)
	require.Equal(t, 3, nodesOf(put["shard write"]))
	require.Len(t, put["serve /shard/"], 2)
	parent := put["serve /shard/"][0].ParentSpanId
	require.True(t, slices.ContainsFunc(put["shard write"], func(s received) bool { return bytes.Equal(s.SpanId, parent) }),
		"what a node serves hangs below the call of the other")

	copied := in.of(copyTrace)
	require.Len(t, copied["S3 UploadPartCopy"], 1)
	require.NotEmpty(t, copied["metadata propose"])
	require.Empty(t, copied["shard write"], "a copy by reference writes nothing")

	in.mu.Lock()
	defer in.mu.Unlock()
	for _, s := range in.spans {
		require.NotContains(t, s.String(), "secret")
		require.Contains(t, []string{putTrace, copyTrace}, fmt.Sprintf("%x", s.TraceId), "nothing else is sampled: %s", s.Name)
	}
}
