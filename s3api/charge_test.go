package s3api

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/limit"
)

// limitedHarness is a harness whose limits a test sets.
func limitedHarness(t *testing.T) (*harness, *limit.Limiter) {
	l := limit.New()
	return newHarness(t, func(c *Config) { c.Limiter = l }), l
}

var one = limit.Subject{Account: testAccount}

// TestLimitRefuses: beyond its limit, an account is told to slow down and when to come again, before
// its body is read. Requests of other classes and accounts go on.
func TestLimitRefuses(t *testing.T) {
	h, l := limitedHarness(t)
	l.Set(map[limit.Subject]limit.Values{one: {limit.Writes: 1}})
	h.ok(h.owner, "PUT", "/bkt/a", "a")
	got := h.refused("SlowDown", h.owner, "PUT", "/bkt/b", "b")
	require.Equal(t, http.StatusServiceUnavailable, got.StatusCode)
	require.NotEmpty(t, got.Header.Get("Retry-After"))
	require.Equal(t, "writes of account", element(got.body, "Limit"))
	require.False(t, h.has("bkt", "b"))
	body := strings.Repeat("x", 1000)
	req := h.signed(h.owner, "PUT", "/bkt/b", body, "Expect: 100-continue", "Content-Length: 1000")
	_, in := h.dial(raw(t, req))
	resp, err := http.ReadResponse(in, req)
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode, "and not 100")
	h.ok(h.owner, "GET", "/bkt/a", "")
	other := h.account("two")
	h.ok(other, "PUT", "/two", "")
	l.Set(nil)
	h.ok(h.owner, "PUT", "/bkt/b", "b")
	for _, d := range h.events() {
		require.Equal(t, d.Code == "SlowDown", d.Limit != nil)
	}
}

// TestLimitClasses: each operation counts in one class.
func TestLimitClasses(t *testing.T) {
	for i := range operations {
		op := &operations[i]
		switch class := op.class(); {
		case strings.HasPrefix(op.name, "List"):
			require.Equal(t, limit.List, class, op.name)
		case op.method == http.MethodDelete, op.name == "DeleteObjects":
			require.Equal(t, limit.Delete, class, op.name)
		case op.method == http.MethodGet, op.method == http.MethodHead:
			require.Equal(t, limit.Read, class, op.name)
		default:
			require.Equal(t, limit.Write, class, op.name)
		}
	}
}

// TestLimitOBS: clients of OBS are told 429.
func TestLimitOBS(t *testing.T) {
	h, l := limitedHarness(t)
	h.put("k", "body")
	l.Set(map[limit.Subject]limit.Values{{Account: testAccount, Bucket: "bkt"}: {limit.Reads: 1}})
	require.Equal(t, http.StatusOK, h.asOBS(h.owner, "GET", "/bkt/k", "").StatusCode)
	got := h.asOBS(h.owner, "GET", "/bkt/k", "")
	require.Equal(t, http.StatusTooManyRequests, got.StatusCode)
	require.Equal(t, "TooManyRequests", got.code())
	require.NotEmpty(t, got.Header.Get("Retry-After"))
}

// TestLimitWho: a request counts for whom its signature proves, sessions for the key that made them,
// strangers for the owner of the bucket, forms for who signed them. A wrong signature counts for
// nobody.
func TestLimitWho(t *testing.T) {
	h, l := limitedHarness(t)
	h.put("k", "body")
	alice := h.user(h.owner, "alice", "readwrite")
	once := func(of limit.Subject, m limit.Measure) {
		t.Helper()
		l.Set(nil)
		var values limit.Values
		values[m] = 1
		l.Set(map[limit.Subject]limit.Values{of: values})
	}
	once(limit.Subject{Account: testAccount, User: "alice"}, limit.Requests)
	h.ok(alice, "GET", "/bkt/k", "")
	h.refused("SlowDown", alice, "GET", "/bkt/k", "")
	h.ok(h.owner, "GET", "/bkt/k", "")

	once(limit.Subject{Account: testAccount, AccessKey: testAccessKey}, limit.Requests)
	h.ok(h.session(h.owner), "GET", "/bkt/k", "")
	h.refused("SlowDown", h.owner, "GET", "/bkt/k", "")

	once(one, limit.Requests)
	for range 5 {
		forger := &person{accessKey: testAccessKey, secret: "not the secret of test", account: testAccount}
		h.refused("AccessDenied", forger, "GET", "/bkt/k", "")
	}
	h.ok(h.owner, "GET", "/bkt/k", "")

	once(one, limit.Requests)
	stranger := func() reply { return h.send(h.world.request("GET", "/bkt/k", "")) }
	require.Equal(t, "AccessDenied", stranger().code())
	require.Equal(t, "SlowDown", stranger().code())

	once(one, limit.Writes)
	signed := h.owner.signV4(`{"bucket":"bkt"}`, `["starts-with","$key",""]`)
	form := posting{fields: append([]string{"key=posted"}, signed...), fileName: "f", file: "posted"}
	require.Equal(t, http.StatusNoContent, h.post("/bkt", form).StatusCode)
	require.Equal(t, "SlowDown", h.post("/bkt", form).code())
}

// TestLimitBytes: bytes wait for their time and are not refused; what a copy refers to is no byte.
func TestLimitBytes(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		l := limit.New()
		h := newTLSHarness(t, http2, func(c *Config) { c.Limiter = l })
		l.Set(map[limit.Subject]limit.Values{one: {limit.BytesIn: 1 << 20, limit.BytesOut: 1 << 20}})
		body := strings.Repeat("b", 5<<18) // More than the burst.
		start := time.Now()
		h.put("k", body)
		require.Equal(t, body, h.ok(h.owner, "GET", "/bkt/k", "").body)
		require.Greater(t, time.Since(start), 300*time.Millisecond, "each had to wait for a quarter of a second")
		h.forget()
		h.ok(h.owner, "PUT", "/bkt/copy", "", "X-Amz-Copy-Source: /bkt/k")
		require.Zero(t, h.ended("CopyObject").BytesIn)
	}
}

// TestLimitConcurrent: a request that ends makes room for the next, however it ends.
func TestLimitConcurrent(t *testing.T) {
	h, l := limitedHarness(t)
	l.Set(map[limit.Subject]limit.Values{one: {limit.Concurrent: 1}})
	body, send := io.Pipe()
	r := h.signed(h.owner, "PUT", "/bkt/slow", "", "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD")
	r.Body, r.ContentLength = body, 4
	done := make(chan reply)
	go func() { done <- h.send(r) }()
	_, err := send.Write([]byte("ab")) // The server reads: the request is under way.
	require.NoError(t, err)
	require.Eventually(t, func() bool { return h.as(h.owner, "GET", "/bkt/none", "").code() == "SlowDown" },
		2*time.Minute, time.Millisecond)
	_, err = send.Write([]byte("cd"))
	require.NoError(t, err)
	require.NoError(t, send.Close())
	require.Equal(t, http.StatusOK, (<-done).StatusCode)
	require.Eventually(t, func() bool { return h.as(h.owner, "GET", "/bkt/slow", "").StatusCode == http.StatusOK },
		2*time.Minute, time.Millisecond)
}
