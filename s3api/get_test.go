package s3api

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/shard"
)

func TestGetRanges(t *testing.T) {
	h := newHarness(t)
	h.put("k", "0123456789")
	h.put("empty", "")
	for _, c := range []struct {
		key, header string
		status      int
		body        string
		contentRange
	}{
		{"k", "", 200, "0123456789", ""},
		{"k", "bytes=0-0", 206, "0", "bytes 0-0/10"},
		{"k", "bytes=2-4", 206, "234", "bytes 2-4/10"},
		{"k", "bytes=7-", 206, "789", "bytes 7-9/10"},
		{"k", "bytes=-3", 206, "789", "bytes 7-9/10"},
		{"k", "bytes=-30", 206, "0123456789", "bytes 0-9/10"},
		{"k", "bytes=8-99", 206, "89", "bytes 8-9/10"},
		{"k", "bytes=10-", 416, "", "bytes */10"},
		{"k", "bytes=10-12", 416, "", "bytes */10"},
		{"k", "bytes=-0", 416, "", "bytes */10"},
		{"k", "bytes=3-2", 200, "0123456789", ""},
		{"k", "bytes=0-1,4-5", 200, "0123456789", ""},
		{"k", "garbage", 200, "0123456789", ""},
		{"empty", "", 200, "", ""},
		{"empty", "bytes=0-", 416, "", "bytes */0"},
	} {
		var headers []string
		if c.header != "" {
			headers = []string{"Range: " + c.header}
		}
		for _, method := range []string{"GET", "HEAD"} {
			r := h.do(method, "/bkt/"+c.key, "", headers...)
			name := method + " " + c.key + " " + c.header
			require.Equal(t, c.status, r.StatusCode, name)
			require.Equal(t, string(c.contentRange), r.Header.Get("Content-Range"), name)
			if c.status == 416 {
				if method == "GET" {
					require.Equal(t, "InvalidRange", r.code())
				}
				continue
			}
			require.EqualValues(t, len(c.body), r.ContentLength, name)
			require.Equal(t, "bytes", r.Header.Get("Accept-Ranges"))
			if method == "GET" {
				require.Equal(t, c.body, r.body, name)
			}
		}
	}
}

type contentRange string

func TestGetConditionsAndIfRange(t *testing.T) {
	h := newHarness(t)
	etag := h.put("k", "0123456789", "Cache-Control: no-store").Header.Get("ETag")
	future := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	past := time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)
	modified := h.do("HEAD", "/bkt/k", "").Header.Get("Last-Modified")
	for _, c := range []struct {
		headers []string
		status  int
	}{
		{[]string{"If-Match: " + etag}, 200},
		{[]string{`If-Match: "no"`}, 412},
		{[]string{"If-None-Match: " + etag}, 304},
		{[]string{"If-None-Match: *"}, 304},
		{[]string{"If-Unmodified-Since: " + past}, 412},
		{[]string{"If-Modified-Since: " + future}, 304},
		{[]string{"If-Match: " + etag, "If-Unmodified-Since: " + past}, 200},
		{[]string{`If-Match: "no"`, "Range: bytes=99-"}, 412}, // Before the range.
		{[]string{"If-Range: " + etag, "Range: bytes=0-1"}, 206},
		{[]string{`If-Range: "no"`, "Range: bytes=0-1"}, 200},
		{[]string{"If-Range: W/" + etag, "Range: bytes=0-1"}, 200},
		{[]string{"If-Range: " + modified, "Range: bytes=0-1"}, 206},
		{[]string{"If-Range: " + past, "Range: bytes=0-1"}, 200},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			r := h.do(method, "/bkt/k", "", c.headers...)
			require.Equal(t, c.status, r.StatusCode, "%s %v", method, c.headers)
			if c.status == 304 {
				require.Equal(t, etag, r.Header.Get("ETag"))
				require.Empty(t, r.body)
			}
		}
	}
	r := h.do("GET", "/bkt/k", "", `If-Match: "no"`)
	require.Equal(t, "PreconditionFailed", r.code())
	require.Equal(t, "If-Match", element(r.body, "Condition"))
}

func TestPartNumbers(t *testing.T) {
	h := newHarness(t)
	h.put("k", "0123")
	r := h.do("GET", "/bkt/k?partNumber=1", "")
	require.Equal(t, 206, r.StatusCode)
	require.Equal(t, "0123", r.body)
	require.Empty(t, r.Header.Get("X-Amz-Mp-Parts-Count"))
	r = h.do("GET", "/bkt/k?partNumber=2", "")
	require.Equal(t, 416, r.StatusCode)
	require.Equal(t, "InvalidPartNumber", r.code())
	for _, n := range []string{"0", "10001", "-1", "1x", ""} {
		r = h.do("GET", "/bkt/k?partNumber="+n, "")
		require.Equal(t, "InvalidArgument", r.code(), n)
		for _, copySource := range [][]string{nil, {"X-Amz-Copy-Source: bkt/k"}} {
			r = h.do("PUT", "/bkt/new?uploadId=u&partNumber="+n, "", copySource...)
			require.Equal(t, "InvalidArgument", r.code(), n)
			require.Equal(t, "Part number must be an integer between 1 and 10000, inclusive", element(r.body, "Message"))
		}
	}
	require.Equal(t, "InvalidArgument", h.do("PUT", "/bkt/new?partNumber=1", "").code())
	require.Equal(t, "InvalidArgument", h.do("PUT", "/bkt/new?uploadId=u", "").code())
	require.False(t, h.has("bkt", "new"))
	require.Equal(t, "InvalidRequest", h.do("GET", "/bkt/k?partNumber=1", "", "Range: bytes=0-1").code())
}

