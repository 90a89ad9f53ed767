package s3api

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/shardtest"
)

// TestProtocolIsChosen: HTTP/1.1 goes first unless HTTP/2 is preferred; a client that
// knows only one of them gets that one.
func TestProtocolIsChosen(t *testing.T) {
	certificates := httptest.NewUnstartedServer(nil)
	certificates.StartTLS()
	defer certificates.Close()
	for _, c := range []struct {
		prefer bool
		offers []string
		want   string
	}{
		{false, []string{"h2", "http/1.1"}, "http/1.1"}, {false, []string{"h2"}, "h2"}, {false, []string{"http/1.1"}, "http/1.1"}, {false, nil, ""},
		{true, []string{"http/1.1", "h2"}, "h2"}, {true, []string{"h2"}, "h2"}, {true, []string{"http/1.1"}, "http/1.1"}, {true, nil, ""},
	} {
		config := &tls.Config{Certificates: certificates.TLS.Certificates, NextProtos: []string{"http/1.1"}}
		if c.prefer {
			PreferHTTP2(config)
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		server := NewHTTPServer(http.NotFoundHandler(), config, Limits{}, Events{})
		go func() { _ = server.ServeTLS(l, "", "") }()
		conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: c.offers})
		require.NoError(t, err)
		require.Equal(t, c.want, conn.ConnectionState().NegotiatedProtocol, "%+v", c)
		_ = conn.Close()
		_ = server.Close()
	}
}

// http2Harness is a server whose client speaks HTTP/2 alone.
func http2Harness(t *testing.T, options ...func(*Config)) *harness {
	h := newTLSHarness(t, true, options...)
	h.client.Transport.(*http.Transport).ExpectContinueTimeout = time.Minute
	h.put("probe", "x")
	r := h.do("GET", "/bkt/probe", "")
	require.Equal(t, 2, r.ProtoMajor)
	return h
}

// TestHTTP2Bodies: bodies larger than the windows of a stream and a connection, ranges,
// aws-chunked with a trailer, all over one connection.
func TestHTTP2Bodies(t *testing.T) {
	h := http2Harness(t)
	large := strings.Repeat("0123456789abcdef", (http2BufferPerConn+http2BufferPerStream)/16)
	r := h.do("PUT", "/bkt/large", large)
	require.Equal(t, 200, r.StatusCode, r.body)
	r = h.do("GET", "/bkt/large", "")
	require.NoError(t, r.err)
	require.True(t, r.body == large)
	r = h.do("GET", "/bkt/large", "", "Range: bytes=5-104")
	require.Equal(t, 206, r.StatusCode)
	require.Equal(t, large[5:105], r.body)

	req := h.request("PUT", "/bkt/trailer", "", "X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Decoded-Content-Length: 4",
		"Content-Encoding: aws-chunked", "X-Amz-Trailer: x-amz-checksum-crc32")
	chunks := "4\r\nbody\r\n0\r\nx-amz-checksum-crc32:26gLsg==\r\n\r\n"
	req.Body, req.ContentLength = io.NopCloser(strings.NewReader(chunks)), -1
	r = h.send(req)
	require.Equal(t, 200, r.StatusCode, r.body)
	require.Equal(t, "26gLsg==", r.Header.Get("X-Amz-Checksum-Crc32"))
	require.EqualValues(t, 1, h.opened.Load())
}

// TestHTTP2Copy: the early 200 of a part copy and its blanks come at once, then the
// verdict; a client that leaves ends the copy.
func TestHTTP2Copy(t *testing.T) {
	h := http2Harness(t, atOnce)
	h.put("src", "0123456789")
	id := element(h.do("POST", "/bkt/dst?uploads", "").body, "UploadId")
	begin := func(from string) (*http.Response, context.CancelFunc) {
		ctx, cancel := context.WithCancel(t.Context())
		resp, err := h.client.Do(h.request("PUT", "/bkt/dst?partNumber=1&uploadId="+id, "", "X-Amz-Copy-Source: bkt/"+from).WithContext(ctx))
		require.NoError(t, err)
		require.Equal(t, 200, resp.StatusCode)
		blanks := make([]byte, len(`<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`)+4)
		_, err = io.ReadFull(resp.Body, blanks)
		require.NoError(t, err)
		return resp, cancel
	}
	release := make(chan error)
	beforeCommit(h, func() error { return <-release })
	for verdict, want := range map[error]string{nil: "CopyPartResult", unavailable: "<Code>ServiceUnavailable</Code>"} {
		resp, cancel := begin("src")
		release <- verdict
		rest, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Contains(t, string(rest), want)
		cancel()
	}
	h.forget()
	h.meta.interpose(nil)
	h.put("sealed", strings.Repeat("x", worldExtentBytes), "X-Amz-Server-Side-Encryption: AES256") // So each byte has to be read.
	reached, _ := h.hold(shardtest.CallOpen, shard.ExtentID{})
	resp, cancel := begin("sealed")
	<-reached
	cancel()
	ended := h.ended("UploadPartCopy")
	require.Equal(t, errs.Canceled, errs.KindOf(ended.Cause), "%v", ended.Cause)
	resp.Body.Close()
}

