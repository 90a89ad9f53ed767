package s3api

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/iam"
)

const corsText = "<CORSConfiguration>" +
	"<CORSRule><ID>apps</ID><AllowedOrigin>https://*.example.com</AllowedOrigin><AllowedOrigin>http://exact.test</AllowedOrigin>" +
	"<AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod><AllowedHeader>x-amz-*</AllowedHeader><AllowedHeader>Content-Type</AllowedHeader>" +
	"<ExposeHeader>ETag</ExposeHeader><ExposeHeader>x-amz-version-id</ExposeHeader><MaxAgeSeconds>3000</MaxAgeSeconds></CORSRule>" +
	"<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>HEAD</AllowedMethod></CORSRule></CORSConfiguration>"

// TestPreflight: what a browser that asks is answered, unsigned.
func TestPreflight(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/none", "")
	w.ok(owner, "PUT", "/bkt?cors", corsText, "Content-MD5: "+md5Of(corsText))
	for _, c := range []struct {
		path, origin, method, headers string
		status                        int
		want                          string // Allowed origin, or a piece of the error.
	}{
		{"/bkt/k", "https://a.example.com", "GET", "", 200, "https://a.example.com"},
		{"/bkt", "https://a.example.com", "PUT", "", 200, "https://a.example.com"},
		{"/bkt/k?partNumber=1&uploadId=x", "http://exact.test", "PUT", "X-Amz-Date, content-type", 200, "http://exact.test"},
		{"/bkt/k", "https://anything", "HEAD", "", 200, "*"},
		{"/bkt/k", "https://anything", "HEAD", "x-amz-date", 403, "This CORS request is not allowed"},
		{"/bkt/k", "https://example.com", "GET", "", 403, "AccessForbidden"},
		{"/bkt/k", "http://a.example.com", "GET", "", 403, "<ResourceType>OBJECT</ResourceType>"},
		{"/bkt", "https://a.example.com", "DELETE", "", 403, "<Method>DELETE</Method>"},
		{"/bkt/k", "https://a.example.com", "PUT", "authorization", 403, "AccessForbidden"},
		{"/none/k", "https://a.example.com", "GET", "", 403, "CORS is not enabled for this bucket."},
		{"/", "https://a.example.com", "GET", "", 403, "CORS is not enabled"},
		{"/missing/k", "https://a.example.com", "GET", "", 404, "NoSuchBucket"},
		{"/bkt/k", "", "GET", "", 400, "Origin request header needed."},
		{"/bkt/k", "https://a.example.com", "", "", 400, "Invalid Access-Control-Request-Method: null"},
	} {
		var headers []string
		for name, value := range map[string]string{"Origin": c.origin, "Access-Control-Request-Method": c.method, "Access-Control-Request-Headers": c.headers} {
			if value != "" {
				headers = append(headers, name+": "+value)
			}
		}
		r := w.as(nil, "OPTIONS", c.path, "", headers...)
		require.Equal(t, c.status, r.StatusCode, "%+v: %s", c, r.body)
		if c.status != 200 {
			require.Contains(t, r.body, c.want)
			require.Empty(t, r.Header.Get("Access-Control-Allow-Origin"))
			continue
		}
		require.Equal(t, c.want, r.Header.Get("Access-Control-Allow-Origin"))
		require.Equal(t, strings.ToLower(c.headers), r.Header.Get("Access-Control-Allow-Headers"))
		require.Contains(t, r.Header.Get("Vary"), "Origin")
		require.Equal(t, c.want != "*", r.Header.Get("Access-Control-Allow-Credentials") == "true")
		if c.want != "*" {
			require.Equal(t, "GET, PUT", r.Header.Get("Access-Control-Allow-Methods"))
			require.Equal(t, "ETag, x-amz-version-id", r.Header.Get("Access-Control-Expose-Headers"))
			require.Equal(t, "3000", r.Header.Get("Access-Control-Max-Age"))
		}
	}
}

