package s3api

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/shardtest"
)

func TestHeaderLimit(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Limits.MaxHeaderBytes = 4 << 10 })
	require.Equal(t, 431, h.do("GET", "/bkt/k", "", "X-Amz-Meta-A: "+strings.Repeat("v", 16<<10)).StatusCode)
}

// dial sends a raw request and returns the connection.
func (h *harness) dial(raw string) (net.Conn, *bufio.Reader) {
	c, err := net.Dial("tcp", h.server.Listener.Addr().String())
	require.NoError(h.t, err)
	h.t.Cleanup(func() { c.Close() })
	_, err = io.WriteString(c, raw)
	require.NoError(h.t, err)
	return c, bufio.NewReader(c)
}

// raw renders a signed request's head.
func raw(t *testing.T, r *http.Request) string {
	r.URL.Opaque = r.URL.Opaque[len("//"+r.URL.Host):]
	head, err := httputil.DumpRequest(r, false)
	require.NoError(t, err)
	return string(head)
}

// TestExpectContinue: a request that is refused is refused before its body is asked
// for; one that is not is asked for it.
func TestExpectContinue(t *testing.T) {
	h := newHarness(t)
	body := strings.Repeat("x", 1000)
	for _, path := range []string{"/bkt/k?torrent", "/bkt/" + strings.Repeat("k", 1025)} {
		req := h.request("PUT", path, body, "Expect: 100-continue", "Content-Length: 1000")
		_, in := h.dial(raw(t, req))
		resp, err := http.ReadResponse(in, req)
		require.NoError(t, err)
		require.GreaterOrEqual(t, resp.StatusCode, 400)
		require.True(t, resp.Close)
	}
	req := h.request("PUT", "/bkt/k", body, "Expect: 100-continue", "Content-Length: 1000")
	c, in := h.dial(raw(t, req))
	line, err := in.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100 Continue\r\n", line)
	_, _ = in.ReadString('\n')
	_, _ = io.WriteString(c, body)
	resp, err := http.ReadResponse(in, req)
	require.NoError(t, err)
	require.Equal(t, 200, resp.StatusCode)
}

// TestExpectContinueOfNothing: a client that waits for 100 Continue before it
// sends an empty body gets it, and can go on with its connection.
func TestExpectContinueOfNothing(t *testing.T) {
	h := newHarness(t)
	for _, path := range []string{"/bkt/k", "/bkt/k?torrent"} { // Stored and refused.
		head := raw(t, h.request("PUT", path, "", "Expect: 100-continue", "Content-Length: 0"))
		c, r := h.dial(head + head)
		for range 2 {
			resp, err := http.ReadResponse(r, nil)
			require.NoError(t, err)
			require.Equal(t, http.StatusContinue, resp.StatusCode)
			require.Empty(t, resp.Header)
			resp, err = http.ReadResponse(r, nil)
			require.NoError(t, err)
			require.NotEqual(t, http.StatusContinue, resp.StatusCode)
			_, err = io.Copy(io.Discard, resp.Body)
			require.NoError(t, err)
		}
		c.Close()
	}
}

// TestCopyNeverWaitsForBody: OBS clients announce a body with a copy and send none.
func TestCopyNeverWaitsForBody(t *testing.T) {
	h := newHarness(t)
	h.put("src", "0123456789")
	id := element(h.do("POST", "/bkt/dst?uploads", "").body, "UploadId")
	for _, path := range []string{"/bkt/copy", "/bkt/dst?partNumber=1&uploadId=" + id} {
		req := h.request("PUT", path, "", "X-Amz-Copy-Source: /bkt/src", "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD")
		head := strings.Replace(raw(t, req), "\r\n", "\r\nContent-Length: 5120\r\n", 1)
		_, in := h.dial(head)
		resp, err := http.ReadResponse(in, req)
		require.NoError(t, err)
		require.Equal(t, 200, resp.StatusCode)
		body, _ := io.ReadAll(resp.Body)
		require.Contains(t, string(body), "<ETag>")
	}
	r := h.do("PUT", "/bkt/dst?partNumber=1&uploadId="+id, strings.Repeat("x", maxIgnoredBodyBytes+1), "X-Amz-Copy-Source: /bkt/src")
	require.Equal(t, "UnexpectedContent", r.code())
	r = h.do("PUT", "/bkt/dst?partNumber=1&uploadId="+id, "a little", "X-Amz-Copy-Source: /bkt/src")
	require.Equal(t, 200, r.StatusCode)
}

