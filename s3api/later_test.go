package s3api

import (
	"bufio"
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/shardtest"
)

// atOnce makes every copy an early 200.
func atOnce(c *Config) {
	p := *profile.Default()
	p.CopyEarly200After, p.KeepAliveInterval = time.Nanosecond, time.Millisecond
	c.Profile = func() *profile.Profile { return &p }
}

// unavailable is the error of metadata that nobody leads.
var unavailable = errs.Newf("test", errs.Unavailable, "no leader")

// beforeCommit makes f run before what makes an object or a part is committed; an error
// of it is the commit's.
func beforeCommit(h *harness, f func() error) {
	h.meta.interpose(func(cmd *metapb.Command) error {
		switch cmd.Op.(type) {
		case *metapb.Command_PutObject, *metapb.Command_PutPart, *metapb.Command_CompleteUpload:
			return f()
		}
		return nil
	})
}

// slowCopy starts a part copy that does not end soon, and returns its answer once the
// early 200 is there. slow is called when all is there that it needs.
func slowCopy(t *testing.T, h *harness, content string, slow func(), headers ...string) (resp *http.Response, cancel context.CancelFunc) {
	h.put("src", content)
	id := element(h.do("POST", "/bkt/dst?uploads", "", headers...).body, "UploadId")
	slow()
	ctx, cancel := context.WithCancel(t.Context())
	req := h.request("PUT", "/bkt/dst?partNumber=1&uploadId="+id, "", append(headers, "X-Amz-Copy-Source: bkt/src")...)
	resp, err := h.client.Do(req.WithContext(ctx))
	require.NoError(t, err)
	require.Equal(t, 200, resp.StatusCode)
	require.Equal(t, "application/xml", resp.Header.Get("Content-Type"))
	require.Equal(t, []string{"chunked"}, resp.TransferEncoding)
	return resp, cancel
}

func TestSlowCopyBeats(t *testing.T) {
	h := newHarness(t, atOnce)
	release := make(chan struct{})
	resp, cancel := slowCopy(t, h, "0123456789", func() {
		beforeCommit(h, func() error { <-release; return nil })
	})
	defer cancel()
	in := bufio.NewReader(resp.Body)
	line, err := in.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n", line)
	for range 3 {
		c, err := in.ReadByte()
		require.NoError(t, err)
		require.EqualValues(t, ' ', c)
	}
	close(release)
	rest, err := io.ReadAll(in)
	require.NoError(t, err)
	resp.Body.Close()
	var doc struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CopyPartResult"`
		ETag    string
	}
	require.NoError(t, xml.Unmarshal([]byte(line+" "+string(rest)), &doc))
	require.Equal(t, `"781e5e245d69b566979b86e28d23f2c7"`, doc.ETag)
}

// TestVerdictInBody: what fails after the early 200 is an <Error> that SDKs see.
func TestVerdictInBody(t *testing.T) {
	h := newHarness(t, atOnce)
	early := make(chan struct{}, 1)
	resp, cancel := slowCopy(t, h, "0123456789", func() {
		beforeCommit(h, func() error { <-early; return unavailable })
	})
	defer cancel()
	early <- struct{}{}
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, "ServiceUnavailable", element(string(body), "Code"))
	require.Equal(t, resp.Header.Get("X-Amz-Request-Id"), element(string(body), "RequestId"))
	require.Equal(t, 1, strings.Count(string(body), "<?xml"))
	h.client.Transport = headersSeen{h.client.Transport, early}
	_, err = h.sdk().CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: aws.String("bkt"), Key: aws.String("x"), CopySource: aws.String("bkt/src")})
	require.Equal(t, "ServiceUnavailable", apiCode(err))
	events := h.events()
	require.Equal(t, s3err.ServiceUnavailable, events[len(events)-1].Code)
	require.Equal(t, 200, events[len(events)-1].Status)
}

// headersSeen tells when the headers of an answer are there.
type headersSeen struct {
	http.RoundTripper
	seen chan<- struct{}
}

func (s headersSeen) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.RoundTripper.RoundTrip(r)
	s.seen <- struct{}{}
	return resp, err
}

// TestClientGoneCancelsCopy: nobody copies for a client that left.
func TestClientGoneCancelsCopy(t *testing.T) {
	h := newHarness(t, atOnce, func(c *Config) { c.Limits.HalfClosedTimeout = time.Hour })
	var reached <-chan struct{}
	// Under a key of the customer's each byte has to be read.
	resp, cancel := slowCopy(t, h, strings.Repeat("x", worldExtentBytes), func() {
		reached, _ = h.hold(shardtest.CallOpen, shard.ExtentID{})
	}, keyTriple(targetKey, make([]byte, 32))...)
	<-reached
	cancel()
	ended := h.ended("UploadPartCopy")
	require.True(t, ended.Aborted)
	require.ErrorIs(t, ended.Cause, errClientGone)
	resp.Body.Close()
}

