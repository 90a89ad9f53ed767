package s3api

import (
	"crypto/tls"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/policy"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/sigauth"
)

// TestFacts: what policies are told of a request is what the handlers go by.
func TestFacts(t *testing.T) {
	operation := func(name string) *operation {
		for i := range operations {
			if operations[i].name == name {
				return &operations[i]
			}
		}
		t.Fatalf("there is no %s", name)
		return nil
	}
	header := func(name, value string) func(*request) {
		return func(rq *request) { rq.r.Header.Set(name, value) }
	}
	issued := time.Unix(1_700_000_000, 0)
	for name, c := range map[string]struct {
		set  func(*request)
		key  string
		want string // Empty: no fact.
	}{
		"source":                 {func(*request) {}, policy.KeySourceIP, "192.0.2.7"},
		"source, IPv6":           {func(rq *request) { rq.r.RemoteAddr = "[2001:db8::1%eth0]:80" }, policy.KeySourceIP, "2001:db8::1"},
		"source, mapped":         {func(rq *request) { rq.r.RemoteAddr = "[::ffff:192.0.2.9]:80" }, policy.KeySourceIP, "192.0.2.9"},
		"source, not trusted":    {header("X-Forwarded-For", "10.0.0.1"), policy.KeySourceIP, "192.0.2.7"},
		"source, no address":     {func(rq *request) { rq.r.RemoteAddr = "pipe" }, policy.KeySourceIP, ""},
		"transport, plain":       {func(*request) {}, policy.KeySecureTransport, "false"},
		"transport, not trusted": {header("X-Forwarded-Proto", "https"), policy.KeySecureTransport, "false"},
		"transport, TLS":         {func(rq *request) { rq.r.TLS = &tls.ConnectionState{} }, policy.KeySecureTransport, "true"},
		"TLS version":            {func(rq *request) { rq.r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13} }, policy.KeyTLSVersion, "1.3"},
		"no TLS version":         {func(*request) {}, policy.KeyTLSVersion, ""},
		"prefix":                 {func(*request) {}, policy.KeyPrefix, "a/"},
		"delimiter":              {func(*request) {}, policy.KeyDelimiter, "/"},
		"max keys":               {func(*request) {}, policy.KeyMaxKeys, "7"},
		"prefix of no list":      {func(rq *request) { rq.op = operation("GetObject") }, policy.KeyPrefix, ""},
		"max keys of no list":    {func(rq *request) { rq.op = operation("DeleteBucket") }, policy.KeyMaxKeys, ""},
		"version":                {func(*request) {}, policy.KeyVersionID, "v1"},
		"ACL":                    {header("X-Amz-Acl", "public-read"), policy.KeyACL, "public-read"},
		"grant":                  {header("X-Amz-Grant-Read", "id=x"), policy.KeyGrantRead, "id=x"},
		"encryption":             {header("X-Amz-Server-Side-Encryption", "aws:kms"), policy.KeySSE, "aws:kms"},
		"master key":             {header("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", "k"), policy.KeySSEKMSKeyID, "k"},
		"customer key":           {header("X-Amz-Server-Side-Encryption-Customer-Algorithm", "AES256"), policy.KeySSECustomer, "AES256"},
		"class":                  {header("X-Amz-Storage-Class", "GLACIER"), policy.KeyStorageClass, "GLACIER"},
		"redirect":               {header("X-Amz-Website-Redirect-Location", "/x"), policy.KeyRedirect, "/x"},
		"makes an object":        {func(rq *request) { rq.op = operation("CopyObject") }, policy.KeyCreates, "true"},
		"makes a part":           {func(rq *request) { rq.op = operation("UploadPartCopy") }, policy.KeyCreates, "false"},
		"makes nothing":          {func(rq *request) { rq.op = operation("GetObject") }, policy.KeyCreates, ""},
		"only where there is none": {func(rq *request) {
			rq.op = operation("PutObject")
			rq.r.Header.Set("If-None-Match", "*")
		}, policy.KeyIfNoneMatch, "*"},
		"only this": {func(rq *request) {
			rq.op = operation("DeleteObject")
			rq.r.Header.Set("If-Match", `"e"`)
		}, policy.KeyIfMatch, `"e"`},
		"a condition of a read": {func(rq *request) {
			rq.op = operation("GetObject")
			rq.r.Header.Set("If-None-Match", "*")
		}, policy.KeyIfNoneMatch, ""},
		"directive":              {header("X-Amz-Metadata-Directive", "REPLACE"), policy.KeyMetadataDirective, "REPLACE"},
		"agent":                  {header("User-Agent", "curl"), policy.KeyUserAgent, "curl"},
		"referer":                {header("Referer", "http://a/"), policy.KeyReferer, "http://a/"},
		"copy source":            {func(rq *request) { rq.copied = "b/k" }, policy.KeyCopySource, "b/k"},
		"a copy source not read": {header("X-Amz-Copy-Source", "b/k"), policy.KeyCopySource, ""},
		"ownership":              {func(rq *request) { rq.ownership = "ObjectWriter" }, policy.KeyOwnership, "ObjectWriter"},
		"location":               {func(rq *request) { rq.location = "eu" }, policy.KeyLocation, "eu"},
		"V4":                     {func(rq *request) { rq.auth.Version = sigauth.V4 }, policy.KeySignatureVersion, "AWS4-HMAC-SHA256"},
		"V2":                     {func(rq *request) { rq.auth.Version = sigauth.V2 }, policy.KeySignatureVersion, "AWS"},
		"OBS is V2":              {func(rq *request) { rq.auth.Version = sigauth.OBS }, policy.KeySignatureVersion, "AWS"},
		"by header":              {func(*request) {}, policy.KeyAuthType, "REST-HEADER"},
		"presigned":              {func(rq *request) { rq.auth.Presigned = true }, policy.KeyAuthType, "REST-QUERY-STRING"},
		"not signed":             {func(rq *request) { rq.auth.Anonymous = true }, policy.KeyAuthType, ""},
		"age of V2":              {func(rq *request) { rq.auth.Version, rq.auth.SignedAt = sigauth.V2, issued }, policy.KeySignatureAge, ""},
		"session":                {func(rq *request) { rq.identity = &iam.Identity{Temporary: true, Issued: issued} }, policy.KeyTokenIssueTime, "2023-11-14T22:13:20Z"},
		"no session":             {func(rq *request) { rq.identity = &iam.Identity{} }, policy.KeyTokenIssueTime, ""},
		"what is not known":      {func(*request) {}, policy.KeyMFAAge, ""},
		"proxied source":         {func(rq *request) { forwarded(rq, "https", "10.9.9.9, 198.51.100.1") }, policy.KeySourceIP, "198.51.100.1"},
		"proxied, lines": {func(rq *request) {
			forwarded(rq, "https", "198.51.100.2")
			rq.r.Header.Add("X-Forwarded-For", "198.51.100.3")
		}, policy.KeySourceIP, "198.51.100.3"},
		"proxied, source unknown": {func(rq *request) { forwarded(rq, "https", "unknown") }, policy.KeySourceIP, ""},
		"proxied, none told":      {func(rq *request) { rq.forwarded = true }, policy.KeySourceIP, ""},
		"proxied transport":       {func(rq *request) { forwarded(rq, "https", "") }, policy.KeySecureTransport, "true"},
		"proxied in clear":        {func(rq *request) { forwarded(rq, "http", "") }, policy.KeySecureTransport, "false"},
	} {
		t.Run(name, func(t *testing.T) {
			q, err := parseQuery("prefix=a/&delimiter=/&max-keys=7&prefix=b/")
			require.NoError(t, err)
			rq := &request{r: &http.Request{Header: http.Header{}, RemoteAddr: "192.0.2.7:4711"}, query: q,
				op: operation("ListObjects"), auth: &sigauth.Request{Version: sigauth.V4}}
			c.set(rq)
			got, ok := rq.facts("v1")(c.key)
			require.Equal(t, c.want != "", ok)
			if ok {
				require.Equal(t, []string{c.want}, got)
			}
		})
	}
	// An empty prefix is one; a request without the parameter has none.
	q, err := parseQuery("prefix=")
	require.NoError(t, err)
	rq := &request{r: &http.Request{}, query: q, op: operation("ListObjectsV2"), auth: &sigauth.Request{}}
	got, ok := rq.facts("")(policy.KeyPrefix)
	require.True(t, ok)
	require.Equal(t, []string{""}, got)
	_, ok = rq.facts("")(policy.KeyMaxKeys)
	require.False(t, ok)
	// STS asks of requests that are not to S3.
	r := &http.Request{Header: http.Header{"X-Forwarded-For": {"198.51.100.4"}}, RemoteAddr: "192.0.2.7:1"}
	got, _ = Facts(nil)(r)(policy.KeySourceIP)
	require.Equal(t, []string{"192.0.2.7"}, got)
	got, _ = Facts(func(*http.Request) bool { return true })(r)(policy.KeySourceIP)
	require.Equal(t, []string{"198.51.100.4"}, got)
	_, ok = Facts(nil)(r)(policy.KeyPrefix)
	require.False(t, ok)
}

