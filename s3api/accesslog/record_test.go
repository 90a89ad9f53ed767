package accesslog

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cairnstore/cairn/s3api/wirexml"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var received = time.Date(2026, 2, 6, 0, 0, 38, 999e6, time.FixedZone("", 3600))

// full is a record in which everything is known.
func full() *Record {
	return &Record{Owner: "0a1b", Bucket: "bkt", Time: received, RemoteIP: "192.0.2.3", Requester: "arn:aws:iam::0a1b:user/alice",
		RequestID: "3E57", Operation: "REST.GET.OBJECT", Key: "photos/puppy.jpg", RequestLine: "GET /bkt/photos/puppy.jpg?x-foo=bar HTTP/1.1",
		Status: 206, Code: "Odd", BytesSent: 17, ObjectSize: 3462992, Total: 70 * time.Millisecond, TurnAround: 10 * time.Millisecond,
		Referer: "http://www.example.com/webservices", UserAgent: "curl/7.15.1", VersionID: "3HL4", HostID: "n1", Signature: "SigV4",
		Cipher: "TLS_AES_128_GCM_SHA256", AuthType: "AuthHeader", Host: "s3.test:9000", TLS: "TLSv1.3", ByACL: true}
}

// TestLine pins the format: every field, and what is written for one that is not known or odd.
func TestLine(t *testing.T) {
	require.Equal(t, `0a1b bkt [05/Feb/2026:23:00:38 +0000] 192.0.2.3 arn:aws:iam::0a1b:user/alice 3E57 REST.GET.OBJECT photos/puppy.jpg `+
		`"GET /bkt/photos/puppy.jpg?x-foo=bar HTTP/1.1" 206 Odd 17 3462992 70 10 "http://www.example.com/webservices" "curl/7.15.1" `+
		`3HL4 n1 SigV4 TLS_AES_128_GCM_SHA256 AuthHeader s3.test:9000 TLSv1.3 - Yes`+"\n", string(full().Append(nil)))
	empty := &Record{Time: received, ObjectSize: Unknown, Total: Unknown, TurnAround: Unknown}
	require.Equal(t, `before - - [05/Feb/2026:23:00:38 +0000] - - - - - "-" - - - - - - "-" "-" - - - - - - - - -`+"\n", string(empty.Append([]byte("before "))))

	for name, c := range map[string]struct {
		set  func(*Record)
		want string // In the line.
	}{
		"an empty object":       {func(r *Record) { r.ObjectSize, r.BytesSent = 0, 0 }, " Odd - 0 70 "},
		"no time":               {func(r *Record) { r.Total, r.TurnAround = 0, 0 }, " 3462992 0 0 "},
		"a key of words":        {func(r *Record) { r.Key = "a b+c%20\"d\"\n?é" }, ` a%20b%2Bc%2520%22d%22%0A%3F%C3%A9 `},
		"a quote in an agent":   {func(r *Record) { r.UserAgent = `x" 200 - "y` }, ` "x%22 200 - %22y" `},
		"a line in a referer":   {func(r *Record) { r.Referer = "a\r\nb\x00\x7f\xff" }, ` "a%0D%0Ab%00%7F%FF" `},
		"a space in a version":  {func(r *Record) { r.VersionID = `a b"c` }, ` a%20b%22c n1 `},
		"a space in a host":     {func(r *Record) { r.Host = "h h" }, ` h%20h TLSv1.3 `},
		"a long agent is cut":   {func(r *Record) { r.UserAgent = strings.Repeat("a", 10<<10) }, ` "` + strings.Repeat("a", maxTextBytes) + `" 3HL4 `},
		"a long request is cut": {func(r *Record) { r.RequestLine = strings.Repeat("a", 20<<10) }, ` "` + strings.Repeat("a", maxURIBytes) + `" 206 `},
		"no ACL was needed":     {func(r *Record) { r.ByACL = false }, " TLSv1.3 - -\n"},
	} {
		r := full()
		c.set(r)
		line := string(r.Append(nil))
		require.Contains(t, line, c.want, name)
		require.Len(t, fields(t, line), 26, name)
	}
}

