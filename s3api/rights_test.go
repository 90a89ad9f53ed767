package s3api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/s3api/profile"
)

// rightsRow is an operation and who may do it, one letter for each column of
// TestRights: y, or n for AccessDenied.
type rightsRow struct {
	operation string
	request   string // METHOD PATH; {b} the bucket, {v} a version of k, {u} an upload of it.
	may       string
	body      string
	headers   []string
}

// Most operations: everybody on the owner's side but who has no policy, who is let in
// by the bucket's policy and has one of its own account, and the cluster's root.
const (
	rightsUsual = "yynnynnnny"
	rightsRead  = "yynnynnyny" // Also what a public-read ACL gives.
	rightsMend  = "yynnynnnyy" // Also to the owner that its bucket's policy denies everything.
)

var rightsTable = []rightsRow{
	{operation: "ListBuckets", request: "GET /", may: "yynyynnnyy"},
	{operation: "CreateBucket", request: "PUT /{b}-2", may: "yynyynnnyy"},
	{operation: "HeadBucket", request: "HEAD /{b}", may: rightsRead},
	{operation: "GetBucketLocation", request: "GET /{b}?location", may: rightsRead},
	{operation: "ListObjects", request: "GET /{b}", may: rightsRead},
	{operation: "ListObjectsV2", request: "GET /{b}?list-type=2", may: rightsRead},
	{operation: "ListObjectVersions", request: "GET /{b}?versions", may: rightsRead},
	{operation: "ListMultipartUploads", request: "GET /{b}?uploads", may: rightsRead},
	{operation: "DeleteBucket", request: "DELETE /{b}", may: rightsUsual},
	{operation: "GetBucketPolicy", request: "GET /{b}?policy", may: rightsMend},
	{operation: "PutBucketPolicy", request: "PUT /{b}?policy", may: rightsMend, body: "{policy}"},
	{operation: "DeleteBucketPolicy", request: "DELETE /{b}?policy", may: rightsMend},
	{operation: "GetBucketEncryption", request: "GET /{b}?encryption", may: rightsUsual},
	{operation: "PutBucketEncryption", request: "PUT /{b}?encryption", may: rightsUsual, body: encryptionDocument("AES256", "")},
	{operation: "DeleteBucketEncryption", request: "DELETE /{b}?encryption", may: rightsUsual},
	{operation: "GetBucketLifecycleConfiguration", request: "GET /{b}?lifecycle", may: rightsUsual},
	{operation: "PutBucketLifecycleConfiguration", request: "PUT /{b}?lifecycle", may: rightsUsual, headers: []string{"Content-MD5: Ghzjm157dhfW6jze5SXnWA=="},
		body: "<LifecycleConfiguration><Rule><Filter/><Status>Enabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>" +
			"</AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>"},
	{operation: "DeleteBucketLifecycle", request: "DELETE /{b}?lifecycle", may: rightsUsual},
	{operation: "GetBucketTagging", request: "GET /{b}?tagging", may: rightsUsual},
	{operation: "PutBucketTagging", request: "PUT /{b}?tagging", may: rightsUsual, body: "<Tagging><TagSet/></Tagging>",
		headers: []string{"Content-MD5: " + md5Of("<Tagging><TagSet/></Tagging>")}},
	{operation: "DeleteBucketTagging", request: "DELETE /{b}?tagging", may: rightsUsual},
	{operation: "GetBucketNotificationConfiguration", request: "GET /{b}?notification", may: rightsUsual},
	{operation: "PutBucketNotificationConfiguration", request: "PUT /{b}?notification", may: rightsUsual, body: "<NotificationConfiguration/>"},
	{operation: "GetBucketCors", request: "GET /{b}?cors", may: rightsUsual},
	{operation: "PutBucketCors", request: "PUT /{b}?cors", may: rightsUsual, body: corsText, headers: []string{"Content-MD5: " + md5Of(corsText)}},
	{operation: "DeleteBucketCors", request: "DELETE /{b}?cors", may: rightsUsual},
	{operation: "GetBucketQuota", request: "GET /{b}?quota", may: rightsUsual},
	{operation: "SetBucketQuota", request: "PUT /{b}?quota", may: rightsUsual, body: quotaText("1000")},
	{operation: "GetBucketStorageInfo", request: "GET /{b}?storageinfo", may: rightsUsual},
	{operation: "GetBucketWebsite", request: "GET /{b}?website", may: rightsUsual},
	{operation: "PutBucketWebsite", request: "PUT /{b}?website", may: rightsUsual, body: websiteText("")},
	{operation: "DeleteBucketWebsite", request: "DELETE /{b}?website", may: rightsUsual},
	{operation: "GetBucketLogging", request: "GET /{b}?logging", may: rightsUsual},
	{operation: "PutBucketLogging", request: "PUT /{b}?logging", may: rightsUsual, body: "<BucketLoggingStatus/>"},
	{operation: "GetPublicAccessBlock", request: "GET /{b}?publicAccessBlock", may: rightsUsual},
	{operation: "PutPublicAccessBlock", request: "PUT /{b}?publicAccessBlock", may: rightsUsual, body: blockText("BlockPublicAcls")},
	{operation: "DeletePublicAccessBlock", request: "DELETE /{b}?publicAccessBlock", may: rightsUsual},
	{operation: "GetBucketPolicyStatus", request: "GET /{b}?policyStatus", may: rightsUsual},
	{operation: "GetBucketOwnershipControls", request: "GET /{b}?ownershipControls", may: rightsUsual},
	{operation: "PutBucketOwnershipControls", request: "PUT /{b}?ownershipControls", may: rightsUsual, body: ownershipText("BucketOwnerPreferred")},
	{operation: "DeleteBucketOwnershipControls", request: "DELETE /{b}?ownershipControls", may: rightsUsual},
	{operation: "GetBucketReplication", request: "GET /{b}?replication", may: rightsUsual},
	{operation: "GetBucketAccelerateConfiguration", request: "GET /{b}?accelerate", may: rightsUsual},
	{operation: "GetBucketAnalyticsConfiguration", request: "GET /{b}?analytics&id=x", may: rightsUsual},
	{operation: "ListBucketAnalyticsConfigurations", request: "GET /{b}?analytics", may: rightsUsual},
	{operation: "GetBucketInventoryConfiguration", request: "GET /{b}?inventory&id=x", may: rightsUsual},
	{operation: "ListBucketInventoryConfigurations", request: "GET /{b}?inventory", may: rightsUsual},
	{operation: "GetBucketMetricsConfiguration", request: "GET /{b}?metrics&id=x", may: rightsUsual},
	{operation: "ListBucketMetricsConfigurations", request: "GET /{b}?metrics", may: rightsUsual},
	{operation: "GetBucketIntelligentTieringConfiguration", request: "GET /{b}?intelligent-tiering&id=x", may: rightsUsual},
	{operation: "ListBucketIntelligentTieringConfigurations", request: "GET /{b}?intelligent-tiering", may: rightsUsual},
	{operation: "GetBucketVersioning", request: "GET /{b}?versioning", may: rightsUsual},
	{operation: "PutBucketVersioning", request: "PUT /{b}?versioning", may: rightsUsual, body: versioningDocument("Suspended")},
	{operation: "GetBucketRequestPayment", request: "GET /{b}?requestPayment", may: rightsUsual},
	{operation: "PutBucketRequestPayment", request: "PUT /{b}?requestPayment", may: rightsUsual,
		body: "<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>"},
	{operation: "GetBucketStorageClass", request: "GET /{b}?storageClass", may: rightsUsual},
	{operation: "PutBucketStorageClass", request: "PUT /{b}?storageClass", may: rightsUsual, body: "<StorageClass>STANDARD</StorageClass>"},
	{operation: "GetBucketAcl", request: "GET /{b}?acl", may: rightsUsual},
	{operation: "PutBucketAcl", request: "PUT /{b}?acl", may: rightsUsual, headers: []string{"X-Amz-Acl: private"}},
	{operation: "GetObjectAcl", request: "GET /{b}/k?acl", may: rightsUsual},
	{operation: "GetObjectAcl", request: "GET /{b}/k?acl&versionId={v}", may: rightsUsual},
	{operation: "GetObjectAttributes", request: "GET /{b}/k?attributes", may: rightsRead, headers: []string{"X-Amz-Object-Attributes: ETag"}},
	{operation: "GetObjectAttributes", request: "GET /{b}/k?attributes&versionId={v}", may: rightsRead, headers: []string{"X-Amz-Object-Attributes: ETag"}},
	{operation: "GetObjectTagging", request: "GET /{b}/k?tagging", may: rightsUsual},
	{operation: "GetObjectTagging", request: "GET /{b}/k?tagging&versionId={v}", may: rightsUsual},
	{operation: "PutObjectTagging", request: "PUT /{b}/k?tagging", may: rightsUsual, body: "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"},
	{operation: "PutObjectTagging", request: "PUT /{b}/k?tagging&versionId={v}", may: rightsUsual, body: "<Tagging><TagSet/></Tagging>"},
	{operation: "DeleteObjectTagging", request: "DELETE /{b}/k?tagging", may: rightsUsual},
	{operation: "DeleteObjectTagging", request: "DELETE /{b}/k?tagging&versionId={v}", may: rightsUsual},
	{operation: "GetObjectLockConfiguration", request: "GET /{b}?object-lock", may: rightsUsual},
	{operation: "PutObjectLockConfiguration", request: "PUT /{b}?object-lock", may: rightsUsual,
		body: "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>"},
	{operation: "GetObjectRetention", request: "GET /{b}/k?retention", may: rightsUsual},
	{operation: "PutObjectRetention", request: "PUT /{b}/k?retention", may: rightsUsual,
		body: "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2999-01-01T00:00:00Z</RetainUntilDate></Retention>"},
	{operation: "GetObjectLegalHold", request: "GET /{b}/k?legal-hold", may: rightsUsual},
	{operation: "PutObjectLegalHold", request: "PUT /{b}/k?legal-hold&versionId={v}", may: rightsUsual, body: "<LegalHold><Status>ON</Status></LegalHold>"},
	{operation: "PutObject", request: "PUT /{b}/new", may: rightsUsual, body: "x", headers: []string{"X-Amz-Tagging: a=b"}},
	{operation: "PutObjectAcl", request: "PUT /{b}/k?acl", may: rightsUsual, headers: []string{"X-Amz-Acl: private"}},
	{operation: "PutObjectAcl", request: "PUT /{b}/k?acl&versionId={v}", may: rightsUsual, headers: []string{"X-Amz-Acl: private"}},
	{operation: "GetObject", request: "GET /{b}/k", may: rightsRead},
	{operation: "GetObject", request: "GET /{b}/k?versionId={v}", may: rightsRead},
	{operation: "HeadObject", request: "HEAD /{b}/k", may: rightsRead},
	{operation: "HeadObject", request: "HEAD /{b}/k?versionId={v}", may: rightsRead},
	{operation: "PutObject", request: "PUT /{b}/new", may: rightsUsual, body: "x"},
	{operation: "PutObject", request: "PUT /{b}/new", may: rightsUsual, body: "x", headers: []string{"X-Amz-Acl: public-read"}},
	{operation: "CopyObject", request: "PUT /{b}/new", may: rightsUsual, headers: []string{"X-Amz-Copy-Source: {b}/k"}},
	{operation: "DeleteObject", request: "DELETE /{b}/k", may: rightsUsual},
	{operation: "DeleteObject", request: "DELETE /{b}/k?versionId={v}", may: rightsUsual},
	{operation: "DeleteObjects", request: "POST /{b}?delete", may: rightsUsual, body: "<Delete><Object><Key>k</Key></Object></Delete>",
		headers: []string{"Content-MD5: 5DKh5iefM5MSKvRILIuFwQ=="}},
	{operation: "PostObject", request: "POST /{b}", may: rightsUsual, headers: []string{"Content-Type: multipart/form-data; boundary=b"},
		body: "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nnew\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nx\r\n--b--\r\n"},
	{operation: "RestoreObject", request: "POST /{b}/k?restore", may: rightsUsual, body: "<RestoreRequest><Days>1</Days></RestoreRequest>"},
	{operation: "CreateMultipartUpload", request: "POST /{b}/k?uploads", may: rightsUsual},
	{operation: "UploadPart", request: "PUT /{b}/k?partNumber=1&uploadId={u}", may: rightsUsual, body: "x"},
	{operation: "UploadPartCopy", request: "PUT /{b}/k?partNumber=2&uploadId={u}", may: rightsUsual, headers: []string{"X-Amz-Copy-Source: {b}/k"}},
	{operation: "ListParts", request: "GET /{b}/k?uploadId={u}", may: rightsRead},
	{operation: "CompleteMultipartUpload", request: "POST /{b}/k?uploadId={u}", may: rightsUsual,
		body: "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>0cc175b9c0f1b6a831c399e269772661</ETag></Part></CompleteMultipartUpload>"},
	{operation: "AbortMultipartUpload", request: "DELETE /{b}/k?uploadId={u}", may: rightsUsual},
}

