package s3api

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/policy"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// TestFindOperation says which operation every kind of request is.
func TestFindOperation(t *testing.T) {
	for _, c := range []struct{ request, want string }{
		{"GET /", "ListBuckets"},
		{"GET /?max-buckets=3&prefix=a", "ListBuckets"},
		{"PUT /", "MethodNotAllowed"},
		{"GET /b", "ListObjects"},
		{"GET /b?prefix=x&delimiter=/&marker=m&max-keys=3&encoding-type=url", "ListObjects"},
		{"GET /b?list-type=2", "ListObjectsV2"},
		{"GET /b?list-type=2&continuation-token=x&start-after=y&fetch-owner=true&x-id=ListObjectsV2", "ListObjectsV2"},
		{"GET /b?list-type=1", "ListObjectsV2"}, // The handler refuses it.
		{"GET /b?location", "GetBucketLocation"},
		{"GET /b?uploads", "ListMultipartUploads"},
		{"GET /b?uploads=&prefix=p&upload-id-marker=u", "ListMultipartUploads"},
		{"HEAD /b", "HeadBucket"},
		{"PUT /b", "CreateBucket"},
		{"DELETE /b", "DeleteBucket"},
		{"POST /b?delete", "DeleteObjects"},
		{"POST /b?delete=", "DeleteObjects"},
		{"POST /b", "PostObject"},
		{"PATCH /b", "MethodNotAllowed"},
		{"PUT /b/k", "PutObject"},
		{"PUT /b/k?x-id=PutObject", "PutObject"},
		{"PUT /b/k copy", "CopyObject"},
		{"PUT /b/k?partNumber=1&uploadId=u", "UploadPart"},
		{"PUT /b/k?partNumber=1&uploadId=u copy", "UploadPartCopy"},
		{"PUT /b/k?partNumber=1", "UploadPart"}, // The handler refuses it: it must not be a PutObject.
		{"PUT /b/k?uploadId=u copy", "UploadPartCopy"},
		{"GET /b/k", "GetObject"},
		{"GET /b/k copy", "GetObject"},
		{"GET /b/k?versionId=v&partNumber=1&response-expires=e", "GetObject"},
		{"GET /b/k?uploadId=u&max-parts=3&part-number-marker=1", "ListParts"},
		{"GET /b/k?X-Amz-Signature=s&X-Amz-Date=d&AWSAccessKeyId=a&Signature=s&Expires=1", "GetObject"},
		{"GET /b/k?cache-buster=1", "GetObject"},
		{"HEAD /b/k?versionId=v", "HeadObject"},
		{"DELETE /b/k", "DeleteObject"},
		{"DELETE /b/k?versionId=v", "DeleteObject"},
		{"DELETE /b/k?uploadId=u", "AbortMultipartUpload"},
		{"DELETE /b?policy", "DeleteBucketPolicy"},
		{"DELETE /b?lifecycle", "DeleteBucketLifecycle"},
		{"PUT /b?versioning", "PutBucketVersioning"},
		{"PUT /b?acl=", "PutBucketAcl"},
		{"GET /b/k?acl&versionId=v", "GetObjectAcl"},
		{"GET /b?versions&key-marker=k&version-id-marker=v", "ListObjectVersions"},
		{"POST /b/k?uploads", "CreateMultipartUpload"},
		{"POST /b/k?uploadId=u", "CompleteMultipartUpload"},
		{"POST /b/k", "MethodNotAllowed"},
		// Never taken for the operation without the sub-resource.
		{"DELETE /b?website", "DeleteBucketWebsite"},
		{"PUT /b?cors=", "PutBucketCors"},
		{"PUT /b?replication", "NotImplemented"},
		{"GET /b?publicAccessBlock", "GetPublicAccessBlock"},
		{"DELETE /b?acl", "NotImplemented"},
		{"DELETE /b/k?acl", "NotImplemented"},
		{"PUT /b?policy&acl", "NotImplemented"},
		{"DELETE /b?policy&versionId=v", "NotImplemented"},
		{"POST /b?delete&versionId=v", "NotImplemented"},
		{"GET /b?tagging", "GetBucketTagging"},
		{"GET /b?something-new", "NotImplemented"},
		{"GET /b/k?tagging", "GetObjectTagging"},
		{"GET /b/k?tagging&versionId=v", "GetObjectTagging"},
		{"GET /b/k?attributes", "GetObjectAttributes"},
		{"GET /b/k?x-obs-security-token=t", "NotImplemented"},
		{"PUT /b/k?tagging", "PutObjectTagging"},
		{"PUT /b/k?versionId=v", "NotImplemented"},
		{"PUT /b/k?append&position=0", "NotImplemented"},
		{"DELETE /b/k?tagging", "DeleteObjectTagging"},
		{"PUT /b/k?retention&versionId=v", "PutObjectRetention"},
		{"GET /b/k?legal-hold", "GetObjectLegalHold"},
		{"PUT /b?object-lock", "PutObjectLockConfiguration"},
		{"DELETE /b?object-lock", "NotImplemented"},
		{"DELETE /b/k?retention", "NotImplemented"},
		{"POST /b/k?restore", "RestoreObject"},
		{"POST /b/k?select&select-type=2", "NotImplemented"},
		{"OPTIONS /b/k", "MethodNotAllowed"},
	} {
		t.Run(strings.ReplaceAll(c.request, "/", "|"), func(t *testing.T) {
			fields := strings.Fields(c.request)
			path, raw, _ := strings.Cut(fields[1], "?")
			q, err := parseQuery(raw)
			require.NoError(t, err)
			sc := address{}
			sc.bucket, sc.key, _ = strings.Cut(path[1:], "/")
			op, err := findOperation(fields[0], sc.scope(), q, len(fields) == 3)
			if err != nil {
				require.Equal(t, s3err.Code(c.want), s3err.FromError(err).Code)
				return
			}
			require.Equal(t, c.want, op.name)
		})
	}
}

