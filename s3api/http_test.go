package s3api

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/s3err"
)

func TestEveryAnswerHasIDs(t *testing.T) {
	h := newHarness(t)
	h.put("k", "hello")
	for _, c := range []struct {
		method, path string
		status       int
		code         string
	}{
		{"GET", "/bkt/k", 200, ""},
		{"GET", "/bkt/absent", 404, "NoSuchKey"},
		{"HEAD", "/bkt/absent", 404, ""},
		{"GET", "/none/k", 404, "NoSuchBucket"},
		{"PATCH", "/bkt/k", 405, "MethodNotAllowed"},
		{"GET", "/bkt?abac", 501, "NotImplemented"},
	} {
		r := h.do(c.method, c.path, "")
		require.Equal(t, c.status, r.StatusCode, c.path)
		require.Equal(t, c.code, r.code(), r.body)
		id := r.Header.Get("X-Amz-Request-Id")
		require.Regexp(t, "^[0-9a-f]{32}$", id)
		require.Equal(t, "node-1", r.Header.Get("X-Amz-Id-2"))
		require.NotEmpty(t, r.Header.Get("Date"))
		require.Equal(t, "OBS", r.Header.Get("Server"))
		if c.code != "" {
			require.Equal(t, id, element(r.body, "RequestId"))
			require.Equal(t, "application/xml", r.Header.Get("Content-Type"))
			require.NotEmpty(t, element(r.body, "Resource"))
		}
		if c.method == "HEAD" {
			require.Empty(t, r.body)
		}
		if c.method == "PATCH" {
			require.Equal(t, "GET, HEAD, PUT, DELETE, POST", sortedAllow(r))
		}
		events := h.events()
		last := events[len(events)-1]
		require.Equal(t, id, last.ID)
		require.Equal(t, c.status, last.Status)
		require.Equal(t, c.method, last.Method)
		require.EqualValues(t, len(r.body), last.BytesOut)
	}
	first := h.events()[0]
	require.Equal(t, "PutObject", first.Operation)
	require.Equal(t, testAccount, first.Account)
	require.EqualValues(t, 5, first.BytesIn)
}

func sortedAllow(r reply) string {
	allow := r.Header.Get("Allow")
	for _, m := range []string{"GET", "HEAD", "PUT", "DELETE", "POST"} {
		if !strings.Contains(allow, m) {
			return allow
		}
	}
	return "GET, HEAD, PUT, DELETE, POST"
}

func TestKeys(t *testing.T) {
	domain := func(c *Config) { c.Domains = []string{"s3.example.com"} }
	h := newHarness(t, domain)
	for _, c := range []struct{ path, host, key, code string }{
		{path: "/bkt/a//b", key: "a//b"},
		{path: "/bkt//", key: "/"},
		{path: "/bkt//a", key: "/a"},
		{path: "/bkt/../x", key: "../x"},
		{path: "/bkt/./", key: "./"},
		{path: "/bkt/a%2Fb", key: "a/b"},
		{path: "/bkt/a%252Fb", key: "a%2Fb"},
		{path: "/bkt/a%2Bb", key: "a+b"},
		{path: "/bkt/a%20b%3F", key: "a b?"},
		{path: "/bkt/%01%7F", key: "\x01\x7f"},
		{path: "/bkt/" + strings.Repeat("%C3%A4", 512), key: strings.Repeat("ä", 512)},
		{path: "/bkt/" + strings.Repeat("%C3%A4", 512) + "a", code: "KeyTooLong"},
		{path: "/bkt/%FF", code: "InvalidURI"},
		{path: "/bkt/a%00", code: "InvalidURI"},
		{path: "//bkt/k", code: "InvalidBucketName"},
		{path: "/v/k", host: "bkt.s3.example.com", key: "v/k"},
		{path: "//k", host: "BKT.S3.example.com:9000", key: "/k"},
		{path: "/livez", host: "bkt.s3.example.com", key: "livez"},
		{path: "/bkt/x", host: "s3.example.com", key: "x"},
		{path: "/bkt/y", host: "evils3.example.com", key: "y"},
	} {
		headers := []string{}
		if c.host != "" {
			headers = append(headers, "Host: "+c.host)
		}
		r := h.do("PUT", c.path, "x", headers...)
		if c.code != "" {
			require.Equal(t, c.code, r.code(), c.path)
			continue
		}
		require.Equal(t, 200, r.StatusCode, c.path+r.body)
		require.True(t, h.has("bkt", c.key), c.path)
		require.Equal(t, "x", h.do("GET", c.path, "", headers...).body)
		require.Equal(t, 204, h.do("DELETE", c.path, "", headers...).StatusCode)
		require.False(t, h.has("bkt", c.key), c.path)
	}
}

// TestBadAuth: no operation without a signature, and nothing is told before.
func TestBadAuth(t *testing.T) {
	for _, c := range []struct {
		compat           profile.Compat
		noKey, badSecret string
	}{{profile.OBS, "AccessDenied", "AccessDenied"}, {profile.AWS, "InvalidAccessKeyId", "SignatureDoesNotMatch"}} {
		h := newHarness(t, withProfile(t, c.compat, nil))
		h.put("k", "x")
		plain, _ := http.NewRequest("GET", h.server.URL+"/bkt/k", nil)
		require.Equal(t, "AccessDenied", h.send(plain).code())
		r := h.request("GET", "/bkt/k", "")
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), testAccessKey, "AKIANOBODY", 1))
		got := h.send(r)
		require.Equal(t, 403, got.StatusCode)
		require.Equal(t, c.noKey, got.code())
		require.Equal(t, s3err.Table[s3err.InvalidAccessKeyID].Message, element(got.body, "Message"), "the cause is told")
		r = h.request("GET", "/bkt/k", "")
		authorization := r.Header.Get("Authorization")
		last := map[bool]string{true: "1", false: "0"}[strings.HasSuffix(authorization, "0")]
		r.Header.Set("Authorization", authorization[:len(authorization)-1]+last)
		got = h.send(r)
		require.Equal(t, c.badSecret, got.code())
		require.Equal(t, s3err.Table[s3err.SignatureDoesNotMatch].Message, element(got.body, "Message"))
		events := h.events()
		require.Equal(t, s3err.SignatureDoesNotMatch, events[len(events)-1].Code, "the log has the precise code")
		require.NotEmpty(t, events[len(events)-1].Claimed, "and whose signature it was to be")
	}
}

func TestHealthAndAdmin(t *testing.T) {
	ready := errors.New("no quorum")
	h := newHarness(t, func(c *Config) {
		c.Readyz = func() error { return ready }
		c.Admin = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "admin "+r.URL.Path) })
	})
	get := func(path string) reply {
		r, _ := http.NewRequest("GET", h.server.URL+path, nil)
		return h.send(r)
	}
	require.Equal(t, 200, get("/livez").StatusCode)
	require.Equal(t, 503, get("/readyz").StatusCode)
	require.Equal(t, "no quorum\n", get("/readyz").body)
	require.Equal(t, "admin /cairn.admin./v1/status", get("/cairn.admin./v1/status").body)
	require.Equal(t, "InvalidBucketName", h.do("PUT", "/livez", "").code())
	require.Equal(t, "NoSuchBucket", get("/livez/k").code())
}
