package sigauth_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sigauth"
)

const (
	temporaryKey = "ASIATEMPORARY"
	sessionToken = "token/with+odd==characters"
	endedToken   = "ended"
)

// sessions is secrets and a temporary credential.
type sessions struct{ secrets }

func (s sessions) Lookup(ctx context.Context, accessKey, token string) (sigauth.Credential, error) {
	switch {
	case accessKey != temporaryKey:
		return s.secrets.Lookup(ctx, accessKey, token)
	case token == "":
		return sigauth.Credential{}, errs.New("sessions.Lookup", errs.NotFound, nil)
	case token == endedToken:
		return sigauth.Credential{}, errs.New("sessions.Lookup", errs.Expired, nil)
	case token != sessionToken:
		return sigauth.Credential{}, errs.New("sessions.Lookup", errs.Denied, nil)
	}
	return sigauth.Credential{AccessKey: accessKey, Secret: "cairn/secret+key", Subject: "a session"}, nil
}

// hostBucket knows the virtual hosts of the examples.
func hostBucket(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == "static.example.com" {
		return host
	}
	for _, domain := range []string{".obs.example.com", ".s3.example.com", ".us-west-1.s3.amazonaws.com", ".s3.amazonaws.com"} {
		if bucket, ok := strings.CutSuffix(host, domain); ok {
			return bucket
		}
	}
	return ""
}

func verifierV2() *sigauth.Verifier {
	return sigauth.New(sigauth.Config{Keys: sessions{secrets{exampleKey: exampleSecret, "AKIACAIRNEXAMPLE": "cairn/secret+key"}},
		HostBucket: hostBucket})
}

// exampleV2 is a published request, and its signature's place in time.
type exampleV2 struct {
	w    *wire
	when time.Time
}

// publishedV2 are the examples in AWS's description of Signature Version 2 for S3,
// with the signatures given there.
func publishedV2() map[string]exampleV2 {
	example := func(method, target, host, date, signature string, more ...header) exampleV2 {
		when, err := time.Parse(time.RFC1123Z, date)
		if err != nil {
			panic(err)
		}
		return exampleV2{&wire{method: method, target: target, host: host, headers: append([]header{
			{"Date", date}, {"Authorization", "AWS " + exampleKey + ":" + signature}}, more...)}, when}
	}
	const host = "awsexamplebucket1.us-west-1.s3.amazonaws.com"
	return map[string]exampleV2{
		"object get": example("GET", "/photos/puppy.jpg", host, "Tue, 27 Mar 2007 19:36:42 +0000", "qgk2+6Sv9/oM7G3qLEjTH1a1l1g="),
		"object put": example("PUT", "/photos/puppy.jpg", host, "Tue, 27 Mar 2007 21:15:45 +0000", "iqRzw+ileNPu1fhspnRs8nOjjIA=",
			header{"Content-Type", "image/jpeg"}, header{"Content-Length", "94328"}),
		"list":   example("GET", "/?prefix=photos&max-keys=50&marker=puppy", host, "Tue, 27 Mar 2007 19:42:41 +0000", "m0WP8eCtspQl5Ahe6L1SozdX9YA="),
		"fetch":  example("GET", "/?acl", host, "Tue, 27 Mar 2007 19:44:46 +0000", "82ZHiFIjc+WbcwFKGUVEQspPn+0="),
		"delete": example("DELETE", "/awsexamplebucket1/photos/puppy.jpg", "s3.us-west-1.amazonaws.com", "Tue, 27 Mar 2007 21:20:26 +0000", "XbyTlbQdu9Xw5o8P4iMwPktxQd8="),
		"upload": example("PUT", "/db-backup.dat.gz", "static.example.com:8080", "Tue, 27 Mar 2007 21:06:08 +0000", "jtBQa0Aq+DkULFI8qrpwIjGEx0E=",
			header{"x-amz-acl", "public-read"}, header{"content-type", "application/x-download"}, header{"Content-MD5", "4gJE4saaMU4BqNR0kLY+lw=="},
			header{"X-Amz-Meta-ReviewedBy", "joe@example.com"}, header{"X-Amz-Meta-ReviewedBy", "jane@example.com"},
			header{"X-Amz-Meta-FileChecksum", "0x02661779"}, header{"X-Amz-Meta-ChecksumAlgorithm", "crc32"},
			header{"Content-Disposition", "attachment; filename=database.dat"}, header{"Content-Encoding", "gzip"}, header{"Content-Length", "5913339"}),
		"list all":     example("GET", "/", "s3.us-west-1.amazonaws.com", "Wed, 28 Mar 2007 01:29:59 +0000", "qGdzdERIC03wnaRNKh6OqZehG9s="),
		"unicode keys": example("GET", "/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re", "s3.us-west-1.amazonaws.com", "Wed, 28 Mar 2007 01:49:49 +0000", "DNEZGsoieTZ92F3bUfSPQcbGmlM="),
		"query": {&wire{method: "GET", host: "johnsmith.s3.amazonaws.com", target: "/photos/puppy.jpg?AWSAccessKeyId=" + exampleKey +
			"&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620"}, time.Unix(1175139620, 0)},
	}
}

