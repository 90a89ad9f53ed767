package s3api

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/profile"
)

// withProfile gives a server a profile.
func withProfile(t testing.TB, c profile.Compat, overrides map[string]string) func(*Config) {
	p, err := profile.New(c, overrides)
	require.NoError(t, err)
	return func(cfg *Config) { cfg.Profile = func() *profile.Profile { return p } }
}

// atDomain makes a server serve virtual hosts of a domain.
func atDomain(domain string) func(*Config) {
	return func(c *Config) { c.Domains = []string{domain} }
}

// signV2 makes a request of lines, as the books write them, and signs it with V2.
func signV2(t *testing.T, h *harness, bucket string, lines ...string) *http.Request {
	method, target, _ := strings.Cut(lines[0], " ")
	r, err := http.NewRequest(method, h.server.URL+target, nil)
	require.NoError(t, err)
	var amz strings.Builder
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Set(name, value)
		if strings.HasPrefix(name, "x-amz-") { // In order, as the tests write them.
			amz.WriteString(name + ":" + value + "\n")
		}
	}
	date := time.Now().UTC().Format(http.TimeFormat)
	r.Header.Set("Date", date)
	if bucket != "" {
		bucket = "/" + bucket
	}
	mac := hmac.New(sha1.New, []byte(testSecret))
	_, _ = io.WriteString(mac, method+"\n\n\n"+date+"\n"+amz.String()+bucket+target)
	r.Header.Set("Authorization", "AWS "+testAccessKey+":"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return r
}

// pageSample is the sample response of the page of Upload Part - Copy, as it
// stands there.
const pageSample = `HTTP/1.1 200 OK
Server: OBS
x-amz-id-2: Vvag1LuByRx9e6j5Onimru9pO4ZVKnJ2Qz7/C1NPcfTWAtRPfTaOFg==
x-amz-request-id: 656c76696e6727732072657175657374
x-reserved: amazon, aws and amazon web services are trademarks or registered trademarks of Amazon Technologies, Inc
Content-Type: application/xml
Date: Mon, 11 Apr 2011 20:34:56 GMT
Transfer-Encoding: chunked
<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<CopyPartResult xmlns="http://obs.example.com/doc/2015-06-30/">
<LastModified>2009-10-28T22:32:00</LastModified> <ETag>"9b2cf535f27731c974343645a3985328"</ETag>
</CopyPartResult>`

