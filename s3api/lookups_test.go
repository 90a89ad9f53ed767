package s3api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lookups returns how often a bucket was looked up so far: in the cache, and by asking the
// metadata past it.
func (w *world) lookups() int {
	s := w.access.Buckets.Stats()
	return int(s.Hits) + int(w.meta.bucketReads.Load())
}

// TestOneLookUpOfABucket: a request looks up each bucket that it names once at most, and
// decides by that alone. Every operation, by the owner and by a stranger; with what a
// browser sends, with what a client says of owners, over TLS or not, small or large.
func TestOneLookUpOfABucket(t *testing.T) {
	w := newLogged(t)
	ended := make(chan struct{}, 1000)
	serve := w.server.Config.Handler
	w.server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		defer func() { ended <- struct{}{} }()
		serve.ServeHTTP(rw, r)
	})
	owner, other := w.account("owner"), w.account("other")
	w.ok(owner, "PUT", "/logs", "", "X-Amz-Acl: log-delivery-write")
	w.ok(owner, "PUT", "/source", "")
	w.ok(owner, "PUT", "/source/k", "of the source")
	large := strings.Repeat("x", 2<<20)
	rows := append([]rightsRow{
		{operation: "PutObject", request: "PUT /{b}/large", body: large},
		{operation: "PutObject", request: "PUT /{b}/acl", body: "x", headers: []string{"X-Amz-Acl: bucket-owner-full-control"}},
		{operation: "PutObject", request: "PUT /{b}/kms", body: "x", headers: []string{"X-Amz-Server-Side-Encryption: aws:kms"}},
		{operation: "CopyObject", request: "PUT /{b}/copy", headers: []string{"X-Amz-Copy-Source: source/k"}},
		{operation: "CopyObject", request: "PUT /{b}/copy", headers: []string{"X-Amz-Copy-Source: source/k",
			"X-Amz-Tagging: a=b", "X-Amz-Tagging-Directive: REPLACE", "X-Amz-Source-Expected-Bucket-Owner: " + owner.account}},
		{operation: "UploadPartCopy", request: "PUT /{b}/k?partNumber=2&uploadId={u}", headers: []string{"X-Amz-Copy-Source: source/k"}},
		{operation: "UploadPart", request: "PUT /{b}/k?partNumber=3&uploadId=none", body: "x"},
		{operation: "DeleteObject", request: "DELETE /{b}/k?versionId={v}", headers: []string{"X-Amz-Bypass-Governance-Retention: true"}},
		{operation: "DeleteObjects", request: "POST /{b}?delete", headers: []string{"Content-MD5: " + md5Of(deleteManyText)}, body: deleteManyText},
		{operation: "ListObjects", request: "GET /{b}?max-keys=0"},
		{operation: "ListObjectsV2", request: "GET /{b}?list-type=2&max-keys=0"},
		{operation: "PutBucketLogging", request: "PUT /{b}?logging", body: loggingText("logs", "")},
	}, rightsTable...)
	n := 0
	for _, row := range rows {
		for _, who := range []*person{owner, other, nil} {
			n++
			b := fmt.Sprintf("bucket-%d", n)
			fill := w.furnish(owner, other, b, []string{"", "shared", "public"}[n%3])
			w.ok(owner, "PUT", "/"+b+"?cors", corsText, "Content-MD5: "+md5Of(corsText))
			w.ok(owner, "PUT", "/"+b+"?logging", loggingText("logs", ""))
			method, path, _ := strings.Cut(fill.Replace(row.request), " ")
			headers := []string{"Origin: https://example.com", "X-Amz-Expected-Bucket-Owner: " + owner.account}
			if method == "HEAD" || method == "GET" {
				headers = headers[:n%2]
			}
			named := 1
			for _, h := range row.headers {
				if strings.HasPrefix(h, "X-Amz-Copy-Source: source/") {
					named = 2
				}
				headers = append(headers, fill.Replace(h))
			}
			if strings.Contains(row.body, "<TargetBucket>") {
				named = 2
			}
			for len(ended) > 0 {
				<-ended
			}
			w.take(0)
			before := w.lookups()
			r := w.as(who, method, path, fill.Replace(row.body), headers...)
			require.NotEqual(t, 500, r.StatusCode, r.body)
			<-ended // What is logged is logged after the answer.
			assert.LessOrEqual(t, w.lookups()-before, named, "%s %s: %d %s", row.operation, row.request, r.StatusCode, r.code())
		}
	}
}

const deleteManyText = "<Delete><Object><Key>k</Key></Object><Object><Key>l</Key></Object><Object><Key>m</Key></Object></Delete>"