// samplePage is the sample request on OBS's page on Upload Part - Copy. What the page shows as its
// signature is none; this one was made with the example secret.
func samplePage() exampleV2 {
	return exampleV2{&wire{method: "PUT", host: "bucketname.obs.example.com",
		target: "/newobject?partNumber=1&uploadId=VCVsb2FkIElEIGZvciBlbZZpbmcncyBteS1tb3ZpZS5tMnRzIHVwbG9hZR", headers: []header{
			{"User-Agent", "Jakarta Commons-HttpClient/3.1"}, {"Accept", "*/*"}, {"Date", "Mon, 11 Apr 2011 20:34:56 GMT"},
			{"x-amz-copy-source", "/source-bucket/sourceobject"}, {"x-amz-copy-source-range", "bytes=500-6291456"},
			{"Authorization", "AWS AKIAIOSFODNN7EXAMPLE:qwWy9cqQWhHn6/ZqBMv3SSd0Zp4="}, {"Content-Length", "5120"},
		}}, time.Date(2011, 4, 11, 20, 34, 56, 0, time.UTC)}
}

func TestPublishedV2(t *testing.T) {
	examples := publishedV2()
	examples["sample page"] = samplePage()
	for name, e := range examples {
		t.Run(name, func(t *testing.T) {
			at(t, e.when, func(t *testing.T) {
				req, err := verifierV2().Verify(e.w.parse(t))
				require.NoError(t, err)
				require.Equal(t, exampleKey, req.Credential.AccessKey)
				require.Equal(t, sigauth.V2, req.Version)
				require.Equal(t, name == "query", req.Presigned)
				require.Equal(t, name == "query", req.SignedAt.IsZero())
				require.False(t, req.Token || req.Streaming || req.Anonymous)
				require.Empty(t, req.Region)
			})
		})
	}
}

// TestVerifyDoesNotWait announces a body that never comes, as in the samples of OBS. Verify must
// not read it.
func TestVerifyDoesNotWait(t *testing.T) {
	at(t, samplePage().when, func(t *testing.T) {
		r := samplePage().w.parse(t)
		body, never := io.Pipe()
		r.Body = body
		req, err := verifierV2().Verify(r) // The bubble ends with a deadlock if it waits.
		require.NoError(t, err)
		require.EqualValues(t, 5120, req.Size)
		require.NoError(t, never.Close())
	})
}

// TestEveryByteCountsV2 alters each byte of what V2 signs: the method, the target, the headers of
// its prefix, and the three standard ones.
func TestEveryByteCountsV2(t *testing.T) {
	examples := publishedV2()
	examples["sample page"] = samplePage()
	for name, e := range examples {
		at(t, e.when, func(t *testing.T) {
			v := verifierV2()
			refused := func(bad wire, what string) {
				r, err := bad.read()
				if err != nil {
					return // net/http refuses it.
				}
				_, err = v.Verify(r)
				require.Error(t, err, "%s: %s", name, what)
			}
			unsigned := len(e.w.target)
			if name == "list" {
				unsigned = strings.IndexByte(e.w.target, '?') // Filters of lists are not signed.
			}
			for i := range unsigned {
				if e.w.target[i] == '&' || e.w.target[i] == '?' && name == "query" {
					continue // An empty pair counts for nothing, and without its query the request is not signed.
				}
				bad := *e.w
				bad.target = e.w.target[:i] + string(e.w.target[i]^1) + e.w.target[i+1:]
				refused(bad, bad.target)
			}
			for h := range e.w.headers {
				switch lower := strings.ToLower(e.w.headers[h].name); {
				case lower == "authorization", lower == "date", lower == "content-md5", lower == "content-type", strings.HasPrefix(lower, "x-amz-"):
				default:
					continue
				}
				for i := range e.w.headers[h].value {
					bad := *e.w
					bad.headers = append([]header(nil), e.w.headers...)
					value := e.w.headers[h].value
					bad.headers[h].value = value[:i] + string(value[i]^1) + value[i+1:]
					refused(bad, bad.headers[h].name+": "+bad.headers[h].value)
				}
				if e.w.headers[h].name != "Authorization" {
					bad := *e.w
					bad.headers = append(append([]header(nil), e.w.headers[:h]...), e.w.headers[h+1:]...)
					refused(bad, "without "+e.w.headers[h].name)
				}
			}
			for _, more := range []header{{"Content-Type", "a"}, {"Content-MD5", "a"}, {"x-amz-acl", "a"}, {"x-amz-", ""}, {"x-amz-date", ""},
				{"x-amz-security-token", "a"}, {"x-obs-acl", "private"}} {
				bad := *e.w
				bad.headers = append(append([]header(nil), e.w.headers...), more)
				refused(bad, "with "+more.name)
			}
			for _, parameter := range []string{"acl", "versionId=null", "response-content-type=a", "uploads", "x-amz-acl=private", "encryption"} {
				bad := *e.w
				if bad.target += "?"; strings.IndexByte(e.w.target, '?') >= 0 {
					bad.target = e.w.target + "&"
				}
				bad.target += parameter
				refused(bad, "with "+parameter)
			}
			bad := *e.w
			bad.method = "HEAD"
			refused(bad, "HEAD")
			bad = *e.w
			bad.host = "other.s3.amazonaws.com"
			refused(bad, "other bucket")
		})
	}
}