// TestUnreadBody: a client that sends all before it reads sees why it was refused.
func TestUnreadBody(t *testing.T) {
	h := newHarness(t)
	for _, size := range []int{10 << 10, 900 << 10} {
		body := strings.Repeat("x", size)
		req := h.request("PUT", "/none/k", body, "Content-Length: "+itoa(size))
		c, in := h.dial(raw(t, req))
		_, err := io.WriteString(c, body)
		require.NoError(t, err)
		resp, err := http.ReadResponse(in, req)
		require.NoError(t, err)
		require.Equal(t, 404, resp.StatusCode)
		require.Equal(t, size > netHTTPDrainBytes, resp.Close) // A short one costs no new connection.
	}
}

// TestStalledService: time in which the service neither reads nor writes is not
// the client's, over HTTP/1.1 and HTTP/2.
func TestStalledService(t *testing.T) {
	const idle, stall = 500 * time.Millisecond, time.Second // A loaded machine may stop us for a while, too.
	short := func(c *Config) { c.Limits.IdleReadTimeout, c.Limits.IdleWriteTimeout = idle, idle }
	for name, h := range map[string]*harness{"http": newHarness(t, short), "http2": newTLSHarness(t, true, short)} {
		body := strings.Repeat("x", 4*worldExtentBytes+2*http2BufferPerStream) // Not all of it fits into what the server holds.
		stalled := make(chan struct{})
		stallAt := func(call shardtest.Call, x shard.ExtentID) {
			reached, release := h.hold(call, x)
			go func() {
				<-reached
				<-time.After(stall)
				release()
				stalled <- struct{}{}
			}()
		}
		stallAt(shardtest.CallCommit, shard.ExtentID{}) // Of the first extent: the second is read meanwhile, and no more.
		h.put("k", body)
		<-stalled
		extents := h.extents("k")
		stallAt(shardtest.CallOpen, extents[2])
		r := h.do("GET", "/bkt/k", "")
		<-stalled
		require.NoError(t, r.err, name)
		require.True(t, r.body == body, name)
	}
}

// TestConnectionReuse: an aws-chunked body is read to its end, so the connection
// stays.
func TestConnectionReuse(t *testing.T) {
	h := newTLSHarness(t, false)
	for range 5 {
		_, err := h.sdk().PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k"), Body: strings.NewReader("body")})
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, h.opened.Load())
	// The same with Transfer-Encoding: chunked.
	chunks := "4\r\nbody\r\n0\r\nx-amz-checksum-crc32:26gLsg==\r\n\r\n"
	for range 2 {
		req := h.request("PUT", "/bkt/k", "", "X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Decoded-Content-Length: 4",
			"Content-Encoding: aws-chunked", "X-Amz-Trailer: x-amz-checksum-crc32")
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader(chunks)), -1
		r := h.send(req)
		require.Equal(t, 200, r.StatusCode, r.body)
		require.False(t, r.Close, r.body)
	}
	require.EqualValues(t, 1, h.opened.Load())
}