func forwarded(rq *request, proto, source string) {
	rq.forwarded = true
	rq.r.Header.Set("X-Forwarded-Proto", proto)
	rq.r.Header.Set("X-Forwarded-For", source)
}

// TestConditions: a policy with a condition, and requests that meet it and that do not.
func TestConditions(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Forwarded = func(r *http.Request) bool { return r.Header.Get("X-Forwarded-For") != "" }
	})
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt?versioning", versioningDocument("Enabled"))
	v1 := w.ok(owner, "PUT", "/bkt/k", "1").Header.Get("X-Amz-Version-Id")
	v2 := w.ok(owner, "PUT", "/bkt/k", "2").Header.Get("X-Amz-Version-Id")
	w.ok(owner, "PUT", "/bkt/a%20b", "blank")

	allow := func(action, condition string) string {
		return `{"Effect":"Allow","Action":"` + action + `","Resource":"*","Condition":` + condition + `}`
	}
	request := func(line string, headers ...string) []string { return append([]string{line}, headers...) }
	for name, c := range map[string]struct {
		statement string
		yes, no   [][]string // "METHOD PATH" and headers.
	}{
		"transport": {allow("s3:GetObject", `{"Bool":{"aws:SecureTransport":"true"}}`),
			[][]string{request("GET /bkt/k", "X-Forwarded-Proto: https", "X-Forwarded-For: 198.51.100.1")},
			[][]string{request("GET /bkt/k"), request("GET /bkt/k", "X-Forwarded-Proto: https")}},
		"source": {allow("s3:GetObject", `{"IpAddress":{"aws:SourceIp":"198.51.100.0/24"}}`),
			[][]string{request("GET /bkt/k", "X-Forwarded-For: 10.0.0.1, 198.51.100.1")},
			[][]string{request("GET /bkt/k"), request("GET /bkt/k", "X-Forwarded-For: 198.51.100.1, 10.0.0.1")}},
		"prefix": {allow("s3:ListBucket*", `{"StringLike":{"s3:prefix":"pub/*"}}`),
			[][]string{request("GET /bkt?prefix=pub/"), request("GET /bkt?versions&prefix=pub/x"), request("GET /bkt?uploads&prefix=pub/")},
			[][]string{request("GET /bkt"), request("GET /bkt?prefix=pri"), request("GET /bkt?prefix=pri&prefix=pub/"), request("GET /bkt?location&prefix=pub/")}},
		"copy source": {allow("s3:PutObject", `{"StringEquals":{"s3:x-amz-copy-source":"/bkt/k"}}`) + "," + allow("s3:GetObject*", `{}`),
			[][]string{request("PUT /bkt/new", "X-Amz-Copy-Source: /bkt/k"), request("PUT /bkt/new", "X-Amz-Copy-Source: bkt%2Fk?versionId="+v1)},
			[][]string{request("PUT /bkt/new"), request("PUT /bkt/new", "X-Amz-Copy-Source: bkt/a%20b"), request("PUT /bkt/new", "X-Amz-Copy-Source: bkt/k%3FversionId=x")}},
		"canned ACL": {allow("s3:PutObject*", `{"StringEquals":{"s3:x-amz-acl":"public-read"}}`),
			[][]string{request("PUT /bkt/new", "X-Amz-Acl: public-read")},
			[][]string{request("PUT /bkt/new"), request("PUT /bkt/new", "X-Amz-Acl: public-read-write")}},
		"signature": {allow("s3:GetObject", `{"StringEquals":{"s3:signatureversion":"AWS"}}`),
			nil, [][]string{request("GET /bkt/k")}},
		"version": {allow("s3:*Version", `{"StringEquals":{"s3:VersionId":"`+v1+`"}}`) + "," + allow("s3:PutObject", `{}`),
			[][]string{request("GET /bkt/k?versionId=" + v1), request("PUT /bkt/new", "X-Amz-Copy-Source: bkt/k?versionId="+v1)},
			[][]string{request("GET /bkt/k"), request("GET /bkt/k?versionId=" + v2), request("PUT /bkt/new", "X-Amz-Copy-Source: bkt/k?versionId="+v2),
				request("PUT /bkt/new", "X-Amz-Copy-Source: bkt/k"), request("DELETE /bkt/k?versionId=" + v2)}},
		"encryption": {allow("s3:PutObject", `{"StringEquals":{"s3:x-amz-server-side-encryption":"AES256"}}`),
			[][]string{request("PUT /bkt/new", "X-Amz-Server-Side-Encryption: AES256")},
			[][]string{request("PUT /bkt/new"), request("PUT /bkt/new", "X-Amz-Server-Side-Encryption: aws:kms")}},
		"customer key": {allow("s3:PutObject", `{"Null":{"s3:x-amz-server-side-encryption-customer-algorithm":"false"}}`),
			nil, [][]string{request("PUT /bkt/new")}},
		"owner of the bucket": {allow("s3:GetObject", `{"StringEquals":{"s3:ResourceAccount":"`+owner.account+`"}}`),
			[][]string{request("GET /bkt/k")}, nil},
		"session": {allow("s3:GetObject", `{"Null":{"aws:TokenIssueTime":"true"}}`),
			[][]string{request("GET /bkt/k")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			user := w.user(owner, "u"+hexName(name), statements(c.statement))
			for _, r := range c.yes {
				method, path := cut(r[0])
				w.ok(user, method, path, "", r[1:]...)
			}
			for _, r := range c.no {
				method, path := cut(r[0])
				w.refused("AccessDenied", user, method, path, "", r[1:]...)
			}
		})
	}
}

