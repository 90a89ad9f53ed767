package s3api

import (
	"bufio"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/s3err"
)

func dialectRequest(t testing.TB, target string, headers ...header) *http.Request {
	t.Helper()
	text := "GET " + target + " HTTP/1.1\r\nHost: h\r\n"
	for _, h := range headers {
		text += h.name + ": " + h.value + "\r\n"
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text + "\r\n")))
	require.NoError(t, err)
	return r
}

func TestNormalize(t *testing.T) {
	for name, c := range map[string]struct {
		target  string
		headers []header
		want    http.Header
		query   string
	}{
		"aws": {"/b/k?x-amz-acl=private", []header{{"x-amz-acl", "private"}}, http.Header{"X-Amz-Acl": {"private"}}, "x-amz-acl=private"},
		"obs": {"/b/k?acl", []header{{"Authorization", "OBS a:b"}, {"x-obs-acl", "private"}, {"x-obs-meta-A", "1"}, {"X-OBS-META-a", "2"}},
			http.Header{"Authorization": {"OBS a:b"}, "X-Amz-Acl": {"private"}, "X-Amz-Meta-A": {"1", "2"}}, "acl"},
		"copy": {"/b/k", []header{{"x-obs-copy-source", "/b/k"}, {"x-obs-copy-source-range", "bytes=0-1"}},
			http.Header{"X-Amz-Copy-Source": {"/b/k"}, "X-Amz-Copy-Source-Range": {"bytes=0-1"}}, ""},
		"kms": {"/b/k", []header{{"x-obs-server-side-encryption", "kms"}, {"x-obs-server-side-encryption-kms-key-id", "kms"}},
			http.Header{"X-Amz-Server-Side-Encryption": {"aws:kms"}, "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": {"kms"}}, ""},
		"AES256":               {"/b/k", []header{{"x-obs-server-side-encryption", "AES256"}}, http.Header{"X-Amz-Server-Side-Encryption": {"AES256"}}, ""},
		"kms in AWS":           {"/b/k", []header{{"x-amz-server-side-encryption", "kms"}}, http.Header{"X-Amz-Server-Side-Encryption": {"kms"}}, ""},
		"warm":                 {"/b/k", []header{{"x-obs-storage-class", "WARM"}}, http.Header{"X-Amz-Storage-Class": {"STANDARD_IA"}}, ""},
		"cold":                 {"/b/k", []header{{"x-obs-storage-class", "COLD"}}, http.Header{"X-Amz-Storage-Class": {"GLACIER"}}, ""},
		"odd class":            {"/b/k", []header{{"x-obs-storage-class", "TEPID"}}, http.Header{"X-Amz-Storage-Class": {"TEPID"}}, ""},
		"word in meta":         {"/b/k", []header{{"x-obs-meta-class", "WARM"}}, http.Header{"X-Amz-Meta-Class": {"WARM"}}, ""},
		"obs query not signed": {"/b/k?x-obs-acl=private", nil, http.Header{}, "x-obs-acl=private"},
		"presigned OBS": {"/b/k?acl&x-obs-security-token=t%2B&AccessKeyId=a&Expires=1&Signature=s", nil,
			http.Header{"X-Amz-Security-Token": {"t+"}}, "acl&AccessKeyId=a&Expires=1&Signature=s"},
		"presigned OBS, name encoded": {"/b/k?x%2Dobs-acl=private&%41ccessKeyId=a", nil, http.Header{"X-Amz-Acl": {"private"}}, "%41ccessKeyId=a"},
		"presigned OBS, unsigned x-amz": {"/b/k?x-amz-acl=private&content-type=a&AccessKeyId=a", nil, http.Header{},
			"x-amz-acl=private&content-type=a&AccessKeyId=a"},
		"presigned V2": {"/b/k?AWSAccessKeyId=a&Signature=s&content-type=text%2Fplain&x-amz-acl=public-read&x-amz-meta-a=b%20c&x-amz-meta-a=+d&Expires=1", nil,
			http.Header{"Content-Type": {"text/plain"}, "X-Amz-Acl": {"public-read"}, "X-Amz-Meta-A": {"b c", "d"}}, "AWSAccessKeyId=a&Signature=s&Expires=1"},
		"presigned V2, header wins": {"/b/k?AWSAccessKeyId=a&x-amz-acl=public-read", []header{{"x-amz-acl", "private"}},
			http.Header{"X-Amz-Acl": {"private"}}, "AWSAccessKeyId=a"},
		"presigned V2, unsigned x-obs": {"/b/k?AWSAccessKeyId=a&x-obs-acl=private", nil, http.Header{}, "AWSAccessKeyId=a&x-obs-acl=private"},
		"presigned V4": {"/b/k?acl&X-Amz-Date=d&x-amz-acl=private&X-Amz-Meta-A=b%20c&X-Amz-Checksum-Mode=ENABLED&X-Amz-Signature=s", nil,
			http.Header{"X-Amz-Acl": {"private"}, "X-Amz-Meta-A": {"b c"}, "X-Amz-Checksum-Mode": {"ENABLED"}}, "acl&X-Amz-Date=d&X-Amz-Signature=s"},
		"presigned V4, sums": {"/b/k?x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32&X-Amz-Content-Sha256=p&X-Amz-Trailer=t&X-Amz-Signature=s", nil, http.Header{},
			"x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32&X-Amz-Content-Sha256=p&X-Amz-Trailer=t&X-Amz-Signature=s"},
		"V4 in headers": {"/b/k?x-amz-acl=private", []header{{"Authorization", "AWS4-HMAC-SHA256 x"}}, http.Header{"Authorization": {"AWS4-HMAC-SHA256 x"}}, "x-amz-acl=private"},
		"bad query":     {"/b/k?AWSAccessKeyId=a&x-amz-acl=%zz&%zz", nil, http.Header{}, "AWSAccessKeyId=a&x-amz-acl=%zz&%zz"},
	} {
		t.Run(name, func(t *testing.T) {
			r := dialectRequest(t, c.target, c.headers...)
			headers, query := r.Header.Clone(), r.URL.RawQuery
			normal, err := normalize(r)
			require.NoError(t, err)
			require.Equal(t, c.want, normal.Header)
			require.Equal(t, c.query, normal.URL.RawQuery)
			require.Equal(t, headers, r.Header, "the signed request changed")
			require.Equal(t, query, r.URL.RawQuery, "the signed request changed")
			again, err := normalize(normal)
			require.NoError(t, err)
			require.Equal(t, normal, again)
		})
	}
}

