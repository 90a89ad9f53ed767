package s3api

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/profile"
)

// scene is what a row of TestDocumentedDifferences begins with: bkt, where versions are
// off, with an object k; old, whose versioning is suspended; empty, with an open upload.
type scene struct {
	*world
	p     *person
	other *person
}

func newScene(t *testing.T, c profile.Compat) *scene {
	w := newWorld(t, withProfile(t, c, nil))
	s := &scene{world: w, p: w.account("owner"), other: w.account("other")}
	for _, b := range []string{"/bkt", "/old", "/empty"} {
		w.ok(s.p, "PUT", b, "")
	}
	w.ok(s.p, "PUT", "/old?versioning", versioningDocument("Suspended"))
	w.ok(s.p, "PUT", "/bkt/k", "content")
	w.ok(s.p, "POST", "/empty/k?uploads", "")
	return s
}

// answered is the status of an answer, and the code of an error that it has.
func answered(r reply) string {
	return strings.TrimSpace(fmt.Sprint(r.StatusCode, " ", r.code()))
}

// customer returns the headers of a customer's key, by its first letter; prefix is empty
// or that of a copy's source.
func customer(letter, prefix string) []string {
	key := strings.Repeat(letter, 32)
	name := "X-Amz-" + prefix + "Server-Side-Encryption-Customer-"
	return []string{name + "Algorithm: AES256", name + "Key: " + base64.StdEncoding.EncodeToString([]byte(key)), name + "Key-Md5: " + md5Of(key)}
}