// TestFastCopyHasStatus: a copy that fails soon has its true status.
func TestFastCopyHasStatus(t *testing.T) {
	h := newHarness(t)
	h.put("src", "0123456789")
	id := element(h.do("POST", "/bkt/dst?uploads", "").body, "UploadId")
	etag := h.do("PUT", "/bkt/dst?partNumber=1&uploadId="+id, "0123456789").Header.Get("ETag")
	beforeCommit(h, func() error { return unavailable })
	for _, r := range []reply{
		h.do("PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/src"),
		h.do("PUT", "/bkt/dst?partNumber=1&uploadId="+id, "", "X-Amz-Copy-Source: bkt/src"),
		h.do("POST", "/bkt/dst?uploadId="+id, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"+etag+"</ETag></Part></CompleteMultipartUpload>"),
	} {
		require.Equal(t, 503, r.StatusCode)
		require.Equal(t, "ServiceUnavailable", r.code())
	}
}

// TestHTTP10Waits: a client without chunks gets a whole answer.
func TestHTTP10Waits(t *testing.T) {
	h := newHarness(t, atOnce)
	h.put("src", "0123456789")
	beforeCommit(h, func() error { <-time.After(2 * time.Millisecond); return nil }) // Past the early 200.
	req := h.request("PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/src")
	_, in := h.dial(strings.Replace(raw(t, req), "HTTP/1.1", "HTTP/1.0", 1))
	resp, err := http.ReadResponse(in, req)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.EqualValues(t, len(body), resp.ContentLength)
	require.True(t, strings.HasPrefix(string(body), "<?xml"))
}

// TestCopyErrors is the table of errors that are found before a copy runs.
func TestCopyErrors(t *testing.T) {
	h := newHarness(t)
	etag := h.put("src", "0123456789").Header.Get("ETag")
	id := element(h.do("POST", "/bkt/dst?uploads", "").body, "UploadId")
	future := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	past := time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)
	for _, c := range []struct {
		name, path string
		headers    []string
		status     int
		code       string
	}{
		{"whole", "", []string{"X-Amz-Copy-Source: bkt/src"}, 200, ""},
		{"range", "", []string{"X-Amz-Copy-Source: bkt/src", "X-Amz-Copy-Source-Range: bytes=1-2"}, 200, ""},
		{"no source bucket", "", []string{"X-Amz-Copy-Source: none/src"}, 404, "NoSuchBucket"},
		{"no source key", "", []string{"X-Amz-Copy-Source: bkt/none"}, 404, "NoSuchKey"},
		{"no source version", "", []string{"X-Amz-Copy-Source: bkt/src?versionId=v"}, 404, "NoSuchVersion"},
		{"null version", "", []string{"X-Amz-Copy-Source: bkt/src?versionId=null"}, 200, ""},
		{"no key", "", []string{"X-Amz-Copy-Source: bkt"}, 400, "InvalidArgument"},
		{"empty source", "", []string{"X-Amz-Copy-Source: "}, 400, "InvalidArgument"},
		{"empty range", "", []string{"X-Amz-Copy-Source: bkt/src", "X-Amz-Copy-Source-Range: "}, 400, "InvalidArgument"},
		{"suffix range", "", []string{"X-Amz-Copy-Source: bkt/src", "X-Amz-Copy-Source-Range: bytes=-2"}, 400, "InvalidArgument"},
		{"outside", "", []string{"X-Amz-Copy-Source: bkt/src", "X-Amz-Copy-Source-Range: bytes=10-11"}, 416, "InvalidRange"},
		{"no upload", "/bkt/dst?partNumber=1&uploadId=none", []string{"X-Amz-Copy-Source: bkt/src"}, 404, "NoSuchUpload"},
		{"match", "", []string{"X-Amz-Copy-Source: bkt/src", "X-Amz-Copy-Source-If-Match: " + etag, "X-Amz-Copy-Source-If-Unmodified-Since: " + past}, 200, ""},
		{"no match", "", []string{"X-Amz-Copy-Source: bkt/src", "X-Amz-Copy-Source-If-Match: x"}, 412, "PreconditionFailed"},
		{"none match", "", []string{"X-Amz-Copy-Source: bkt/src", "X-Amz-Copy-Source-If-None-Match: " + etag, "X-Amz-Copy-Source-If-Modified-Since: " + past}, 412, "PreconditionFailed"},
		{"unmodified", "", []string{"X-Amz-Copy-Source: bkt/src", "X-Amz-Copy-Source-If-Unmodified-Since: " + past}, 412, "PreconditionFailed"},
		{"future", "", []string{"X-Amz-Copy-Source: bkt/src", "X-Amz-Copy-Source-If-Modified-Since: " + future}, 200, ""},
		{"owner", "", []string{"X-Amz-Copy-Source: bkt/src", "X-Amz-Source-Expected-Bucket-Owner: somebody"}, 403, "AccessDenied"},
		{"right owner", "", []string{"X-Amz-Copy-Source: bkt/src", "X-Amz-Source-Expected-Bucket-Owner: " + testAccount}, 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := c.path
			if path == "" {
				path = "/bkt/dst?partNumber=1&uploadId=" + id
			}
			r := h.do("PUT", path, "", c.headers...)
			require.Equal(t, c.status, r.StatusCode, r.body)
			require.Equal(t, c.code, r.code())
		})
	}
	h.put("a%20b", "space")
	require.Equal(t, 200, h.do("PUT", "/bkt/plus", "", "X-Amz-Copy-Source: bkt/a+b").StatusCode)
	require.Equal(t, "space", h.do("GET", "/bkt/plus", "").body)
}

// TestPanicInLaterWork: a bug in a copy costs its connection, not the process.
func TestPanicInLaterWork(t *testing.T) {
	h := newHarness(t)
	h.put("src", "0123456789")
	beforeCommit(h, func() error { panic("a bug") })
	_, err := h.client.Do(h.request("PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/src"))
	require.Error(t, err)
	h.meta.interpose(nil)
	require.Equal(t, 200, h.do("PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/src").StatusCode)
}
