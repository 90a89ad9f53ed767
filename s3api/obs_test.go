package s3api

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOBS: a client that signs and writes as OBS has it is answered so, and finds what
// one of S3 wrote.
func TestOBS(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	id := w.masterKey(owner, "mine")
	obs := func(line, body string, headers ...string) reply {
		t.Helper()
		method, path := cut(line)
		r := w.asOBS(owner, method, path, body, headers...)
		require.Less(t, r.StatusCode, 300, r.body)
		require.Regexp(t, "^[0-9a-f]{32}$", r.Header.Get("x-obs-request-id"))
		require.Equal(t, "node-1", r.Header.Get("x-obs-id-2"))
		for name := range r.Header {
			require.False(t, strings.HasPrefix(name, "X-Amz-"), name)
		}
		return r
	}
	obs("PUT /bkt", "", "x-obs-acl: public-read")
	require.Contains(t, w.ok(owner, "GET", "/bkt?acl", "").body, "AllUsers")
	obs("PUT /bkt?versioning", versioningDocument("Enabled"))
	r := obs("PUT /bkt/k", "hello", "x-obs-acl: public-read", "x-obs-meta-color: blue", "x-obs-server-side-encryption: kms", "x-obs-server-side-encryption-kms-key-id: "+id)
	version := r.Header.Get("x-obs-version-id")
	require.NotEmpty(t, version)
	require.Equal(t, "kms", r.Header.Get("x-obs-server-side-encryption"))
	require.Equal(t, "name-of-"+id, r.Header.Get("x-obs-server-side-encryption-kms-key-id"))
	r = obs("GET /bkt/k?versionId="+version, "")
	require.Equal(t, "hello", r.body)
	require.Equal(t, "blue", r.Header.Get("x-obs-meta-color"))
	require.Equal(t, "kms", r.Header.Get("x-obs-server-side-encryption"))

	r = w.ok(owner, "HEAD", "/bkt/k", "")
	require.Equal(t, "blue", r.Header.Get("X-Amz-Meta-Color"))
	require.Equal(t, "aws:kms name-of-"+id, modeOf(r))
	require.Equal(t, version, versionOf(r))

	r = obs("PUT /bkt/copy", "", "x-obs-copy-source: /bkt/k?versionId="+version, "x-obs-storage-class: COLD")
	require.Equal(t, version, r.Header.Get("x-obs-copy-source-version-id"))
	require.Equal(t, "COLD", obs("HEAD /bkt/copy", "").Header.Get("x-obs-storage-class"))
	require.Equal(t, "GLACIER", w.ok(owner, "HEAD", "/bkt/copy", "").Header.Get("X-Amz-Storage-Class"))

	u := element(obs("POST /bkt/m?uploads", "").body, "UploadId")
	r = obs("PUT /bkt/m?partNumber=1&uploadId="+u, "", "x-obs-copy-source: /bkt/k", "x-obs-copy-source-range: bytes=1-2")
	require.Equal(t, version, r.Header.Get("x-obs-copy-source-version-id"))
	require.NotEmpty(t, element(r.body, "ETag"))
	r = obs("DELETE /bkt/k", "")
	require.Equal(t, "true", r.Header.Get("x-obs-delete-marker"))

	// Conditions of policies have the names of S3.
	user := w.user(owner, "user", statements(`{"Effect":"Allow","Action":["s3:PutObject","s3:PutObjectAcl"],"Resource":"*",`+
		`"Condition":{"StringEquals":{"s3:x-amz-acl":"public-read","s3:signatureversion":"AWS"}}}`))
	require.Equal(t, 200, w.asOBS(user, "PUT", "/bkt/u", "x", "x-obs-acl: public-read").StatusCode)
	require.Equal(t, "AccessDenied", w.asOBS(user, "PUT", "/bkt/u", "x", "x-obs-acl: private").code())
	require.Equal(t, "AccessDenied", w.asOBS(user, "PUT", "/bkt/u", "x").code())

	// An error too is told in the client's words.
	r = w.asOBS(owner, "GET", "/bkt/none", "")
	require.Equal(t, "NoSuchKey", r.code())
	require.Equal(t, element(r.body, "RequestId"), r.Header.Get("x-obs-request-id"))
	require.Empty(t, r.Header.Get("X-Amz-Request-Id"))
}