// TestDocumentedDifferences: each row is a sentence about how OBS or AWS answers, with
// what is told under either profile.
func TestDocumentedDifferences(t *testing.T) {
	for name, row := range map[string]struct {
		do       func(s *scene) string
		obs, aws string
	}{
		"a bucket with open uploads is deleted": {func(s *scene) string {
			return answered(s.as(s.p, "DELETE", "/empty", ""))
		}, "409 BucketNotEmpty", "204"},
		"a bucket with objects and uploads is not": {func(s *scene) string {
			s.ok(s.p, "PUT", "/empty/object", "x")
			r := answered(s.as(s.p, "DELETE", "/empty", ""))
			require.Contains(s.t, s.ok(s.p, "GET", "/empty?uploads", "").body, "<Upload>", "which are left alone")
			return r
		}, "409 BucketNotEmpty", "409 BucketNotEmpty"},
		"DELETE with If-Match of an absent key": {func(s *scene) string {
			return answered(s.as(s.p, "DELETE", "/bkt/absent", "", `If-Match: "x"`))
		}, "412 PreconditionFailed", "404 NoSuchKey"},
		"DELETE with If-Match of another tag": {func(s *scene) string {
			return answered(s.as(s.p, "DELETE", "/bkt/k", "", `If-Match: "x"`))
		}, "412 PreconditionFailed", "412 PreconditionFailed"},
		"DeleteObjects with the tag of an absent key": {func(s *scene) string {
			doc := "<Delete><Object><Key>absent</Key><ETag>x</ETag></Object><Object><Key>k</Key><ETag>x</ETag></Object></Delete>"
			r := s.ok(s.p, "POST", "/bkt?delete", doc, "Content-MD5: "+md5Of(doc))
			first, second, _ := strings.Cut(r.body, "</Error>")
			return element(first, "Code") + " " + element(second, "Code")
		}, "PreconditionFailed PreconditionFailed", "NoSuchKey PreconditionFailed"},
		"GET with another customer's key": {func(s *scene) string {
			s.ok(s.p, "PUT", "/bkt/c", "x", customer("a", "")...)
			return answered(s.as(s.p, "GET", "/bkt/c", "", customer("b", "")...))
		}, "400 InvalidArgument", "403 AccessDenied"},
		"HEAD with another customer's key": {func(s *scene) string {
			s.ok(s.p, "PUT", "/bkt/c", "x", customer("a", "")...)
			return answered(s.as(s.p, "HEAD", "/bkt/c", "", customer("b", "")...))
		}, "400", "403"},
		"a copy's source with another customer's key": {func(s *scene) string {
			s.ok(s.p, "PUT", "/bkt/c", "x", customer("a", "")...)
			return answered(s.as(s.p, "PUT", "/bkt/copy", "", append(customer("b", "Copy-Source-"), "X-Amz-Copy-Source: bkt/c")...))
		}, "400 InvalidArgument", "403 AccessDenied"},
		"a part with another customer's key": {func(s *scene) string {
			id := element(s.ok(s.p, "POST", "/bkt/c?uploads", "", customer("a", "")...).body, "UploadId")
			return answered(s.as(s.p, "PUT", "/bkt/c?partNumber=1&uploadId="+id, "x", customer("b", "")...))
		}, "400 InvalidArgument", "400 InvalidRequest"},
		"a master key that does not exist": {func(s *scene) string {
			return answered(s.as(s.p, "PUT", "/bkt/c", "x", "X-Amz-Server-Side-Encryption: aws:kms",
				"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id: 01234567-89ab-cdef-0123-456789abcdef"))
		}, "400 KMS.NotFoundException", "400 KMS.NotFoundException"},
		"metadata beyond ASCII": {func(s *scene) string {
			s.ok(s.p, "PUT", "/bkt/m", "x", "X-Amz-Meta-City: Zürich", "X-Amz-Meta-Plain: a b")
			h := s.ok(s.p, "GET", "/bkt/m", "").Header
			require.Equal(s.t, "a b", h.Get("X-Amz-Meta-Plain"))
			require.Equal(s.t, h.Get("X-Amz-Meta-City"), s.ok(s.p, "HEAD", "/bkt/m", "").Header.Get("X-Amz-Meta-City"))
			return h.Get("X-Amz-Meta-City")
		}, "Zürich", "=?UTF-8?b?WsO8cmljaA==?="},
		"a composite upload whose list lacks checksums": {func(s *scene) string {
			at, list := s.upload(s.p, "/bkt/u", "SHA256", "", "one", "two")
			before, rest, _ := strings.Cut(list, "<ChecksumSHA256>")
			_, after, _ := strings.Cut(rest, "</ChecksumSHA256>")
			return answered(s.as(s.p, "POST", at, before+after))
		}, "200", "400 InvalidRequest"},
		"a full one whose list lacks checksums": {func(s *scene) string {
			at, list := s.upload(s.p, "/bkt/u", "CRC32", "FULL_OBJECT", "one", "two")
			before, rest, _ := strings.Cut(list, "<ChecksumCRC32>")
			_, after, _ := strings.Cut(rest, "</ChecksumCRC32>")
			return answered(s.as(s.p, "POST", at, before+after))
		}, "200", "200"},
		"CreateBucket again": {func(s *scene) string {
			return answered(s.as(s.p, "PUT", "/bkt", ""))
		}, "409 BucketAlreadyOwnedByYou", "200"},
		"CreateBucket of another's": {func(s *scene) string {
			return answered(s.as(s.other, "PUT", "/bkt", ""))
		}, "409 BucketAlreadyExists", "409 BucketAlreadyExists"},
		"PutBucketPolicy": {func(s *scene) string {
			return answered(s.as(s.p, "PUT", "/bkt?policy", statements(`{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::bkt/none"}`)))
		}, "200", "204"},
		"writes to a suspended bucket name no version": {func(s *scene) string {
			at, list := s.upload(s.p, "/old/u", "", "", "one")
			return strings.Join([]string{versionOf(s.ok(s.p, "PUT", "/old/k", "x")), versionOf(s.ok(s.p, "PUT", "/old/copy", "", "X-Amz-Copy-Source: bkt/k")),
				versionOf(s.ok(s.p, "POST", at, list)), versionOf(s.ok(s.p, "GET", "/old/k", "")), versionOf(s.ok(s.p, "DELETE", "/old/k", ""))}, ",")
		}, "null,null,null,null,null", ",,,null,null"},
		"malformed version ids": {func(s *scene) string {
			return strings.Join([]string{answered(s.as(s.p, "GET", "/old/k?versionId=nonsense", "")), answered(s.as(s.p, "DELETE", "/old/k?versionId=nonsense", "")),
				answered(s.as(s.p, "GET", "/old/k?tagging&versionId=nonsense", "")), answered(s.as(s.p, "PUT", "/old/c", "", "X-Amz-Copy-Source: old/k?versionId=nonsense"))}, ",")
		}, "404 NoSuchVersion,204,404 NoSuchVersion,404 NoSuchVersion", "400 InvalidArgument,400 InvalidArgument,400 InvalidArgument,400 InvalidArgument"},
		"well formed ids of no version": {func(s *scene) string {
			return answered(s.as(s.p, "GET", "/old/k?versionId="+strings.Repeat("x", 32), ""))
		}, "404 NoSuchVersion", "404 NoSuchVersion"},
		"CreateBucket with tags": {func(s *scene) string {
			const tags = "<Tag><Key>team</Key><Value>storage</Value></Tag>"
			s.ok(s.p, "PUT", "/tagged", "<CreateBucketConfiguration><Tags>"+tags+"</Tags></CreateBucketConfiguration>")
			return element(s.ok(s.p, "GET", "/tagged?tagging", "").body, "Value")
		}, "storage", "storage"},
		"no replication":           {asks("GET /bkt?replication"), "404 ReplicationConfigurationNotFoundError", "404 ReplicationConfigurationNotFoundError"},
		"no acceleration":          {asks("GET /bkt?accelerate"), "200", "200"},
		"no analytics":             {asks("GET /bkt?analytics"), "200", "200"},
		"no such analytics":        {asks("GET /bkt?analytics&id=x"), "404 NoSuchConfiguration", "404 NoSuchConfiguration"},
		"no inventory":             {asks("GET /bkt?inventory"), "200", "200"},
		"no such inventory":        {asks("GET /bkt?inventory&id=x"), "404 NoSuchConfiguration", "404 NoSuchConfiguration"},
		"no metrics":               {asks("GET /bkt?metrics"), "200", "200"},
		"no such metrics":          {asks("GET /bkt?metrics&id=x"), "404 NoSuchConfiguration", "404 NoSuchConfiguration"},
		"no intelligent tiering":   {asks("GET /bkt?intelligent-tiering"), "200", "200"},
		"no such tiering":          {asks("GET /bkt?intelligent-tiering&id=x"), "404 NoSuchConfiguration", "404 NoSuchConfiguration"},
		"replication is not put":   {asks("PUT /bkt?replication"), "501 NotImplemented", "501 NotImplemented"},
		"of no bucket":             {asks("GET /none?replication"), "404 NoSuchBucket", "404 NoSuchBucket"},
		"a CDN's header":           {asks("GET /bkt/k", "X-Amz-Cf-Id: x", "X-Amzn-Trace-Id: y"), "200", "200"},
		"a header of meaning":      {asks("PUT /bkt/k", "X-Amz-Write-Offset-Bytes: 5"), "501 NotImplemented", "501 NotImplemented"},
		"private, where enforced":  {asks("PUT /bkt/k", "X-Amz-Acl: private"), "200", "200"},
		"an encoding is kept":      {encoded("gzip , Br"), "gzip , Br", "gzip , Br"},
		"without its framing":      {encoded("Aws-Chunked, gzip, Br"), "gzip, Br", "gzip, Br"},
		"framing alone is nothing": {encoded("aws-chunked"), "", ""},
	} {
		for compat, want := range map[profile.Compat]string{profile.OBS: row.obs, profile.AWS: row.aws} {
			t.Run(name+"/"+string(compat), func(t *testing.T) { require.Equal(t, want, row.do(newScene(t, compat))) })
		}
	}
}