// TestTableIsSound: every row can be reached, and rows that need more come first.
func TestTableIsSound(t *testing.T) {
	for i := range operations {
		op := &operations[i]
		q := query{}
		if op.sub != nil {
			q = append(q, parameter{name: op.sub[0]})
		}
		for _, sub := range op.sub {
			require.True(t, subResources[sub], "%s: subResources (features.go) does not have %q: other methods would ignore it", op.name, sub)
		}
		if op.with != "" {
			q = append(q, parameter{name: op.with, value: "x"})
		}
		found, err := findOperation(op.method, op.scope, q, op.copy)
		require.NoError(t, err, op.name)
		require.Same(t, op, found)
		require.NotNil(t, op.handle)
	}
}

// TestActionsAreKnown proves that a policy may speak of every action that is asked for:
// one that the language does not know is refused in every policy.
func TestActionsAreKnown(t *testing.T) {
	var files []string
	for _, dir := range []string{".", "object", "iam"} {
		in, err := filepath.Glob(dir + "/*.go")
		require.NoError(t, err)
		files = append(files, in...)
	}
	seen := map[string]bool{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`"(s3:[A-Z][A-Za-z]+)"`).FindAllSubmatch(text, -1) {
			seen[string(m[1])] = true
		}
	}
	require.Greater(t, len(seen), 50)
	for action := range seen {
		_, err := policy.Parse(fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":%q,"Resource":"*"}]}`,
			action), policy.Identity)
		require.NoError(t, err, "%s: add it to s3Actions (s3api/policy/action.go)", action)
	}
}