// TestNothingIsSmuggled: what is not signed has no say, under whichever name it comes.
func TestNothingIsSmuggled(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt/k", "x")
	private := func() {
		t.Helper()
		require.Equal(t, []string{owner.account + " FULL_CONTROL"}, grantsOf(w.ok(owner, "GET", "/bkt/k?acl", "").body))
		require.Equal(t, "x", w.ok(owner, "GET", "/bkt/k", "").body)
	}
	// Headers of the other dialect are signed by neither signature of OBS or V2.
	for _, header := range []string{"X-Amz-Acl: public-read", "x-amz-copy-source: bkt/other", "X-Amz-Meta-A: b"} {
		r := w.asOBS(owner, "PUT", "/bkt/k", "y", header)
		require.Equal(t, 403, r.StatusCode, r.body)
	}
	// One word twice.
	r := w.asOBS(owner, "PUT", "/bkt/k", "y", "x-obs-acl: private", "X-Amz-Acl: public-read")
	require.Contains(t, []int{400, 403}, r.StatusCode)
	private()

	// A header that is added behind the signer's back, as a proxy could.
	for _, header := range []string{"X-Amz-Acl", "X-Obs-Acl"} {
		signed := w.signed(owner, "PUT", "/bkt/k", "y")
		signed.Header.Set(header, "public-read")
		require.Equal(t, 403, w.send(signed).StatusCode)
	}
	signed := w.signed(owner, "PUT", "/bkt/k", "y", "X-Amz-Acl: private")
	signed.Header.Add("X-Amz-Acl", "public-read")
	require.Equal(t, 403, w.send(signed).StatusCode)
	private()

	// The bucket of a virtual host is signed: another host's signature is none.
	w.ok(owner, "PUT", "/other", "")
	w.ok(owner, "GET", "/k", "", "Host: bkt."+worldDomain)
	signed = w.signed(owner, "PUT", "/k", "y", "Host: other."+worldDomain)
	signed.Host = "bkt." + worldDomain
	signed.URL.Opaque = "//" + signed.Host + "/k"
	require.Equal(t, 403, w.send(signed).StatusCode)
	private()
}

// TestSTSHasTheRootAlone: the STS API is at the root of the endpoint, not at that of a
// bucket, and takes no request that was signed for S3.
func TestSTSHasTheRootAlone(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	const form, body = "Content-Type: application/x-www-form-urlencoded", "Action=GetCallerIdentity&Version=2011-06-15"
	r := w.as(owner, "POST", "/", body, form)
	require.Contains(t, r.body, "sts.amazonaws.com", "STS answers")
	require.NotEqual(t, 200, r.StatusCode, "signed for S3")
	r = w.as(nil, "POST", "/", body, form)
	require.Equal(t, 403, r.StatusCode)
	for _, request := range []struct{ method, path, host string }{
		{"POST", "/", "bkt." + worldDomain}, {"POST", "/bkt", ""}, {"POST", "/bkt/", ""}, {"POST", "/bkt/k", ""},
		{"GET", "/?Action=GetCallerIdentity&Version=2011-06-15", "bkt." + worldDomain},
	} {
		headers := []string{form}
		if request.host != "" {
			headers = append(headers, "Host: "+request.host)
		}
		r := w.as(nil, request.method, request.path, "", headers...)
		require.NotContains(t, r.body, "sts.amazonaws.com", request)
		require.GreaterOrEqual(t, r.StatusCode, 400, request)
	}
}

// TestAdminIsNoBucket: under the admin API's path there is nothing of S3, under a
// virtual host nothing of the admin API.
func TestAdminIsNoBucket(t *testing.T) {
	var admin atomic.Int32
	w := newWorld(t, func(c *Config) {
		c.Admin = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { admin.Add(1) })
	})
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.as(nil, "POST", "/cairn.admin./x", "")
	require.EqualValues(t, 1, admin.Load())
	for _, line := range []string{"PUT /cairn.admin.", "GET /cairn.admin.", "GET //cairn.admin./x", "GET /bkt/cairn.admin./x"} {
		method, path := cut(line)
		r := w.as(owner, method, path, "")
		require.GreaterOrEqual(t, r.StatusCode, 400, line)
	}
	w.as(owner, "PUT", "/cairn.admin./x", "y", "Host: bkt."+worldDomain)
	require.EqualValues(t, 1, admin.Load())
	require.Equal(t, "y", w.ok(owner, "GET", "/bkt/cairn.admin./x", "").body)
}