// TestBotocoreV2 verifies requests as botocore signs them, for `aws s3 presign` too.
func TestBotocoreV2(t *testing.T) {
	raw, err := os.ReadFile("testdata/botocore_v2.json")
	require.NoError(t, err)
	var fixtures []struct {
		Name, URL, Method, Body string
		Headers                 [][2]string
	}
	require.NoError(t, json.Unmarshal(raw, &fixtures))
	require.NotEmpty(t, fixtures)
	for _, f := range fixtures {
		t.Run(f.Name, func(t *testing.T) {
			u := mustURL(t, f.URL)
			zipped, err := base64.StdEncoding.DecodeString(f.Body)
			require.NoError(t, err)
			z, err := gzip.NewReader(bytes.NewReader(zipped))
			require.NoError(t, err)
			body, err := io.ReadAll(z)
			require.NoError(t, err)
			checkFixture(t, f.Name, time.Date(2026, 11, 22, 12, 40, 0, 0, time.UTC),
				&wire{method: f.Method, target: u.RequestURI(), host: u.Host, body: body}, f.Headers)
		})
	}
}

// TestOBSSDK verifies requests as the OBS SDK for Go signs them.
func TestOBSSDK(t *testing.T) {
	raw, err := os.ReadFile("testdata/obs.json")
	require.NoError(t, err)
	var fixtures []struct {
		Name, Method, Target, Host, Body string
		When                             time.Time
		Headers                          [][2]string
	}
	require.NoError(t, json.Unmarshal(raw, &fixtures))
	require.NotEmpty(t, fixtures)
	for _, f := range fixtures {
		t.Run(f.Name, func(t *testing.T) {
			checkFixture(t, f.Name, f.When, &wire{method: f.Method, target: f.Target, host: f.Host, body: []byte(f.Body)}, f.Headers)
		})
	}
}

// checkFixture verifies a request that a client has made, and checks that it is refused for another
// path.
func checkFixture(t *testing.T, name string, when time.Time, w *wire, headers [][2]string) {
	for _, h := range headers {
		w.headers = append(w.headers, header{h[0], h[1]})
	}
	temporary := strings.Contains(name, "token")
	at(t, when, func(t *testing.T) {
		req, plain, err := outcome(verifierV2(), w.parse(t))
		require.NoError(t, err)
		require.Equal(t, strings.Contains(name, "presigned"), req.Presigned)
		require.Equal(t, temporary, req.Token)
		require.Equal(t, temporary, req.Credential.AccessKey == temporaryKey)
		require.Equal(t, strings.HasPrefix(name, "OBS"), req.Version == sigauth.OBS)
		require.Equal(t, string(w.body), string(plain))

		bad := *w
		bad.target = "/x" + w.target
		_, _, err = outcome(verifierV2(), bad.parse(t))
		require.Equal(t, s3err.SignatureDoesNotMatch, codeOf(t, err))
		if temporary {
			bad = *w
			bad.headers = nil
			for _, h := range w.headers {
				if !strings.HasSuffix(strings.ToLower(h.name), "-security-token") {
					bad.headers = append(bad.headers, h)
				}
			}
			bad.target = strings.ReplaceAll(w.target, "-security-token=", "-security-tok=")
			_, _, err = outcome(verifierV2(), bad.parse(t))
			require.Equal(t, s3err.InvalidAccessKeyID, codeOf(t, err))
		}
	})
}