// TestCrossOrigin: what goes with answers and errors to pages of other origins, by path
// and virtual host.
func TestCrossOrigin(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt/k", "x")
	w.ok(owner, "PUT", "/bkt?cors", corsText, "Content-MD5: "+md5Of(corsText))
	allowed := func(r reply) string { return r.Header.Get("Access-Control-Allow-Origin") }
	const origin = "Origin: https://a.example.com"

	r := w.ok(owner, "GET", "/bkt/k", "", origin)
	require.Equal(t, "https://a.example.com", allowed(r))
	require.Equal(t, "ETag, x-amz-version-id", r.Header.Get("Access-Control-Expose-Headers"))
	require.Equal(t, corsVary, r.Header.Get("Vary"))
	for _, refused := range []reply{
		w.refused("NoSuchKey", owner, "GET", "/bkt/none", "", origin),
		w.refused("AccessDenied", nil, "GET", "/bkt/k", "", origin),
		w.refused("NotImplemented", owner, "GET", "/bkt/k?torrent", "", origin),
		w.as(&person{accessKey: owner.accessKey, secret: "wrong"}, "GET", "/bkt/k", "", origin),
	} {
		require.Equal(t, "https://a.example.com", allowed(refused), refused.body)
	}
	require.Equal(t, "https://a.example.com", allowed(w.as(nil, "GET", "/k", "", "Host: bkt."+worldDomain, origin)))
	require.Empty(t, allowed(w.ok(owner, "GET", "/bkt/k", "", "Origin: https://elsewhere")))
	require.Empty(t, allowed(w.ok(owner, "DELETE", "/bkt/other", "", origin)))
	require.Equal(t, "*", allowed(w.ok(owner, "HEAD", "/bkt/k", "", "Origin: https://elsewhere")))
	r = w.ok(owner, "GET", "/bkt/k", "")
	require.Empty(t, allowed(r))
	require.Equal(t, corsVary, r.Header.Get("Vary"), "caches must know that the origin counts")

	w.ok(owner, "DELETE", "/bkt?cors", "")
	r = w.ok(owner, "GET", "/bkt/k", "", origin)
	require.Empty(t, allowed(r))
	require.Empty(t, r.Header.Get("Vary"))
	w.refused("NoSuchCORSConfiguration", owner, "GET", "/bkt?cors", "")
}

// counted counts what is asked of the metadata.
type counted struct {
	meta.Client
	reads atomic.Int64
}

// Read implements meta.Client.
func (c *counted) Read(ctx context.Context, q *metapb.Query) (*metapb.Answer, error) {
	c.reads.Add(1)
	return c.Client.Read(ctx, q)
}

// TestCORSAsksNothing: an Origin header costs no question to the metadata.
func TestCORSAsksNothing(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	c := &counted{Client: w.meta}
	h := New(Config{Objects: w.objects, Caller: worldCaller, Verifier: w.verifier,
		Access: &Access{Buckets: w.dir.Buckets(c), Authorizer: iam.NewAuthorizer(w.dir)}}).(*server)
	asked := func(headers ...string) int64 {
		before := c.reads.Load()
		for _, path := range []string{"/bkt/none", "/missing/none"} {
			r := w.request("GET", path, "", headers...)
			r.RequestURI = path
			r.URL.Path, r.URL.Opaque = path, ""
			h.ServeHTTP(unread{http.Header{}}, r)
		}
		return c.reads.Load() - before
	}
	asked() // What is remembered from now on.
	require.Equal(t, asked(), asked("Origin: https://a.example.com"))
}

// unread is a writer of an answer that nobody reads.
type unread struct{ header http.Header }

func (d unread) Header() http.Header         { return d.header }
func (d unread) Write(p []byte) (int, error) { return len(p), nil }
func (d unread) WriteHeader(int)             {}

// TestCrossOriginAsked: a request that says, as a preflight one does, what a page asks
// for is told by the rule for that.
func TestCrossOriginAsked(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt/k", "x")
	doc := "<CORSConfiguration><CORSRule><AllowedOrigin>http://a.example</AllowedOrigin><AllowedMethod>PUT</AllowedMethod><AllowedHeader>*</AllowedHeader></CORSRule>" +
		"<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>"
	w.ok(owner, "PUT", "/bkt?cors", doc, "Content-MD5: "+md5Of(doc))
	plain := w.ok(owner, "GET", "/bkt/k", "", "Origin: http://a.example").Header
	require.Equal(t, "*", plain.Get("Access-Control-Allow-Origin"))
	asked := w.ok(owner, "GET", "/bkt/k", "", "Origin: http://a.example", "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: x-any").Header
	require.Equal(t, "http://a.example", asked.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "true", asked.Get("Access-Control-Allow-Credentials"))
}