// TestRefusedHeaders: a header that asks for what is not there is never ignored.
func TestRefusedHeaders(t *testing.T) {
	for _, c := range []struct{ header, want string }{
		{"X-Amz-Tagging: a=b", "NotImplemented"},
		{"X-Amz-Tagging: ", ""},
		{"X-Amz-Bypass-Governance-Retention: true", "NotImplemented"},
		{"X-Amz-If-Match-Size: 1", "NotImplemented"},
		{"X-Amz-Mfa: device 123456", ""},
		{"X-Amz-Server-Side-Encryption: AES256", ""},
		{"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id: k", ""},
		{"X-Amz-Object-Lock-Mode: COMPLIANCE", "NotImplemented"},
		{"X-Amz-Website-Redirect-Location: /", "NotImplemented"},
		{"X-Amz-Grant-Read: id=x", ""},
		{"X-Amz-Acl: public-read", ""},
		{"X-Amz-Acl: private", ""},
		{"X-Amz-Acl: bucket-owner-full-control", ""},
		{"X-Amz-Storage-Class: GLACIER", ""},
		{"X-Amz-Storage-Class: OUTPOSTS", "InvalidStorageClass"},
		{"X-Amz-Storage-Class: standard", "InvalidStorageClass"},
		{"X-Amz-Storage-Class: STANDARD", ""},
		{"X-Amz-Write-Offset-Bytes: 5", "NotImplemented"},
		{"X-Amz-Checksum-Md5: x", ""},
		{"X-Amz-Checksum-Md4: x", "NotImplemented"},
		{"X-Amz-Checksum-Crc32: x", ""},
		{"X-Amz-Meta-Anything: x", ""},
		{"X-Amz-Something-New: x", ""},
		{"X-Amz-Cf-Id: x", ""},
		{"X-Amzn-Trace-Id: x", ""},
		{"X-Amz-Object-Lock-Forever: x", "NotImplemented"},
		{"X-Amz-Server-Side-Encryption-New: x", "NotImplemented"},
		{"X-Amz-Rename-Source: x", "NotImplemented"},
		{"X-Amz-Transition-Default-Minimum-Object-Size: x", "NotImplemented"},
		{"X-Obs-Acl: private", "NotImplemented"},
		{"Content-Range: bytes 0-1/2", "NotImplemented"},
		{"X-Forwarded-For: x", ""},
		{"Origin: x", ""},
	} {
		name, value, _ := strings.Cut(c.header, ": ")
		err := checkHeaders(&operation{}, http.Header{name: {value}})
		if c.want == "" {
			require.NoError(t, err, c.header)
			continue
		}
		require.Error(t, err, c.header)
		require.Equal(t, s3err.Code(c.want), s3err.FromError(err).Code, c.header)
	}
}

// TestHeadersOfOperations: headers of something new are understood where it is made.
func TestHeadersOfOperations(t *testing.T) {
	h := http.Header{"X-Amz-Tagging": {"a=b"}, "X-Amz-Object-Lock-Legal-Hold": {"ON"}, "X-Amz-Website-Redirect-Location": {"/"}}
	for _, name := range []string{"PutObject", "PostObject", "CopyObject", "CreateMultipartUpload"} {
		require.NoError(t, checkHeaders(&operation{name: name, copy: name == "CopyObject"}, h), name)
	}
	for _, name := range []string{"UploadPart", "GetObject", "CompleteMultipartUpload", "PutObjectTagging"} {
		require.Error(t, checkHeaders(&operation{name: name}, h), name)
	}
}

// TestMisplacedCopyHeaders: half a copy is not an empty upload.
func TestMisplacedCopyHeaders(t *testing.T) {
	h := newHarness(t)
	require.Equal(t, "InvalidRequest", h.do("PUT", "/bkt/k?partNumber=1&uploadId=u", "", "X-Amz-Copy-Source-Range: bytes=0-1").code())
	require.Equal(t, "InvalidArgument", h.do("POST", "/bkt/k?uploads", "", "X-Amz-Copy-Source: bkt/k").code())
	require.Equal(t, "NotImplemented", h.do("PUT", "/bkt/k", "", "X-Amz-Copy-Source: bkt/x", "X-Amz-Copy-Source-Range: bytes=0-1").code())
}
