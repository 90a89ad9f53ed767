package admin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/node/admin/adminpb/adminpbconnect"
	"github.com/cairnstore/cairn/node/trace"
	"github.com/cairnstore/cairn/s3api/sigauth"
)

// signing signs requests as the commands do.
type signing struct{ next http.RoundTripper }

func (s signing) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", hash)
	err = v4.NewSigner().SignHTTP(r.Context(), aws.Credentials{AccessKeyID: "ak", SecretAccessKey: "secret"}, r, hash, "s3", "here", time.Now())
	if err != nil {
		return nil, err
	}
	return s.next.RoundTrip(r)
}

const testWait = 5 * time.Minute

// A stream passes the check of signatures, brings what all nodes do, and ends everywhere when the
// client goes.
func TestTrace(t *testing.T) {
	w := newWorld(t)
	w.config.Verifier = sigauth.New(sigauth.Config{Keys: testKeys{root}, Region: "here"})
	s := httptest.NewServer(New(w.config))
	t.Cleanup(s.Close)
	client := s.Client()
	client.Transport = signing{client.Transport}
	api := adminpbconnect.NewAdminServiceClient(client, s.URL)

	w.fake(testNode(6)).silent.Store(true)
	ctx, leave := context.WithCancel(t.Context())
	stream, err := api.Trace(ctx, &adminpb.TraceRequest{Operations: []string{"Get*"}})
	require.NoError(t, err)
	for i := 1; i < testNodes; i++ {
		p := w.fake(testNode(i))
		require.Eventually(t, func() bool { return p.hub.Wants(false) }, testWait, time.Millisecond)
		p.hub.Publish(&adminpb.TraceEvent{Kind: trace.KindS3, Node: testNode(i).String(), Operation: "PutObject"})
		p.hub.Publish(&adminpb.TraceEvent{Kind: trace.KindS3, Node: testNode(i).String(), Operation: "GetObject"})
	}
	seen := map[string]string{}
	for range testNodes {
		require.True(t, stream.Receive(), stream.Err())
		e := stream.Msg()
		seen[e.Node+e.LostNode] = e.Operation + e.Cause
	}
	for i := 1; i < testNodes; i++ {
		require.Equal(t, "GetObject", seen[testNode(i).String()])
	}
	require.Contains(t, seen[testNode(6).String()], "its disk hangs")
	require.Equal(t, "Trace", w.calls[0].Method, "told of when it begins")

	// A node that comes back is watched again.
	back := w.fake(testNode(6))
	back.silent.Store(false)
	require.Eventually(t, func() bool { return back.hub.Wants(false) }, testWait, time.Millisecond)
	back.hub.Publish(&adminpb.TraceEvent{Kind: trace.KindS3, Node: testNode(6).String(), Operation: "GetObject"})
	require.True(t, stream.Receive(), stream.Err())
	require.Equal(t, testNode(6).String(), stream.Msg().Node)
	leave()
	for i := 1; i <= testNodes; i++ {
		require.Eventually(t, func() bool { return w.fake(testNode(i)).watching.Load() == 0 }, testWait, time.Millisecond)
	}
	_ = stream.Close()
}

func TestTraceEndsWithTheNode(t *testing.T) {
	w := newWorld(t)
	ending := make(chan struct{})
	w.config.Ending = ending
	stream, err := w.as(root).Trace(t.Context(), &adminpb.TraceRequest{Node: "01"})
	require.NoError(t, err)
	close(ending)
	require.False(t, stream.Receive())
	require.Equal(t, connect.CodeUnavailable, connect.CodeOf(stream.Err()))
	_ = stream.Close()
}

func TestTraceRefuses(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		r    *adminpb.TraceRequest
		code connect.Code
	}{
		{&adminpb.TraceRequest{Node: "9"}, connect.CodeNotFound},
		{&adminpb.TraceRequest{Statuses: []uint32{9}}, connect.CodeInvalidArgument},
	} {
		stream, err := w.as(root).Trace(t.Context(), c.r)
		require.NoError(t, err)
		require.False(t, stream.Receive())
		require.Equal(t, c.code, connect.CodeOf(stream.Err()))
		_ = stream.Close()
	}
	_, owner := w.account("acme")
	stream, err := w.as(owner).Trace(t.Context(), &adminpb.TraceRequest{})
	require.NoError(t, err)
	require.False(t, stream.Receive())
	require.Equal(t, connect.CodePermissionDenied, connect.CodeOf(stream.Err()), "rights hold for streams")
	_ = stream.Close()
}