// TestNormalizeRefuses: what one layer reads must not differ from what another does.
func TestNormalizeRefuses(t *testing.T) {
	for _, c := range [][]header{
		{{"x-obs-acl", "private"}, {"x-amz-acl", "public-read"}},
		{{"X-OBS-Acl", "private"}, {"X-AMZ-aCL", "private"}},
		{{"x-obs-server-side-encryption-kms-key-id", "a"}, {"x-amz-server-side-encryption-aws-kms-key-id", "b"}},
		{{"x-obs-server-side-encryption-kms-key-id", "a"}, {"x-obs-server-side-encryption-aws-kms-key-id", "b"}},
		{{"x-obs-copy-source", "/b/k"}, {"x-amz-copy-source", ""}},
	} {
		_, err := normalize(dialectRequest(t, "/b/k", c...))
		e := s3err.FromError(err)
		require.NotNil(t, e, "%v", c)
		require.Equal(t, s3err.InvalidArgument, e.Code)
		require.Contains(t, e.Message, "two names")
	}
}

// TestNormalizeProperty: one to one, nothing lost, nothing of OBS's left.
func TestNormalizeProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &http.Request{Header: http.Header{}, URL: &url.URL{}}
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[A-Z][a-z]{1,3}`), 0, 6, rapid.ID[string]).Draw(t, "names")
		want := http.Header{}
		for _, name := range names {
			prefix := rapid.SampledFrom([]string{"X-Obs-", "X-Amz-", "Y-"}).Draw(t, "prefix")
			r.Header.Set(prefix+name, name)
			want.Set(strings.Replace(prefix, "Obs", "Amz", 1)+name, name)
		}
		normal, err := normalize(r)
		if err != nil {
			t.Fatal(err)
		}
		if !maps.EqualFunc(normal.Header, want, slices.Equal) {
			t.Fatalf("%v, want %v", normal.Header, want)
		}
		for name, values := range normal.Header {
			if back, value := responseHeader(profile.DialectOBS, name, values[0]); hasPrefixFold(name, "X-Amz-") &&
				(!strings.EqualFold(back, strings.Replace(name, "Amz", "Obs", 1)) || value != values[0]) {
				t.Fatalf("%s came back as %s", name, back)
			}
		}
	})
}

func TestResponseHeader(t *testing.T) {
	for _, c := range []struct{ name, value, obsName, obsValue string }{
		{"x-amz-request-id", "1", "x-obs-request-id", "1"},
		{"x-amz-id-2", "1", "x-obs-id-2", "1"},
		{"x-amz-version-id", "1", "x-obs-version-id", "1"},
		{"x-amz-copy-source-version-id", "1", "x-obs-copy-source-version-id", "1"},
		{"x-amz-meta-Some", "aws:kms", "x-obs-meta-Some", "aws:kms"},
		{"x-amz-storage-class", "STANDARD_IA", "x-obs-storage-class", "WARM"},
		{"x-amz-storage-class", "GLACIER", "x-obs-storage-class", "COLD"},
		{"x-amz-server-side-encryption", "aws:kms", "x-obs-server-side-encryption", "kms"},
		{"x-amz-server-side-encryption", "AES256", "x-obs-server-side-encryption", "AES256"},
		{"x-amz-server-side-encryption-aws-kms-key-id", "arn:aws:kms:r:d:key/k", "x-obs-server-side-encryption-kms-key-id", "arn:aws:kms:r:d:key/k"},
		{"x-amz-server-side-encryption-customer-key-MD5", "m", "x-obs-server-side-encryption-customer-key-MD5", "m"},
		{"ETag", "x-amz-", "ETag", "x-amz-"},
		{"x-amzn", "1", "x-amzn", "1"},
	} {
		for _, d := range []profile.Dialect{profile.DialectV4, profile.DialectV2} {
			name, value := responseHeader(d, c.name, c.value)
			require.Equal(t, []string{c.name, c.value}, []string{name, value})
		}
		name, value := responseHeader(profile.DialectOBS, c.name, c.value)
		require.Equal(t, []string{c.obsName, c.obsValue}, []string{name, value})
	}
}

// TestNormalizeOBSSDK: what OBS's SDK sends in its own words is understood here.
func TestNormalizeOBSSDK(t *testing.T) {
	raw, err := os.ReadFile("sigauth/testdata/obs.json")
	require.NoError(t, err)
	var fixtures []struct {
		Name, Method, Target, Host string
		Headers                    [][2]string
	}
	require.NoError(t, json.Unmarshal(raw, &fixtures))
	require.NotEmpty(t, fixtures)
	for _, f := range fixtures {
		var headers []header
		for _, h := range f.Headers {
			headers = append(headers, header{h[0], h[1]})
		}
		normal, err := normalize(dialectRequest(t, f.Target, headers...))
		require.NoError(t, err, f.Name)
		for name := range normal.Header {
			require.False(t, hasPrefixFold(name, "X-Obs-"), "%s: %s", f.Name, name)
		}
		if strings.Contains(f.Name, "token") {
			require.Equal(t, "token/with+odd==characters", normal.Header.Get("X-Amz-Security-Token"), f.Name)
			require.NotContains(t, normal.URL.RawQuery, "security-token", f.Name)
		}
		switch f.Name {
		case "OBS put":
			require.Equal(t, "GLACIER", normal.Header.Get("X-Amz-Storage-Class"))
			require.Equal(t, "aws:kms", normal.Header.Get("X-Amz-Server-Side-Encryption"))
			require.Equal(t, "key", normal.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"))
		case "OBS part copy":
			require.Equal(t, "b/%C3%BC+k", normal.Header.Get("X-Amz-Copy-Source"))
		}
	}
}

func TestHostBucket(t *testing.T) {
	bucketOf := HostBucket([]string{"s3.example.com"})
	for host, want := range map[string]string{"s3.example.com": "", "B.s3.example.com:9000": "b", "a.b.s3.example.com": "a.b", "127.0.0.1:9000": "", ".s3.example.com": ""} {
		require.Equal(t, want, bucketOf(host), host)
	}
	require.Empty(t, HostBucket(nil)("b.s3.example.com"))
}