// TestPlusInCopySource: where a plus may be a blank, the right is asked about the key
// that is read.
func TestPlusInCopySource(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt/top%20secret/k", "x")
	w.ok(owner, "PUT", "/bkt/top%2Bsecret/other", "y")
	const all = `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`
	user := w.user(owner, "user", statements(all, `{"Effect":"Deny","Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/top secret/*"}`))
	w.refused("AccessDenied", user, "GET", "/bkt/top%20secret/k", "")
	w.refused("AccessDenied", user, "PUT", "/bkt/mine", "", "X-Amz-Copy-Source: bkt/top%20secret/k")
	w.refused("AccessDenied", user, "PUT", "/bkt/mine", "", "X-Amz-Copy-Source: bkt/top+secret/k")
	w.ok(user, "PUT", "/bkt/mine", "", "X-Amz-Copy-Source: bkt/top+secret/other")
	w.ok(owner, "PUT", "/bkt/mine", "", "X-Amz-Copy-Source: bkt/top+secret/k")
	// Nor is one form let through for the other's sake.
	other := w.user(owner, "other", statements(all,
		`{"Effect":"Deny","Action":"s3:PutObject","Resource":"*","Condition":{"StringLike":{"s3:x-amz-copy-source":"/bkt/top secret/*"}}}`))
	w.refused("AccessDenied", other, "PUT", "/bkt/mine", "", "X-Amz-Copy-Source: bkt/top+secret/k")
}