// fields splits a line as readers of such logs do: at spaces, except inside brackets and quotes.
func fields(t *testing.T, line string) []string {
	t.Helper()
	require.Equal(t, len(line)-1, strings.IndexByte(line, '\n'), "one line")
	return regexp.MustCompile(`"[^"]*"|\[[^\]]*\]|[^ "\[\]]+`).FindAllString(strings.TrimSuffix(line, "\n"), -1)
}

// TestRequestLine: no secret gets into the log, however it is written.
func TestRequestLine(t *testing.T) {
	for raw, want := range map[string]string{
		"/b/k":                         "/b/k",
		"/b/a%20b%2Fc?x-foo=bar&acl":   "/b/a%20b%2Fc?x-foo=bar&acl",
		"/b/k?":                        "/b/k?",
		"/b/k?X-Amz-Signature=s3cret":  "/b/k?X-Amz-Signature=REDACTED",
		"/b/k?x-amz-SIGNATURE=s3cret&": "/b/k?x-amz-SIGNATURE=REDACTED&",
		"/b/k?X-Amz-Signatur%65=s3cret&X-Amz-Credential=AK%2F20260206":      "/b/k?X-Amz-Signatur%65=REDACTED&X-Amz-Credential=AK%2F20260206",
		"/b/k?X-Amz-Security-Token=s3cret&X-Amz-SignedHeaders=host":         "/b/k?X-Amz-Security-Token=REDACTED&X-Amz-SignedHeaders=host",
		"/b/k?AWSAccessKeyId=AK&Expires=1&Signature=s3cret":                 "/b/k?AWSAccessKeyId=AK&Expires=1&Signature=REDACTED",
		"/b/k?AccessKeyId=AK&x-obs-security-token=s3cret=":                  "/b/k?AccessKeyId=AK&x-obs-security-token=REDACTED",
		"/b/k?x-amz-server-side-encryption-customer-key=s3cret":             "/b/k?x-amz-server-side-encryption-customer-key=REDACTED",
		"/b/k?x-obs-server-side-encryption-customer-key-md5=s3cret":         "/b/k?x-obs-server-side-encryption-customer-key-md5=REDACTED",
		"/b/k?x-amz-copy-source-server-side-encryption-customer-key=s3cret": "/b/k?x-amz-copy-source-server-side-encryption-customer-key=REDACTED",
		"/b/k?%zz=s3cret&a=b":            "/b/k?%zz=REDACTED&a=b",
		"/b/k?+X-Amz-Signature+=s3cret":  "/b/k?+X-Amz-Signature+=REDACTED",
		"/b/k?a=b%22c&X-Amz-Signature":   "/b/k?a=b%22c&X-Amz-Signature",
		"http://u:s3cret@host/b/k?acl=1": "/b/k?acl=1",
	} {
		u, err := url.ParseRequestURI(raw)
		require.NoError(t, err, raw)
		got := RequestLine("GET", u, "HTTP/1.1")
		require.Equal(t, "GET "+want+" HTTP/1.1", got)
		require.NotContains(t, got, "s3cret")
	}
}

// TestKeys: the keys of a stream's objects.
func TestKeys(t *testing.T) {
	delivered := time.Date(2026, 2, 7, 1, 2, 3, 0, time.UTC)
	for keys, want := range map[wirexml.LogKeys]string{
		wirexml.LogKeysUnsaid:     "logs/2026-02-07-01-02-03-UNIQUE",
		wirexml.LogKeysSimple:     "logs/2026-02-07-01-02-03-UNIQUE",
		wirexml.LogKeysByDelivery: "logs/0a1b/us-east-1/bkt/2026/02/07/2026-02-07-01-02-03-UNIQUE",
		wirexml.LogKeysByEvent:    "logs/0a1b/us-east-1/bkt/2026/02/05/2026-02-05-00-00-00-UNIQUE",
	} {
		logging := &wirexml.Logging{TargetBucket: "target", Prefix: "logs/", Keys: keys}
		s := NewStream("bkt", "0a1b", logging, []byte("doc"), received)
		require.Equal(t, want, s.Key(logging, "us-east-1", delivered, "UNIQUE"))
		require.Equal(t, "target", s.Target)
	}
}