// TestSilentClient: a client that stops in the middle of a body is cut off.
func TestSilentClient(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Limits.IdleReadTimeout = 50 * time.Millisecond })
	req := h.request("PUT", "/bkt/k", "", "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD")
	head := strings.Replace(raw(t, req), "\r\n", "\r\nContent-Length: 5000\r\n", 1)
	_, in := h.dial(head + "only this")
	resp, err := http.ReadResponse(in, req)
	require.NoError(t, err)
	body, _ := io.ReadAll(resp.Body)
	require.Equal(t, "RequestTimeout", element(string(body), "Code"))
	require.False(t, h.has("bkt", "k"))
}

// TestDeafClient: a client that does not read holds nothing for ever.
func TestDeafClient(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Limits.IdleWriteTimeout = 50 * time.Millisecond })
	// More than the sockets hold: many times the same extents.
	const partBytes, parts = 2 << 20, 64
	h.put("part", strings.Repeat("x", partBytes))
	upload := "uploadId=" + element(h.do("POST", "/bkt/k?uploads", "").body, "UploadId")
	var list strings.Builder
	for n := 1; n <= parts; n++ {
		r := h.do("PUT", "/bkt/k?partNumber="+itoa(n)+"&"+upload, "", "X-Amz-Copy-Source: bkt/part")
		require.Equal(t, 200, r.StatusCode, r.body)
		list.WriteString("<Part><PartNumber>" + itoa(n) + "</PartNumber><ETag>" + element(r.body, "ETag") + "</ETag></Part>")
	}
	r := h.do("POST", "/bkt/k?"+upload, "<CompleteMultipartUpload>"+list.String()+"</CompleteMultipartUpload>")
	require.Equal(t, 200, r.StatusCode, r.body)
	_, _ = h.dial(raw(t, h.request("GET", "/bkt/k", "")))
	ended := h.ended("GetObject")
	require.ErrorIs(t, ended.Cause, os.ErrDeadlineExceeded)
	require.True(t, ended.Aborted)
	require.Less(t, ended.BytesOut, int64(partBytes*parts))
}

// TestClientGoneMidPut: the service sees that a body is incomplete.
func TestClientGoneMidPut(t *testing.T) {
	h := newHarness(t)
	req := h.request("PUT", "/bkt/k", "", "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD")
	head := strings.Replace(raw(t, req), "\r\n", "\r\nContent-Length: 5000\r\n", 1)
	c, in := h.dial(head + "only this")
	require.NoError(t, c.(*net.TCPConn).CloseWrite())
	resp, err := http.ReadResponse(in, req)
	if err == nil {
		body, _ := io.ReadAll(resp.Body)
		require.Equal(t, string(s3err.IncompleteBody), element(string(body), "Code"))
	}
	require.False(t, h.has("bkt", "k"))
}

// TestHalfClosed: a client that has said all and closes its side of the connection gets
// its answer; one that is gone holds nothing for longer than it is waited for.
func TestHalfClosed(t *testing.T) {
	ask := func(h *harness) (net.Conn, *bufio.Reader, *http.Request) {
		req := h.request("GET", "/bkt/k", "")
		c, in := h.dial(raw(t, req))
		require.NoError(t, c.(*net.TCPConn).CloseWrite())
		return c, in, req
	}
	h := newHarness(t, func(c *Config) { c.Limits.HalfClosedTimeout = time.Hour })
	content := strings.Repeat("x", worldExtentBytes)
	h.put("k", content)
	reached, release := h.hold(shardtest.CallOpen, shard.ExtentID{})
	_, in, req := ask(h)
	<-reached
	<-time.After(time.Second) // By far long enough for the server to learn that the client sends no more.
	release()
	resp, err := http.ReadResponse(in, req)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.True(t, string(body) == content)

	h = newHarness(t, func(c *Config) { c.Limits.HalfClosedTimeout = time.Millisecond })
	h.put("k", content)
	reached, _ = h.hold(shardtest.CallOpen, shard.ExtentID{})
	c, _, _ := ask(h)
	<-reached
	require.NoError(t, c.Close())
	require.ErrorIs(t, h.ended("GetObject").Cause, context.Canceled)
}