// TestCopySourceCondition: however a request and a policy spell the source of a copy, a
// Deny of it denies, and an Allow of another source does not allow.
func TestCopySourceCondition(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt/secret/k", "x")
	w.ok(owner, "PUT", "/bkt/open/k", "y")
	upload := "uploadId=" + element(w.ok(owner, "POST", "/bkt/m?uploads", "").body, "UploadId")
	const all = `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`
	for i, spelled := range []string{"bkt/secret/*", "/bkt/secret/*"} {
		denied := w.user(owner, "denied"+strconv.Itoa(i), statements(all,
			`{"Effect":"Deny","Action":"s3:PutObject","Resource":"*","Condition":{"StringLike":{"s3:x-amz-copy-source":"`+spelled+`"}}}`))
		allowed := w.user(owner, "allowed"+strconv.Itoa(i), statements(all,
			`{"Effect":"Deny","Action":"s3:PutObject","Resource":"*","Condition":{"StringNotLike":{"s3:x-amz-copy-source":"`+
				strings.Replace(spelled, "secret", "open", 1)+`"}}}`))
		for _, who := range []*person{denied, allowed} {
			for _, source := range []string{"bkt/secret/k", "/bkt/secret/k", "bkt%2Fsecret%2Fk", "%2Fbkt/%73ecret/k", "bkt/secret/k?versionId=null", "/bkt/secret/k?versionId=null"} {
				w.refused("AccessDenied", who, "PUT", "/bkt/copy", "", "X-Amz-Copy-Source: "+source)
				w.refused("AccessDenied", who, "PUT", "/bkt/m?partNumber=1&"+upload, "", "X-Amz-Copy-Source: "+source)
			}
			w.ok(who, "PUT", "/bkt/copy", "", "X-Amz-Copy-Source: /bkt/open/k")
			w.ok(who, "PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/open/k")
		}
	}
}