// TestHTTP2Aborts: what fails in the middle of a body resets the stream, so that no
// client takes the part for the whole; the connection stays.
func TestHTTP2Aborts(t *testing.T) {
	h := http2Harness(t)
	h.put("k", strings.Repeat("x", 2*worldExtentBytes))
	h.lose(h.extents("k")[1])
	r := h.do("GET", "/bkt/k", "")
	require.Equal(t, 200, r.StatusCode)
	require.Error(t, r.err)
	h.heal()
	require.NoError(t, h.do("GET", "/bkt/k", "").err)
	require.EqualValues(t, 1, h.opened.Load())
}

// countedBody counts the bytes that are taken of it.
type countedBody struct {
	io.Reader
	taken atomic.Int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.taken.Add(int64(n))
	return n, err
}

func (b *countedBody) Close() error { return nil }

// TestHTTP2ExpectContinue: a body is asked for when its request is allowed, and not
// before; one that is sent unasked is dropped without an end to the connection.
func TestHTTP2ExpectContinue(t *testing.T) {
	h := http2Harness(t)
	content := strings.Repeat("x", 2*http2BufferPerStream)
	put := func(path string, headers ...string) (reply, *countedBody) {
		req := h.request("PUT", path, "", append(headers, "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD")...)
		body := &countedBody{Reader: strings.NewReader(content)}
		req.Body, req.ContentLength = body, int64(len(content))
		return h.send(req), body
	}
	r, body := put("/bkt/k", "Expect: 100-continue")
	require.Equal(t, 200, r.StatusCode, r.body)
	require.EqualValues(t, len(content), body.taken.Load())
	r, body = put("/bkt/"+strings.Repeat("k", 1025), "Expect: 100-continue")
	require.Equal(t, "KeyTooLong", r.code())
	require.Zero(t, body.taken.Load())
	r, _ = put("/none/k")
	require.Equal(t, "NoSuchBucket", r.code())
	require.EqualValues(t, 1, h.opened.Load())
}

// TestHTTP2SilentClient: an upload that stalls is given up, and holds up no other.
func TestHTTP2SilentClient(t *testing.T) {
	h := http2Harness(t, func(c *Config) { c.Limits.IdleReadTimeout = 100 * time.Millisecond })
	req := h.request("PUT", "/bkt/k", "", "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD")
	in, out := io.Pipe()
	defer out.Close()
	req.Body, req.ContentLength = in, 5000
	go func() { _, _ = io.WriteString(out, "only this") }()
	r := h.send(req)
	require.Equal(t, "RequestTimeout", r.code())
	require.False(t, h.has("bkt", "k"))
	require.Equal(t, 200, h.do("GET", "/bkt/probe", "").StatusCode)
	require.EqualValues(t, 1, h.opened.Load())
}

// TestHTTP2Shutdown: a server that is to stop ends what it has begun, and sends
// clients elsewhere.
func TestHTTP2Shutdown(t *testing.T) {
	h := http2Harness(t)
	content := strings.Repeat("x", 2*worldExtentBytes)
	h.put("k", content)
	begun, release := h.hold(shardtest.CallOpen, h.extents("k")[1])
	got := make(chan reply)
	go func() { got <- h.do("GET", "/bkt/k", "") }()
	<-begun
	stopped := make(chan error)
	go func() { stopped <- h.server.Config.Shutdown(t.Context()) }()
	release()
	r := <-got
	require.NoError(t, r.err)
	require.True(t, r.body == content)
	require.NoError(t, <-stopped)
	_, err := h.client.Do(h.request("GET", "/bkt/k", ""))
	require.Error(t, err, "nobody listens any more")
}
