package s3api

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

const siteDomain = "website.s3.test"

// newSite starts a node with a public bucket "site" of some documents.
func newSite(t *testing.T) (*world, *person) {
	w := newWorld(t, func(c *Config) { c.WebsiteDomains = []string{siteDomain} })
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	owner := w.account("owner")
	w.ok(owner, "PUT", "/site", "")
	w.ok(owner, "PUT", "/site?policy", statements(`{"Effect":"Allow","Principal":"*","Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::site","arn:aws:s3:::site/*"]}`))
	for key, content := range map[string]string{"index.html": "<h1>home</h1>", "error.html": "<h1>oops</h1>", "docs/index.html": "docs", "livez": "a key"} {
		w.ok(owner, "PUT", "/site/"+key, content, "Content-Type: text/html")
	}
	w.ok(owner, "PUT", "/site/moved", "", "X-Amz-Website-Redirect-Location: /docs/")
	return w, owner
}

func (w *world) visit(method, path string, headers ...string) reply {
	w.t.Helper()
	return w.send(w.request(method, path, "", append(headers, "Host: site."+siteDomain)...))
}

// TestWebsite: documents, folders, errors and redirects of a website.
func TestWebsite(t *testing.T) {
	w, owner := newSite(t)
	r := w.visit("GET", "/")
	require.Equal(t, 404, r.StatusCode)
	require.Contains(t, r.body, "<li>Code: NoSuchWebsiteConfiguration</li>")
	require.Equal(t, "text/html; charset=utf-8", r.Header.Get("Content-Type"))
	w.refused("NoSuchWebsiteConfiguration", owner, "GET", "/site?website", "")

	w.ok(owner, "PUT", "/site?website", websiteText(
		"<RoutingRule><Condition><KeyPrefixEquals>old/</KeyPrefixEquals></Condition><Redirect><ReplaceKeyPrefixWith>docs/</ReplaceKeyPrefixWith></Redirect></RoutingRule>"+
			"<RoutingRule><Condition><KeyPrefixEquals>gone/</KeyPrefixEquals><HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals></Condition>"+
			"<Redirect><Protocol>https</Protocol><HostName>archive.test</HostName><HttpRedirectCode>302</HttpRedirectCode></Redirect></RoutingRule>"+
			"<RoutingRule><Condition><KeyPrefixEquals>one</KeyPrefixEquals></Condition><Redirect><ReplaceKeyWith>docs/</ReplaceKeyWith><HttpRedirectCode>307</HttpRedirectCode></Redirect></RoutingRule>"))
	require.Contains(t, w.ok(owner, "GET", "/site?website", "").body, "<HostName>archive.test</HostName>")
	const host = "http://site." + siteDomain
	for _, c := range []struct {
		path     string
		status   int
		body     string
		location string
	}{
		{"/", 200, "<h1>home</h1>", ""},
		{"/index.html", 200, "<h1>home</h1>", ""},
		{"/docs/", 200, "docs", ""},
		{"/docs/?list-type=2", 200, "docs", ""}, // No request of S3.
		{"/livez", 200, "a key", ""},
		{"/docs", 302, "", "/docs/"},
		{"/moved", 301, "", "/docs/"},
		{"/none", 404, "<h1>oops</h1>", ""},
		{"/none/", 404, "<h1>oops</h1>", ""},
		{"/old/a%20b?q=1", 301, "", host + "/docs/a%20b?q=1"},
		{"/gone/x", 302, "", "https://archive.test/gone/x"},
		{"/one/two", 307, "", host + "/docs/"},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			r := w.visit(method, c.path)
			require.Equal(t, c.status, r.StatusCode, "%s %s: %s", method, c.path, r.body)
			require.Equal(t, c.location, r.Header.Get("Location"), c.path)
			if method == "GET" {
				require.Equal(t, c.body, r.body, c.path)
			}
		}
	}
	require.Equal(t, "NoSuchKey", w.visit("GET", "/none").Header.Get("X-Amz-Error-Code"))
	r = w.visit("GET", "/index.html", "Range: bytes=1-2")
	require.Equal(t, 206, r.StatusCode)
	require.Equal(t, "h1", r.body)
	etag := w.visit("GET", "/").Header.Get("ETag")
	require.Equal(t, 304, w.visit("GET", "/", "If-None-Match: "+etag).StatusCode)
	require.Equal(t, 404, w.visit("GET", "/none", "If-None-Match: "+etag).StatusCode)
	r = w.visit("POST", "/")
	require.Equal(t, 405, r.StatusCode)
	require.Equal(t, "GET, HEAD", r.Header.Get("Allow"))
	r = w.send(w.request("GET", "/", "", "Host: no-such."+siteDomain))
	require.Equal(t, 404, r.StatusCode)
	require.Contains(t, r.body, "<li>Code: NoSuchBucket</li>")

	w.ok(owner, "DELETE", "/site/error.html", "")
	r = w.visit("GET", "/<none>")
	require.Equal(t, 404, r.StatusCode)
	require.Contains(t, r.body, "Key: &lt;none&gt;")

	w.ok(owner, "PUT", "/site?website", "<WebsiteConfiguration><RedirectAllRequestsTo><HostName>www.test</HostName></RedirectAllRequestsTo></WebsiteConfiguration>")
	r = w.visit("GET", "/a/b?c=d")
	require.Equal(t, 301, r.StatusCode)
	require.Equal(t, "http://www.test/a/b?c=d", r.Header.Get("Location"))
	w.ok(owner, "DELETE", "/site?website", "")
	require.Equal(t, 404, w.visit("GET", "/").StatusCode)
}

// TestWebsiteRights: a website shows what strangers may read, and nothing to those who
// sign; it can redirect nobody to another host by a key.
func TestWebsiteRights(t *testing.T) {
	w, owner := newSite(t)
	w.ok(owner, "PUT", "/site?website", websiteText(""))
	w.ok(owner, "DELETE", "/site?policy", "")
	require.Equal(t, 403, w.visit("GET", "/").StatusCode)
	require.Equal(t, 403, w.as(owner, "GET", "/", "", "Host: site."+siteDomain).StatusCode, "a signature counts for nothing")
	w.ok(owner, "PUT", "/site/index.html?acl", "", "X-Amz-Acl: public-read")
	require.Equal(t, 200, w.visit("GET", "/").StatusCode)
	r := w.visit("GET", "/none")
	require.Equal(t, 403, r.StatusCode)
	require.Contains(t, r.body, "AccessDenied")
	w.ok(owner, "PUT", "/site//evil.test/index.html", "x", "X-Amz-Acl: public-read")
	require.Equal(t, "/%2Fevil.test/", w.visit("GET", "//evil.test").Header.Get("Location"))
}

// TestRedirectOfAnObject: where an object sends visitors is told, and never copied.
func TestRedirectOfAnObject(t *testing.T) {
	w, owner := newSite(t)
	at := func(key string) string {
		return w.ok(owner, "HEAD", "/site/"+key, "").Header.Get("X-Amz-Website-Redirect-Location")
	}
	require.Equal(t, "/docs/", at("moved"))
	w.ok(owner, "PUT", "/site/copy", "", "X-Amz-Copy-Source: site/moved")
	require.Empty(t, at("copy"))
	w.ok(owner, "PUT", "/site/copy", "", "X-Amz-Copy-Source: site/moved", "X-Amz-Website-Redirect-Location: https://h/")
	require.Equal(t, "https://h/", at("copy"))
	w.refused("InvalidRedirectLocation", owner, "PUT", "/site/bad", "", "X-Amz-Website-Redirect-Location: ftp://h/")
}