// TestVersionsOfDeleteObjects: each key's version counts, as in a DeleteObject.
func TestVersionsOfDeleteObjects(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt?versioning", versioningDocument("Enabled"))
	v1 := w.ok(owner, "PUT", "/bkt/k", "1").Header.Get("X-Amz-Version-Id")
	v2 := w.ok(owner, "PUT", "/bkt/k", "2").Header.Get("X-Amz-Version-Id")
	user := w.user(owner, "user", statements(`{"Effect":"Allow","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::bkt/k"}`,
		`{"Effect":"Allow","Action":"s3:DeleteObjectVersion","Resource":"*","Condition":{"StringEquals":{"s3:VersionId":"`+v1+`"}}}`))
	body := "<Delete><Object><Key>k</Key><VersionId>" + v1 + "</VersionId></Object><Object><Key>k</Key><VersionId>" + v2 +
		"</VersionId></Object><Object><Key>k</Key></Object><Object><Key>j</Key></Object></Delete>"
	r := w.ok(user, "POST", "/bkt?delete", body, "Content-MD5: "+md5Of(body))
	require.Contains(t, r.body, "<Deleted><Key>k</Key><VersionId>"+v1+"</VersionId></Deleted>")
	require.Contains(t, r.body, "<Error><Key>k</Key><VersionId>"+v2+"</VersionId><Code>AccessDenied</Code>")
	require.Contains(t, r.body, "<Error><Key>j</Key><Code>AccessDenied</Code>")
	require.Contains(t, r.body, "<Deleted><Key>k</Key><DeleteMarker>true</DeleteMarker>")
	w.ok(owner, "GET", "/bkt/k?versionId="+v2, "")
	w.refused("NoSuchVersion", owner, "GET", "/bkt/k?versionId="+v1, "")
}

// TestPresignedURLs: what a URL does not sign cannot be added to it.
func TestPresignedURLs(t *testing.T) {
	w := newWorld(t, withProfile(t, profile.AWS, nil)) // It tells wrong signatures from denied requests.
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	presign := func(method, path string) string {
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		u, _, err := signer.PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: owner.accessKey, SecretAccessKey: owner.secret},
			w.request(method, path, ""), "UNSIGNED-PAYLOAD", "s3", "us-east-1", time.Now())
		require.NoError(t, err)
		_, query, _ := strings.Cut(u, "?")
		return query
	}
	put := "/bkt/k?" + presign("PUT", "/bkt/k?X-Amz-Expires=60")
	w.ok(nil, "PUT", put, "x")
	for _, header := range []string{"X-Amz-Acl: public-read", "x-obs-acl: public-read", "X-Amz-Grant-Read: id=x", "X-Amz-Copy-Source: bkt/other",
		"X-Amz-Server-Side-Encryption: AES256", "x-obs-meta-a: b", "X-Amz-Expected-Bucket-Owner: " + owner.account} {
		w.refused("AccessDenied", nil, "PUT", put, "x", header)
	}
	for _, more := range []string{"&acl", "&x-amz-acl=public-read", "&anything=1"} {
		w.refused("SignatureDoesNotMatch", nil, "PUT", put+more, "x")
	}
	w.refused("SignatureDoesNotMatch", nil, "PUT", "/bkt/other?"+presign("PUT", "/bkt/k?X-Amz-Expires=60"), "x")
	// Signed in two ways, or half.
	for _, more := range []string{"&AWSAccessKeyId=a&x-amz-acl=public-read", "&AccessKeyId=a&x-obs-acl=public-read"} {
		w.refused("InvalidArgument", nil, "PUT", put+more, "x")
	}
	w.refused("AccessDenied", nil, "PUT", "/bkt/k?AWSAccessKeyId="+owner.accessKey+"&x-amz-acl=public-read", "x")
	w.refused("AccessDenied", nil, "PUT", "/bkt/k?AccessKeyId="+owner.accessKey, "x", "x-obs-acl: public-read")
	require.NotContains(t, w.ok(owner, "GET", "/bkt/k?acl", "").body, "AllUsers")
}