func TestLogLevels(t *testing.T) {
	w := newWorld(t)
	ctx, api := t.Context(), w.as(root)
	w.states[testNode(5)] = gossip.Down
	got, err := api.SetLogLevel(ctx, &adminpb.SetLogLevelRequest{Node: "10.0.0.2:9000", Level: "debug"})
	require.NoError(t, err)
	require.Len(t, got.Nodes, 1)
	require.Equal(t, "debug", got.Nodes[0].Level)
	got, err = api.ListLogLevels(ctx, &adminpb.ListLogLevelsRequest{})
	require.NoError(t, err)
	require.Len(t, got.Nodes, testNodes)
	require.Equal(t, "info", got.Nodes[0].Level)
	require.Equal(t, "debug", got.Nodes[1].Level)
	require.Contains(t, got.Nodes[4].Error, "down")
	_, err = api.SetLogLevel(ctx, &adminpb.SetLogLevelRequest{Level: "loud"})
	require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err))
	require.Contains(t, w.log.String(), "call=SetLogLevel node=10.0.0.2:9000 level=debug outcome=done")
}

func TestLoadAndLogs(t *testing.T) {
	w := newWorld(t)
	w.fake(testNode(2)).silent.Store(true)
	loads, err := w.as(root).ListLoad(t.Context(), &adminpb.ListLoadRequest{})
	require.NoError(t, err)
	require.EqualValues(t, 5, loads.Nodes[0].BytesIn)
	require.Contains(t, loads.Nodes[1].Error, "its disk hangs")
	logs, err := w.as(root).ListLogs(t.Context(), &adminpb.ListLogsRequest{Node: testNode(3).String()})
	require.NoError(t, err)
	require.Equal(t, []string{"a line"}, logs.Nodes[0].Lines)
}

func TestHistory(t *testing.T) {
	w := newWorld(t)
	w.fake(testNode(2)).silent.Store(true)
	w.fake(testNode(3)).report.Version = "other"
	got, err := w.as(root).ShowHistory(t.Context(), &adminpb.ShowHistoryRequest{After: 100})
	require.NoError(t, err)
	require.EqualValues(t, 10, got.StepSeconds)
	require.Equal(t, []float64{1, 2}, got.LeSeconds)
	require.Equal(t, []string{testNode(2).String(), testNode(3).String()}, got.Silent, "one hangs, one counts otherwise")
	require.Len(t, got.Samples, 2)
	n := uint64(testNodes - 2)
	want := &adminpb.HistorySample{Time: 120, Requests: 3 * n, BytesIn: 5 * n, Latency: []uint64{n, n, n},
		Nodes: uint32(n)}
	require.True(t, proto.Equal(want, got.Samples[1]), "%v", got.Samples[1])
	_, owner := w.account("acme")
	_, err = w.as(owner).ShowHistory(t.Context(), &adminpb.ShowHistoryRequest{})
	require.Equal(t, connect.CodePermissionDenied, connect.CodeOf(err), "it tells of all accounts")
}

func TestSupport(t *testing.T) {
	w := newWorld(t)
	w.fake(testNode(4)).silent.Store(true)
	stream, err := w.as(root).CollectSupport(t.Context(), &adminpb.CollectSupportRequest{})
	require.NoError(t, err)
	files := map[string]string{}
	for stream.Receive() {
		files[stream.Msg().Name] += string(stream.Msg().Data)
	}
	require.NoError(t, stream.Err())
	_ = stream.Close()
	require.Equal(t, "one two", files["nodes/"+testNode(1).String()+"/log.txt"])
	require.Contains(t, files["nodes/"+testNode(4).String()+"/missing.txt"], "its disk hangs")
	for _, name := range []string{"status", "volumes", "settings", "load"} {
		require.True(t, strings.HasPrefix(files["cluster/"+name+".json"], "{"), "%s: %s", name, files["cluster/"+name+".json"])
	}
}