func TestOverridesAndAttributes(t *testing.T) {
	h := newHarness(t)
	h.put("k", "x", "Content-Type: text/plain", "Expires: whenever", "Content-Language: de", "Content-Encoding: aws-chunked",
		"Content-Disposition: inline", "X-Amz-Meta-Two: b", "X-Amz-Meta-One: a")
	r := h.do("GET", "/bkt/k?response-content-type=a%2Fb&response-content-disposition=attachment%3B%20filename%3D%22x%22&response-cache-control=no-store", "")
	require.Equal(t, "a/b", r.Header.Get("Content-Type"))
	require.Equal(t, []string{`attachment; filename="x"`}, r.Header.Values("Content-Disposition"))
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	require.Equal(t, "whenever", r.Header.Get("Expires"))
	require.Equal(t, "de", r.Header.Get("Content-Language"))
	require.Empty(t, r.Header.Get("Content-Encoding"))
	require.Equal(t, "a", r.Header.Get("X-Amz-Meta-One"))
	require.Equal(t, "b", r.Header.Get("X-Amz-Meta-Two"))

	size := func(n int) reply { return h.do("PUT", "/bkt/m", "x", "X-Amz-Meta-A: "+strings.Repeat("v", n-1)) }
	require.Equal(t, 200, size(2048).StatusCode)
	require.Equal(t, "MetadataTooLarge", size(2049).code())
	require.Equal(t, "InvalidArgument", h.do("PUT", "/bkt/m", "x", "X-Amz-Meta-A: \xff").code())
	require.Equal(t, "InvalidArgument", h.do("PUT", "/bkt/m", "", "X-Amz-Copy-Source: bkt/k", "X-Amz-Metadata-Directive: MOVE").code())
	require.Equal(t, 200, h.do("PUT", "/bkt/k", "", "X-Amz-Copy-Source: bkt/k", "X-Amz-Metadata-Directive: REPLACE").StatusCode)
}

func TestListArguments(t *testing.T) {
	h := newHarness(t)
	for path, code := range map[string]string{
		"/bkt?max-keys=-1":                             "InvalidArgument",
		"/bkt?max-keys=x":                              "InvalidArgument",
		"/bkt?max-keys=99999999999":                    "InvalidArgument",
		"/bkt?encoding-type=utf7":                      "InvalidArgument",
		"/bkt?list-type=3":                             "InvalidArgument",
		"/bkt?list-type=2&continuation-token=":         "InvalidArgument",
		"/bkt?list-type=2&continuation-token=%21":      "InvalidArgument",
		"/bkt?prefix=%FF":                              "InvalidURI",
		"/bkt?uploads&max-uploads=-1":                  "InvalidArgument",
		"/bkt?uploads&key-marker=k&upload-id-marker=x": "InvalidArgument",
		"/bkt?uploads&upload-id-marker=x":              "",
		"/bkt?uploads&max-uploads=5000":                "",
		"/bkt?max-keys=5000":                           "",
		"/none?max-keys=0":                             "NoSuchBucket",
	} {
		require.Equal(t, code, h.do("GET", path, "").code(), path)
	}
	require.Equal(t, "1000", element(h.do("GET", "/bkt?max-keys=5000", "").body, "MaxKeys"))
	require.Equal(t, "1000", element(h.do("GET", "/bkt?uploads&max-uploads=5000", "").body, "MaxUploads"))
}

// TestReadFailures: a read that fails at once has a status; one that fails in the
// middle never looks whole.
func TestReadFailures(t *testing.T) {
	h := newHarness(t)
	h.put("k", strings.Repeat("x", 2*worldExtentBytes))
	h.lose(shard.ExtentID{})
	r := h.do("GET", "/bkt/k", "")
	require.Equal(t, 503, r.StatusCode)
	require.Equal(t, "ServiceUnavailable", r.code())
	require.Empty(t, r.Header.Get("ETag"))

	h.heal()
	h.lose(h.extents("k")[1])
	resp, err := h.client.Do(h.request("GET", "/bkt/k", ""))
	if err == nil { // The headers may or may not have left before the cut.
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	require.Error(t, err)
	events := h.events()
	last := events[len(events)-1]
	require.True(t, last.Aborted)
	require.EqualValues(t, worldExtentBytes, last.BytesOut)
}

// TestShortContent: content that ends before its length, though nothing failed, never
// looks whole either.
func TestShortContent(t *testing.T) {
	w := newWorld(t)
	s := New(Config{Access: &Access{Buckets: w.dir.Buckets(w.meta)}}).(*server)
	ex := s.newExchange(httptest.NewRecorder(), httptest.NewRequest("GET", "/bkt/k", nil))
	short := func(_ context.Context, w io.Writer) (int64, error) {
		n, err := io.WriteString(w, "012345678")
		return int64(n), err
	}
	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		ex.answer(t.Context(), &response{content: &content{length: 10, writeTo: short}}, nil)
	})
	require.True(t, ex.done.Aborted)
}