// TestRights does every operation as everybody, each on a bucket of its own.
func TestRights(t *testing.T) {
	w := newWorld(t, withProfile(t, profile.OBS, map[string]string{"multipart-initiator-only": "off"}))
	owner, other := w.account("owner"), w.account("other")
	columns := []struct {
		name   string
		who    *person
		bucket string
	}{
		{"the owner", owner, ""},
		{"a user with a policy", w.user(owner, "able", "readwrite"), ""},
		{"a user without", w.user(owner, "plain"), ""},
		{"another account", other, ""},
		{"another account, by the bucket's policy", other, "shared"},
		{"a user without a policy of it", w.user(other, "plain"), "shared"},
		{"anonymous", nil, ""},
		{"anonymous, by ACL", nil, "public"},
		{"the owner, denied by the bucket's policy", owner, "denied"},
		{"the cluster's root", w.root, "denied"},
	}
	n := 0
	for _, row := range rightsTable {
		for i, c := range columns {
			if n++; effort.Leaves(n, 3) {
				continue
			}
			b := fmt.Sprintf("bucket-%d", n)
			want := row.may[i] == 'y'
			fill := w.furnish(owner, other, b, c.bucket)
			method, path, _ := strings.Cut(fill.Replace(row.request), " ")
			var headers []string
			for _, h := range row.headers {
				headers = append(headers, fill.Replace(h))
			}
			r := w.as(c.who, method, path, fill.Replace(row.body), headers...)
			// Keys of a DeleteObjects are refused one by one.
			denied := r.StatusCode == http.StatusForbidden && (r.code() == "AccessDenied" || method == "HEAD") ||
				strings.Contains(r.body, "<Error><Key>k</Key><Code>AccessDenied</Code>")
			require.Equal(t, want, !denied, "%s by %s: %d %s", row.operation, c.name, r.StatusCode, r.body)
			require.NotEqual(t, http.StatusInternalServerError, r.StatusCode, r.body)
			require.NotEqual(t, http.StatusNotImplemented, r.StatusCode, r.body)
		}
	}
	for _, op := range operations {
		require.True(t, tests(op.name), "%s is not in the table", op.name)
	}
}

