package s3api

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/policy"
)

// TestBucketPolicies: what is put is given back byte for byte, and what is not
// understood is refused.
func TestBucketPolicies(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.refused("NoSuchBucketPolicy", owner, "GET", "/bkt?policy", "")
	doc := statements(`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"}`) + " \n"
	w.ok(owner, "PUT", "/bkt?policy", doc)
	r := w.ok(owner, "GET", "/bkt?policy", "")
	require.Equal(t, doc, r.body)
	require.Equal(t, "application/json", r.Header.Get("Content-Type"))
	valid := `"Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"`
	for name, bad := range map[string]string{
		"nothing":            "",
		"no statement":       "{}",
		"half":               "{",
		"XML":                "<Policy/>",
		"no principal":       statements(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"}`),
		"another bucket":     statements(`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::other/*"}`),
		"an odd effect":      statements(`{"Effect":"Maybe",` + valid + `}`),
		"an odd condition":   statements(`{"Effect":"Allow",` + valid + `,"Condition":{"Perhaps":{"aws:SourceIp":"192.0.2.1"}}}`),
		"a fact not there":   statements(`{"Effect":"Allow",` + valid + `,"Condition":{"StringEquals":{"s3:mood":"good"}}}`),
		"more than 20 KiB":   statements(`{"Effect":"Allow",`+valid+`}`) + strings.Repeat(" ", policy.MaxBucketPolicyBytes),
		"two in one request": doc + doc,
	} {
		r := w.refused("MalformedPolicy", owner, "PUT", "/bkt?policy", bad)
		require.NotEmpty(t, element(r.body, "Message"), name)
	}
	require.Equal(t, doc, w.ok(owner, "GET", "/bkt?policy", "").body)

	w.ok(owner, "PUT", "/bkt/k", "x")
	w.ok(nil, "GET", "/bkt/k", "")
	require.Equal(t, 204, w.ok(owner, "DELETE", "/bkt?policy", "").StatusCode)
	w.refused("AccessDenied", nil, "GET", "/bkt/k", "")
	w.refused("NoSuchBucketPolicy", owner, "GET", "/bkt?policy", "")
	require.Equal(t, 204, w.ok(owner, "DELETE", "/bkt?policy", "").StatusCode, "once more")

	// An account that locked itself out gets in again, its users do not.
	user := w.user(owner, "user", "readwrite")
	w.ok(owner, "PUT", "/bkt?policy", statements(`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::bkt","arn:aws:s3:::bkt/*"]}`))
	w.refused("AccessDenied", owner, "GET", "/bkt/k", "")
	w.refused("AccessDenied", user, "DELETE", "/bkt?policy", "")
	w.ok(owner, "DELETE", "/bkt?policy", "")
	w.ok(user, "GET", "/bkt/k", "")
}

// TestPolicyAllowsNobodyExcept: an Allow with NotPrincipal would let in strangers.
func TestPolicyAllowsNobodyExcept(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	doc := `{"Version":"2012-10-17","Statement":[{"Effect":"EFFECT","NotPrincipal":{"AWS":"1234"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"}]}`
	w.refused("MalformedPolicy", owner, "PUT", "/bkt?policy", strings.Replace(doc, "EFFECT", "Allow", 1))
	w.ok(owner, "PUT", "/bkt?policy", strings.Replace(doc, "EFFECT", "Deny", 1))
}

// TestPolicyDemandsConditionalWrites: the policy that AWS documents for a bucket in which
// nothing may be overwritten. Whoever makes an object must say that there is none; an
// upload says so when it is completed, not in its parts.
func TestPolicyDemandsConditionalWrites(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt?policy", statements(
		`{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::bkt/*",`+
			`"Condition":{"Null":{"s3:if-none-match":"true"},"Bool":{"s3:ObjectCreationOperation":"true"}}}`))
	w.refused("AccessDenied", owner, "PUT", "/bkt/k", "x")
	w.ok(owner, "PUT", "/bkt/k", "x", "If-None-Match: *")
	w.refused("PreconditionFailed", owner, "PUT", "/bkt/k", "y", "If-None-Match: *")

	upload := "uploadId=" + element(w.ok(owner, "POST", "/bkt/large?uploads", "").body, "UploadId")
	part := w.ok(owner, "PUT", "/bkt/large?partNumber=1&"+upload, "one")
	w.ok(owner, "PUT", "/bkt/large?partNumber=2&"+upload, "", "X-Amz-Copy-Source: bkt/k")
	list := "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" + part.Header.Get("ETag") +
		"</ETag></Part></CompleteMultipartUpload>"
	w.refused("AccessDenied", owner, "POST", "/bkt/large?"+upload, list)
	w.ok(owner, "POST", "/bkt/large?"+upload, list, "If-None-Match: *")
	require.Equal(t, "one", w.ok(owner, "GET", "/bkt/large", "").body)
}
