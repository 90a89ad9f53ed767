package s3api

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
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
	release, ended := make(chan error), make(chan error, 1)
	h.objects.hook(hooks{onRun: func(ctx context.Context) error {
		select {
		case err := <-release:
			return err
		case <-ctx.Done():
			ended <- ctx.Err()
			return ctx.Err()
		}
	}})
	begin := func() (*http.Response, context.CancelFunc) {
		ctx, cancel := context.WithCancel(t.Context())
		resp, err := h.client.Do(h.request("PUT", "/bkt/dst?partNumber=1&uploadId="+id, "", "X-Amz-Copy-Source: bkt/src").WithContext(ctx))
		require.NoError(t, err)
		require.Equal(t, 200, resp.StatusCode)
		blanks := make([]byte, len(`<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`)+4)
		_, err = io.ReadFull(resp.Body, blanks)
		require.NoError(t, err)
		return resp, cancel
	}
	for verdict, want := range map[error]string{nil: "CopyPartResult", errors.New("lost shards"): "<Code>InternalError</Code>"} {
		resp, cancel := begin()
		release <- verdict
		rest, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Contains(t, string(rest), want)
		cancel()
	}
	resp, cancel := begin()
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	resp.Body.Close()
}

// TestHTTP2Aborts: what fails in the middle of a body resets the stream, so that no
// client takes the part for the whole; the connection stays.
func TestHTTP2Aborts(t *testing.T) {
	h := http2Harness(t)
	h.put("k", strings.Repeat("x", 100<<10))
	h.objects.hook(hooks{onWriteTo: func(_ context.Context, w io.Writer) (int64, error) {
		n, err := w.Write(bytes.Repeat([]byte("x"), 70<<10))
		return int64(n), errors.Join(err, errors.New("lost shards"))
	}})
	r := h.do("GET", "/bkt/k", "")
	require.Equal(t, 200, r.StatusCode)
	require.Error(t, r.err)
	h.objects.hook(hooks{})
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
	h.objects.hook(hooks{onPut: func(context.Context, *object.PutInput) error { return s3err.NoSuchBucket.Err() }})
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
	require.False(t, h.objects.has("bkt", "k"))
	require.Equal(t, 200, h.do("GET", "/bkt/probe", "").StatusCode)
	require.EqualValues(t, 1, h.opened.Load())
}

// TestHTTP2Shutdown: a server that is to stop ends what it has begun, and sends
// clients elsewhere.
func TestHTTP2Shutdown(t *testing.T) {
	h := http2Harness(t)
	content := strings.Repeat("x", 300<<10)
	h.put("k", content)
	begun, release := make(chan struct{}), make(chan struct{})
	h.objects.hook(hooks{onWriteTo: func(_ context.Context, w io.Writer) (int64, error) {
		n, err := io.WriteString(w, content[:100])
		close(begun)
		<-release
		m, err2 := io.WriteString(w, content[100:])
		return int64(n + m), errors.Join(err, err2)
	}})
	got := make(chan reply)
	go func() { got <- h.do("GET", "/bkt/k", "") }()
	<-begun
	stopped := make(chan error)
	go func() { stopped <- h.server.Config.Shutdown(t.Context()) }()
	close(release)
	r := <-got
	require.NoError(t, r.err)
	require.True(t, r.body == content)
	require.NoError(t, <-stopped)
	_, err := h.client.Do(h.request("GET", "/bkt/k", ""))
	require.Error(t, err, "nobody listens any more")
}