func tests(operation string) bool {
	for _, row := range rightsTable {
		if row.operation == operation {
			return true
		}
	}
	return false
}

// furnish makes a bucket of a kind, with an object k of two versions and an upload of
// one part, and returns what stands for their names.
func (w *world) furnish(owner, other *person, b, kind string) *strings.Replacer {
	w.ok(owner, "PUT", "/"+b, "")
	w.ok(owner, "PUT", "/"+b+"?versioning", versioningDocument("Enabled"))
	acl := "X-Amz-Acl: private"
	if kind == "public" {
		acl = "X-Amz-Acl: public-read"
		w.ok(owner, "PUT", "/"+b+"?acl", "", acl)
	}
	v := w.ok(owner, "PUT", "/"+b+"/k", "a", acl).Header.Get("X-Amz-Version-Id")
	w.ok(owner, "PUT", "/"+b+"/k", "b", acl)
	u := element(w.ok(owner, "POST", "/"+b+"/k?uploads", "").body, "UploadId")
	w.ok(owner, "PUT", "/"+b+"/k?partNumber=1&uploadId="+u, "a")
	policy := statements(`{"Effect":"Allow","Principal":{"AWS":"` + other.account + `"},"Action":"s3:*","Resource":["arn:aws:s3:::` + b + `","arn:aws:s3:::` + b + `/*"]}`)
	switch kind {
	case "shared":
		w.ok(owner, "PUT", "/"+b+"?policy", policy)
	case "denied":
		w.ok(owner, "PUT", "/"+b+"?policy", statements(`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::`+b+`","arn:aws:s3:::`+b+`/*"]}`))
	}
	return strings.NewReplacer("{b}", b, "{v}", v, "{u}", u, "{policy}", policy)
}