// asks makes a row of one request.
func asks(line string, headers ...string) func(*scene) string {
	return func(s *scene) string {
		method, path, _ := strings.Cut(line, " ")
		return answered(s.as(s.p, method, path, "", headers...))
	}
}

// encoded makes a row of an object that is put with a Content-Encoding.
func encoded(value string) func(*scene) string {
	return func(s *scene) string {
		s.ok(s.p, "PUT", "/bkt/e", "x", "Content-Encoding: "+value)
		return s.ok(s.p, "HEAD", "/bkt/e", "").Header.Get("Content-Encoding")
	}
}

// TestClassesAreToldAsNamed: each class of AWS is one of ours and keeps its name, until
// its object changes it.
func TestClassesAreToldAsNamed(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	for name, cold := range map[string]bool{"REDUCED_REDUNDANCY": false, "ONEZONE_IA": false, "INTELLIGENT_TIERING": false, "GLACIER_IR": false, "DEEP_ARCHIVE": true, "GLACIER": true, "STANDARD_IA": false} {
		class := "X-Amz-Storage-Class: " + name
		w.ok(owner, "PUT", "/bkt/"+name, "x", class)
		r := w.ok(owner, "HEAD", "/bkt/"+name, "")
		require.Equal(t, name, r.Header.Get("X-Amz-Storage-Class"))
		require.Equal(t, cold, w.as(owner, "GET", "/bkt/"+name, "").code() == "InvalidObjectState", name)
		for _, list := range []string{"/bkt?prefix=" + name, "/bkt?list-type=2&prefix=" + name, "/bkt?versions&prefix=" + name} {
			require.Contains(t, w.ok(owner, "GET", list, "").body, "<Key>"+name+"</Key>")
			require.Contains(t, w.ok(owner, "GET", list, "").body, "<StorageClass>"+name+"</StorageClass>", list)
		}
		require.Contains(t, w.ok(owner, "GET", "/bkt/"+name+"?attributes", "", allAttributes).body, "<StorageClass>"+name+"</StorageClass>")
		at, list := w.upload(owner, "/bkt/u"+name, "", "", "x")
		w.ok(owner, "DELETE", at, "")
		id := element(w.ok(owner, "POST", "/bkt/u"+name+"?uploads", "", class).body, "UploadId")
		w.ok(owner, "PUT", "/bkt/u"+name+"?partNumber=1&uploadId="+id, "x")
		require.Contains(t, w.ok(owner, "GET", "/bkt?uploads", "").body, "<StorageClass>"+name+"</StorageClass>")
		require.Equal(t, name, element(w.ok(owner, "GET", "/bkt/u"+name+"?uploadId="+id, "").body, "StorageClass"))
		w.ok(owner, "POST", "/bkt/u"+name+"?uploadId="+id, list)
		require.Equal(t, name, w.ok(owner, "HEAD", "/bkt/u"+name, "").Header.Get("X-Amz-Storage-Class"))
	}
	w.ok(owner, "PUT", "/bkt/k", "x", "X-Amz-Storage-Class: GLACIER_IR")
	w.ok(owner, "PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/k")
	require.Empty(t, w.ok(owner, "HEAD", "/bkt/copy", "").Header.Get("X-Amz-Storage-Class"), "a copy's class is its own")
	w.ok(owner, "PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/k", "X-Amz-Storage-Class: ONEZONE_IA")
	require.Equal(t, "ONEZONE_IA", w.ok(owner, "HEAD", "/bkt/copy", "").Header.Get("X-Amz-Storage-Class"))

	w.ok(owner, "PUT", "/bkt?storagePolicy", "<StoragePolicy><DefaultStorageClass>GLACIER_IR</DefaultStorageClass></StoragePolicy>")
	require.Equal(t, "GLACIER_IR", element(w.ok(owner, "GET", "/bkt?storagePolicy", "").body, "DefaultStorageClass"))
	w.ok(owner, "PUT", "/bkt/default", "x")
	require.Equal(t, "GLACIER_IR", w.ok(owner, "GET", "/bkt/default", "").Header.Get("X-Amz-Storage-Class"))
	rules := "<LifecycleConfiguration><Rule><ID>r</ID><Filter><Prefix>x</Prefix></Filter><Status>Enabled</Status>" +
		"<Transition><Days>30</Days><StorageClass>GLACIER_IR</StorageClass></Transition><Transition><Days>90</Days><StorageClass>DEEP_ARCHIVE</StorageClass></Transition></Rule></LifecycleConfiguration>"
	w.ok(owner, "PUT", "/bkt?lifecycle", rules, "Content-MD5: "+md5Of(rules))
	require.Contains(t, w.ok(owner, "GET", "/bkt?lifecycle", "").body, "<StorageClass>DEEP_ARCHIVE</StorageClass>")
}

// TestNamedDeleteMarker: one that is read by its name says when it was made, and that
// it can be deleted.
func TestNamedDeleteMarker(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt?versioning", versioningDocument("Enabled"))
	w.ok(owner, "PUT", "/bkt/k", "x")
	marker := versionOf(w.ok(owner, "DELETE", "/bkt/k", ""))
	for _, method := range []string{"GET", "HEAD"} {
		r := w.as(owner, method, "/bkt/k?versionId="+marker, "")
		require.Equal(t, http.StatusMethodNotAllowed, r.StatusCode)
		require.Equal(t, "DELETE", r.Header.Get("Allow"))
		require.Equal(t, "true", r.Header.Get("X-Amz-Delete-Marker"))
		_, err := http.ParseTime(r.Header.Get("Last-Modified"))
		require.NoError(t, err)
		hidden := w.as(owner, method, "/bkt/k", "")
		require.Equal(t, http.StatusNotFound, hidden.StatusCode)
		require.Empty(t, hidden.Header.Get("Last-Modified"))
	}
	require.Contains(t, w.as(owner, "PATCH", "/bkt/k", "").Header.Get("Allow"), "PUT", "others tell what the resource knows")
}