// TestPageSample: an answer is the page's but for values that belong to one
// request, and white space between elements.
func TestPageSample(t *testing.T) {
	h := newHarness(t, atDomain("obs.example.com"))
	h.put("sourceobject", strings.Repeat("x", 1000))
	id := element(h.do("POST", "/bkt/newobject?uploads", "").body, "UploadId")
	got := h.send(signV2(t, h, "bkt", "PUT /newobject?partNumber=1&uploadId="+id,
		"Host:bkt.obs.example.com", "User-Agent:Jakarta Commons-HttpClient/3.1", "Accept:*/*",
		"x-amz-copy-source:/bkt/sourceobject", "x-amz-copy-source-range:bytes=500-999"))
	require.Equal(t, 200, got.StatusCode, got.body)

	head, want, _ := strings.Cut(pageSample, "\n<?xml")
	names := map[string]bool{}
	for _, line := range strings.Split(head, "\n")[1:] {
		name, value, _ := strings.Cut(line, ": ")
		names[http.CanonicalHeaderKey(name)] = true
		switch name {
		case "Transfer-Encoding":
			require.Equal(t, []string{value}, got.TransferEncoding)
		case "Server", "x-reserved", "Content-Type":
			require.Equal(t, value, got.Header.Get(name))
		default:
			require.NotEmpty(t, got.Header.Get(name), name)
		}
	}
	for name := range got.Header {
		require.True(t, names[name], "%s is not on the page", name)
	}
	require.Regexp(t, "^[0-9a-f]{32}$", got.Header.Get("x-amz-request-id"))
	require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`, element(got.body, "LastModified"))
	require.Equal(t, canonical("<?xml"+want), canonical(got.body))
}

// canonical takes out what differs from request to request, and white space
// between elements.
func canonical(doc string) string {
	doc = regexp.MustCompile(`>\s+<`).ReplaceAllString(doc, "><")
	doc = regexp.MustCompile(`<LastModified>[^<]*`).ReplaceAllString(doc, "<LastModified>")
	return regexp.MustCompile(`<ETag>"[0-9a-f]{32}"`).ReplaceAllString(doc, `<ETag>""`)
}

func TestProfileDecidesTheWire(t *testing.T) {
	for _, c := range []struct {
		compat     profile.Compat
		overrides  map[string]string
		server     string
		reserved   bool
		chunked    bool
		standalone bool
		v2, v4     string // Namespaces.
	}{
		{profile.OBS, nil, "OBS", true, true, true, "http://127.0.0.1/doc/2015-06-30/", "http://s3.amazonaws.com/doc/2006-03-01/"},
		{profile.AWS, nil, "Cairn", false, false, false, "http://s3.amazonaws.com/doc/2006-03-01/", "http://s3.amazonaws.com/doc/2006-03-01/"},
		{profile.OBS, map[string]string{"server-header": "S", "reserved-header": "off", "chunked-answers": "off", "xml-standalone": "off", "xml-namespace": "obs"},
			"S", false, false, false, "http://127.0.0.1/doc/2015-06-30/", "http://127.0.0.1/doc/2015-06-30/"},
	} {
		h := newHarness(t, withProfile(t, c.compat, c.overrides))
		h.put("src", "0123456789")
		v2 := h.send(signV2(t, h, "", "PUT /bkt/v2", "x-amz-copy-source:bkt/src"))
		v4 := h.do("PUT", "/bkt/v4", "", "X-Amz-Copy-Source: bkt/src")
		for ns, r := range map[*string]reply{&c.v2: v2, &c.v4: v4} {
			require.Equal(t, 200, r.StatusCode, r.body)
			require.Equal(t, c.server, r.Header.Get("Server"))
			require.Equal(t, c.reserved, r.Header.Get("X-Reserved") == profile.ReservedHeaderValue)
			require.Equal(t, c.chunked, len(r.TransferEncoding) > 0)
			require.Equal(t, c.standalone, strings.Contains(r.body, `standalone="yes"`))
			require.Contains(t, r.body, `<CopyObjectResult xmlns="`+*ns+`">`)
		}
		missing := h.do("GET", "/bkt/none", "")
		require.Equal(t, c.server, missing.Header.Get("Server"), "of errors too")
		require.Equal(t, c.standalone, strings.Contains(missing.body, `standalone="yes"`))
		require.EqualValues(t, len(missing.body), missing.ContentLength)
	}
}

// TestProfileChangesWhileRunning: the next request has the new profile.
func TestProfileChangesWhileRunning(t *testing.T) {
	var p atomic.Pointer[profile.Profile]
	p.Store(profile.Default())
	h := newHarness(t, func(c *Config) { c.Profile = p.Load })
	require.Equal(t, "OBS", h.do("GET", "/bkt/none", "").Header.Get("Server"))
	next, err := profile.New(profile.AWS, nil)
	require.NoError(t, err)
	p.Store(next)
	require.Equal(t, "Cairn", h.do("GET", "/bkt/none", "").Header.Get("Server"))
}

// TestSDKReadsOBSDocuments: the AWS SDK does not mind OBS's namespace.
func TestSDKReadsOBSDocuments(t *testing.T) {
	everywhere := withProfile(t, profile.OBS, map[string]string{"xml-namespace": "obs"})
	walkObjects(t, newHarness(t, everywhere))
	h := newHarness(t, everywhere)
	location, err := h.sdk().GetBucketLocation(t.Context(), &s3.GetBucketLocationInput{Bucket: aws.String("bkt")})
	require.NoError(t, err)
	require.Empty(t, location.LocationConstraint)
	v2 := h.send(signV2(t, h, "", "GET /bkt?location"))
	require.Equal(t, "us-east-1", element(v2.body, "LocationConstraint"))
	require.Contains(t, v2.body, "<CreateBucketConfiguration ")
}

func TestDialect(t *testing.T) {
	for _, c := range []struct {
		path, header string
		want         profile.Dialect
	}{
		{"/b/k", "", profile.DialectV4},
		{"/b/k", "Authorization: AWS4-HMAC-SHA256 Credential=AK", profile.DialectV4},
		{"/b/k", "Authorization: AWS AK:sig", profile.DialectV2},
		{"/b/k", "Authorization: OBS AK:sig", profile.DialectOBS},
		{"/b/k?X-Amz-Signature=s&AccessKey=x", "", profile.DialectV4},
		{"/b/k?Expires=1&AWSAccessKeyId=AK&Signature=s", "", profile.DialectV2},
		{"/b/k?AccessKeyId=AK&Expires=1&Signature=s", "", profile.DialectOBS},
		{"/b/k", "X-Obs-Date: now", profile.DialectOBS},
	} {
		r := httptest.NewRequest("GET", c.path, nil)
		if name, value, ok := strings.Cut(c.header, ": "); ok {
			r.Header.Set(name, value)
		}
		require.Equal(t, c.want, dialectOf(r), "%+v", c)
	}
}

func TestEndpoint(t *testing.T) {
	s := &server{cfg: Config{Domains: []string{"obs.example.com"}}}
	for host, want := range map[string]string{
		"obs.example.com": "obs.example.com", "bucket.obs.example.com:9000": "obs.example.com", "a.b.OBS.example.com": "OBS.example.com",
		"127.0.0.1:9000": "127.0.0.1", "[::1]:9000": "[::1]", "other:80": "other", "": "localhost",
	} {
		require.Equal(t, want, s.endpoint(host), host)
	}
}