// TestMissingBucketFirst: who has no rights learns all the same that a bucket is not
// there, and nothing else.
func TestMissingBucketFirst(t *testing.T) {
	w := newWorld(t)
	plain := w.user(w.account("owner"), "plain")
	fill := strings.NewReplacer("{b}", "no-such-bucket", "{v}", "v", "{u}", strings.Repeat("0", 32), "{policy}", "{}")
	for _, row := range rightsTable {
		if row.operation == "ListBuckets" || row.operation == "CreateBucket" {
			continue
		}
		for _, who := range []*person{plain, nil} {
			method, path, _ := strings.Cut(fill.Replace(row.request), " ")
			var headers []string
			for _, h := range row.headers {
				headers = append(headers, fill.Replace(h))
			}
			r := w.as(who, method, path, fill.Replace(row.body), headers...)
			require.Equal(t, 404, r.StatusCode, "%s: %s", row.operation, r.body)
			if method != "HEAD" {
				require.Equal(t, "NoSuchBucket", r.code(), row.operation)
			}
		}
	}
}

// TestMissingObject: that a key is missing learns who may list the bucket.
func TestMissingObject(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt?versioning", versioningDocument("Enabled"))
	w.ok(owner, "PUT", "/bkt/k", "x")
	w.ok(owner, "PUT", "/bkt/gone", "x")
	marker := w.ok(owner, "DELETE", "/bkt/gone", "").Header.Get("X-Amz-Version-Id")
	const get = `{"Effect":"Allow","Action":["s3:GetObject*","s3:PutObject"],"Resource":"*"}`
	reader := w.user(owner, "reader", statements(get))
	lister := w.user(owner, "lister", statements(get, `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}`))
	prefixed := w.user(owner, "prefixed", statements(get,
		`{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"StringEquals":{"s3:prefix":"pub/"}}}`))

	w.ok(reader, "GET", "/bkt/k", "")
	for _, who := range []*person{reader, prefixed} {
		w.refused("AccessDenied", who, "GET", "/bkt/none", "")
		w.refused("AccessDenied", who, "GET", "/bkt/none?prefix=pub/", "") // Not a list: no prefix.
		w.refused("AccessDenied", who, "GET", "/bkt/k?versionId=none", "")
		require.Empty(t, w.refused("AccessDenied", who, "GET", "/bkt/gone", "").Header.Get("X-Amz-Delete-Marker"))
		w.refused("AccessDenied", who, "GET", "/bkt/gone?versionId="+marker, "")
		w.refused("AccessDenied", who, "GET", "/bkt/none?acl", "")
		w.refused("AccessDenied", who, "PUT", "/bkt/new", "", "X-Amz-Copy-Source: bkt/none")
		w.refused("AccessDenied", who, "PUT", "/bkt/new", "", "X-Amz-Copy-Source: bkt/gone")
		require.Equal(t, 403, w.as(who, "HEAD", "/bkt/none", "").StatusCode)
	}
	w.refused("NoSuchKey", lister, "GET", "/bkt/none", "")
	w.refused("NoSuchVersion", lister, "GET", "/bkt/k?versionId=none", "")
	w.refused("NoSuchKey", lister, "PUT", "/bkt/new", "", "X-Amz-Copy-Source: bkt/none")
	w.refused("NoSuchKey", lister, "PUT", "/bkt/new", "", "X-Amz-Copy-Source: bkt/gone")
	w.refused("InvalidRequest", lister, "PUT", "/bkt/new", "", "X-Amz-Copy-Source: bkt/gone?versionId="+marker)
	w.refused("NoSuchKey", lister, "GET", "/bkt/gone", "")
	r := w.refused("MethodNotAllowed", lister, "GET", "/bkt/gone?versionId="+marker, "")
	require.Equal(t, "true", r.Header.Get("X-Amz-Delete-Marker"))
	require.Equal(t, 404, w.as(lister, "HEAD", "/bkt/none", "").StatusCode)
	require.Equal(t, "InvalidArgument", w.as(lister, "GET", "/bkt/k?versionId=", "").code())
}

// TestNeverUnguarded: a handler that forgot who may do what does not start.
func TestNeverUnguarded(t *testing.T) {
	require.Panics(t, func() { New(Config{}) })
}
