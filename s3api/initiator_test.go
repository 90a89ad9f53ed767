package s3api

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/profile"
)

// TestInitiator: an upload is its initiator's, which is a user; a session of a user is
// the user. The bucket's account may end it.
func TestInitiator(t *testing.T) {
	w := newWorld(t)
	owner, other := w.account("owner"), w.account("other")
	ann, bob := w.user(owner, "ann", "readwrite"), w.user(owner, "bob", "readwrite")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt/source", "x")
	w.ok(owner, "PUT", "/bkt?policy", statements(`{"Effect":"Allow","Principal":{"AWS":"`+other.account+`"},"Action":"s3:*","Resource":["arn:aws:s3:::bkt","arn:aws:s3:::bkt/*"]}`))
	begin := func(who *person) string {
		return "uploadId=" + element(w.ok(who, "POST", "/bkt/k?uploads", "").body, "UploadId")
	}
	complete := func(etag string) string {
		return "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" + etag + "</ETag></Part></CompleteMultipartUpload>"
	}
	u := begin(ann)
	etag := w.ok(ann, "PUT", "/bkt/k?partNumber=1&"+u, "x").Header.Get("ETag")
	w.ok(w.session(ann), "PUT", "/bkt/k?partNumber=2&"+u, "x")
	w.ok(w.session(ann), "PUT", "/bkt/k?partNumber=3&"+u, "", "X-Amz-Copy-Source: bkt/source")
	for _, who := range []*person{owner, bob, w.session(bob), other, w.root} {
		w.refused("AccessDenied", who, "PUT", "/bkt/k?partNumber=1&"+u, "y")
		w.refused("AccessDenied", who, "PUT", "/bkt/k?partNumber=1&"+u, "", "X-Amz-Copy-Source: bkt/source")
		w.refused("AccessDenied", who, "POST", "/bkt/k?"+u, complete(etag))
		w.ok(who, "GET", "/bkt/k?"+u, "") // To look is another right.
	}
	w.refused("AccessDenied", other, "DELETE", "/bkt/k?"+u, "")
	w.ok(w.session(ann), "POST", "/bkt/k?"+u, complete(etag))
	require.Equal(t, "x", w.ok(owner, "GET", "/bkt/k", "").body)

	w.ok(bob, "DELETE", "/bkt/k?"+begin(ann), "") // Of the bucket's account, and allowed to.
	u = begin(other)
	w.ok(other, "DELETE", "/bkt/k?"+u, "")
	w.refused("NoSuchUpload", other, "DELETE", "/bkt/k?"+u, "")

	// Who completes does not become the owner: the initiator's account is.
	u = begin(other)
	etag = w.ok(other, "PUT", "/bkt/k?partNumber=1&"+u, "z").Header.Get("ETag")
	w.ok(other, "POST", "/bkt/k?"+u, complete(etag))
	w.refused("AccessDenied", owner, "GET", "/bkt/k", "")
}

// TestExpectedOwner: a client that believes a bucket to be another's is told no.
func TestExpectedOwner(t *testing.T) {
	w := newWorld(t)
	owner, other := w.account("owner"), w.account("other")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt/k", "x")
	is, isNot := "X-Amz-Expected-Bucket-Owner: "+owner.account, "X-Amz-Expected-Bucket-Owner: "+other.account
	source, notSource := "X-Amz-Source-Expected-Bucket-Owner: "+owner.account, "X-Amz-Source-Expected-Bucket-Owner: "+other.account
	w.ok(owner, "GET", "/bkt/k", "", is)
	w.ok(owner, "PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/k", is, source)
	for _, line := range []string{"GET /bkt", "GET /bkt/k", "PUT /bkt/k", "DELETE /bkt/k", "GET /bkt?policy", "POST /bkt/k?uploads", "DELETE /bkt"} {
		method, path := cut(line)
		w.refused("AccessDenied", owner, method, path, "", isNot)
	}
	w.refused("AccessDenied", owner, "PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/k", notSource)
	w.refused("AccessDenied", owner, "PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/k", source, isNot)
	w.refused("NoSuchBucket", owner, "GET", "/none", "", is)
	w.ok(owner, "GET", "/bkt/k", "")
}

// TestRequesterPays: others must say that they know, and are told that they pay.
func TestRequesterPays(t *testing.T) {
	w := newWorld(t, withProfile(t, profile.AWS, map[string]string{"new-bucket-ownership": "ObjectWriter", "new-bucket-block-public": "off"}))
	owner, other := w.account("owner"), w.account("other")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt/k", "x", "X-Amz-Acl: public-read")
	w.ok(owner, "PUT", "/bkt?acl", "", "X-Amz-Acl: public-read-write")
	require.Contains(t, w.ok(owner, "GET", "/bkt?requestPayment", "").body, "<Payer>BucketOwner</Payer>")
	w.ok(owner, "PUT", "/bkt?requestPayment", "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>")
	require.Contains(t, w.ok(owner, "GET", "/bkt?requestPayment", "").body, "<Payer>Requester</Payer>")
	w.refused("MalformedXML", owner, "PUT", "/bkt?requestPayment", "<RequestPaymentConfiguration><Payer>Me</Payer></RequestPaymentConfiguration>")

	const pays = "X-Amz-Request-Payer: requester"
	for _, line := range []string{"GET /bkt/k", "GET /bkt", "PUT /bkt/new", "DELETE /bkt/new"} {
		method, path := cut(line)
		w.refused("AccessDenied", other, method, path, "")
		w.refused("AccessDenied", other, method, path, "", "X-Amz-Request-Payer: owner")
		w.refused("AccessDenied", nil, method, path, "", pays)
		require.Equal(t, "requester", w.ok(other, method, path, "", pays).Header.Get("X-Amz-Request-Charged"), line)
		require.Empty(t, w.ok(owner, method, path, "", pays).Header.Get("X-Amz-Request-Charged"), line)
	}
	w.ok(other, "PUT", "/bucket-of-other", "")
	w.refused("AccessDenied", other, "PUT", "/bucket-of-other/k", "", "X-Amz-Copy-Source: bkt/k")
	r := w.ok(other, "PUT", "/bucket-of-other/k", "", "X-Amz-Copy-Source: bkt/k", pays)
	require.Equal(t, "requester", r.Header.Get("X-Amz-Request-Charged"))
	w.ok(owner, "PUT", "/bkt?requestPayment", "<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>")
	w.ok(other, "GET", "/bkt/k", "")
}
