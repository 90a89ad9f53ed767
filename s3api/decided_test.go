package s3api

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
)

// A node may know a bucket as it was a second ago. What it lets a caller do by that
// must not reach a bucket of the same name that another account has made since.
func TestBucketOfAnotherMeanwhile(t *testing.T) {
	w := newWorld(t)
	alice, mallory := w.account("alice"), w.account("mallory")
	w.ok(alice, "PUT", "/source", "")
	w.ok(alice, "PUT", "/source/k", "of alice")
	for i, row := range []struct {
		method, path, body string
		headers            []string
	}{
		{"GET", "/k", "", nil},
		{"GET", "/none", "", nil},
		{"GET", "/k?acl", "", nil},
		{"GET", "/k?tagging", "", nil},
		{"GET", "", "", nil},
		{"GET", "?list-type=2", "", nil},
		{"GET", "?versions", "", nil},
		{"GET", "?uploads", "", nil},
		{"PUT", "/k", "of alice", nil},
		{"PUT", "/k", "", []string{"X-Amz-Copy-Source: source/k"}},
		{"POST", "/k?uploads", "", nil},
		{"DELETE", "/k", "", nil},
		{"PUT", "?versioning", versioningDocument("Enabled"), nil},
		{"PUT", "?policy", statements(`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::BUCKET/*"}`), nil},
		{"DELETE", "", "", nil},
	} {
		bucket := fmt.Sprintf("bucket-%d", i)
		w.ok(alice, "PUT", "/"+bucket, "")
		w.ok(alice, "PUT", "/"+bucket+"/k", "of alice")
		w.ok(alice, "DELETE", "/"+bucket+"/k", "")
		w.remake(bucket, mallory)
		body := row.body
		if row.path == "?policy" {
			body = statements(`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + bucket + `/*"}`)
		}
		code := w.as(alice, row.method, "/"+bucket+row.path, body, row.headers...).code()
		require.Contains(t, []string{"NoSuchBucket", "AccessDenied"}, code, "%s %s", row.method, row.path) // Denied: it has learnt.
		require.Equal(t, "of mallory", w.ok(mallory, "GET", "/"+bucket+"/k", "").body, "%s %s", row.method, row.path)
		w.refused("AccessDenied", alice, "GET", "/"+bucket+"/k", "") // The node knows by now.
	}
	w.ok(alice, "PUT", "/from", "")
	w.ok(alice, "PUT", "/from/k", "of alice")
	w.ok(alice, "DELETE", "/from/k", "")
	w.remake("from", mallory)
	w.refused("AccessDenied", alice, "PUT", "/source/copy", "", "X-Amz-Copy-Source: from/k") // As of a source that was never hers.
}

// remake deletes a bucket and makes it anew for another account, with an object,
// and the node is not told.
func (w *world) remake(bucket string, of *person) {
	w.t.Helper()
	w.meta.must(&metapb.Command{Op: &metapb.Command_DeleteBucket{DeleteBucket: &metapb.DeleteBucket{Name: bucket}}})
	w.meta.must(&metapb.Command{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{
		Bucket: &metapb.Bucket{Name: bucket, Owner: of.account}}}})
	const text = "of mallory"
	w.meta.must(&metapb.Command{Op: &metapb.Command_PutObject{PutObject: &metapb.PutObject{Bucket: bucket, Key: "k",
		Version: &metapb.Version{ContentId: []byte(fmt.Sprintf("%16.16s", bucket)), Size: uint64(len(text)), Owner: of.account, Etag: "x"},
		Part:    &metapb.Part{Number: 1, Size: uint64(len(text)), Inline: []byte(text), Etag: "x"}}}})
}
