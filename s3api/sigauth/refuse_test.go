package sigauth_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sigauth"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

func mac(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}

// signWire signs a request as the specification says, independently of the package; only plain
// paths and queries. It signs the headers that are named, and sets Authorization.
func signWire(w *wire, stamp, region string, names ...string) {
	slices.Sort(names)
	path, query, _ := strings.Cut(w.target, "?")
	var lines, payload string
	for _, name := range names {
		value := w.host
		for _, h := range w.headers {
			if strings.EqualFold(h.name, name) {
				value = h.value
			}
		}
		lines += name + ":" + value + "\n"
	}
	for _, h := range w.headers {
		if strings.EqualFold(h.name, "x-amz-content-sha256") {
			payload = h.value
		}
	}
	canonical := strings.Join([]string{w.method, path, query, lines, strings.Join(names, ";"), payload}, "\n")
	digest := sha256.Sum256([]byte(canonical))
	scope := stamp[:8] + "/" + region + "/s3/aws4_request"
	key := mac(mac(mac(mac([]byte("AWS4"+exampleSecret), stamp[:8]), region), "s3"), "aws4_request")
	signature := mac(key, "AWS4-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+hex.EncodeToString(digest[:]))
	w.set("Authorization", "AWS4-HMAC-SHA256 Credential="+exampleKey+"/"+scope+
		", SignedHeaders="+strings.Join(names, ";")+", Signature="+hex.EncodeToString(signature))
}

const stamp = "20130524T000000Z"

// signed returns a signed PUT with the given headers besides the usual ones.
func signed(payload, body string, more ...header) *wire {
	w := &wire{method: "PUT", target: "/b/k", host: "h", body: []byte(body),
		headers: append([]header{{"x-amz-date", stamp}, {"x-amz-content-sha256", payload}}, more...)}
	names := []string{"host"}
	for _, h := range w.headers {
		names = append(names, strings.ToLower(h.name))
	}
	signWire(w, stamp, "us-east-1", names...)
	return w
}

func TestRefusals(t *testing.T) {
	unsigned := "UNSIGNED-PAYLOAD"
	edit := func(f func(w *wire)) *wire {
		w := signed(unsigned, "")
		f(w)
		return w
	}
	replace := func(old, new string) *wire {
		return edit(func(w *wire) {
			i := len(w.headers) - 1
			w.headers[i].value = strings.Replace(w.headers[i].value, old, new, 1)
		})
	}
	query := func(q string) *wire { return &wire{method: "GET", target: "/b/k?" + q, host: "h"} }
	presign := func(old, new string) *wire {
		w := publishedExamples()["presigned"]
		w.target = strings.Replace(w.target, old, new, 1)
		return w
	}
	for name, c := range map[string]struct {
		w     *wire
		code  s3err.Code
		about string // In the message or an extra element.
	}{
		"good":                     {signed(unsigned, "x"), "", ""},
		"unknown key":              {replace(exampleKey, "AKIANOBODY"), s3err.InvalidAccessKeyID, "AKIANOBODY"},
		"wrong signature":          {replace("Signature=", "Signature=0000"), s3err.AuthorizationHeaderMalformed, "Signature"},
		"other signature":          {edit(func(w *wire) { w.method = "POST" }), s3err.SignatureDoesNotMatch, exampleKey},
		"no credential":            {replace("Credential=", "Credentials="), s3err.AuthorizationHeaderMalformed, "Credential"},
		"credential twice":         {replace("Credential=", "Credential=x, Credential="), s3err.AuthorizationHeaderMalformed, "once"},
		"no signed headers":        {replace("SignedHeaders=", ""), s3err.AuthorizationHeaderMalformed, "SignedHeaders"},
		"signed header upper case": {replace("host;", "Host;"), s3err.AuthorizationHeaderMalformed, "lower case"},
		"signed header twice":      {replace("host;", "host;host;"), s3err.AuthorizationHeaderMalformed, "ascending"},
		"signed header absent":     {replace("host;", "host;range;"), s3err.SignatureDoesNotMatch, "range"},
		"scope of no parts":        {replace("/20130524/us-east-1/s3/aws4_request", ""), s3err.AuthorizationHeaderMalformed, "Credential"},
		"scope's terminator":       {replace("aws4_request", "aws5_request"), s3err.AuthorizationHeaderMalformed, "Credential"},
		"service":                  {replace("/s3/", "/iam/"), s3err.AuthorizationHeaderMalformed, "s3"},
		"region":                   {replace("us-east-1", "us-west-1"), s3err.AuthorizationHeaderMalformed, "eu-de"},
		"scope's date":             {replace("20130524", "20130523"), s3err.AuthorizationHeaderMalformed, "date"},
		"scope's date no date":     {replace("20130524", "2013052x"), s3err.AuthorizationHeaderMalformed, "Credential"},
		"long header":              {replace("host;", strings.Repeat("a", 5000)+";host;"), s3err.AuthorizationHeaderMalformed, "4096"},
		"version 2":                {edit(func(w *wire) { w.set("Authorization", "AWS k:s") }), s3err.InvalidAccessKeyID, "<AWSAccessKeyId>k<"},
		"basic":                    {edit(func(w *wire) { w.set("Authorization", "Basic eA==") }), s3err.InvalidRequest, "AWS4-HMAC-SHA256"},
		"empty authorization":      {edit(func(w *wire) { w.set("Authorization", "") }), s3err.AccessDenied, "empty"},
		"no fields":                {edit(func(w *wire) { w.set("Authorization", "AWS4-HMAC-SHA256") }), s3err.AuthorizationHeaderMalformed, ""},
		"version 4A":               {replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), s3err.NotImplemented, "4A"},
		"two authorizations":       {edit(func(w *wire) { w.headers = append(w.headers, w.headers[len(w.headers)-1]) }), s3err.InvalidArgument, "Only one"},
		"header and query":         {edit(func(w *wire) { w.target += "?X-Amz-Signature=00" }), s3err.InvalidArgument, "Only one"},
		"header and V2 query":      {edit(func(w *wire) { w.target += "?AWSAccessKeyId=x" }), s3err.InvalidArgument, "Only one"},
		"two dates":                {edit(func(w *wire) { w.headers = append(w.headers, w.headers[0]) }), s3err.InvalidArgument, "x-amz-date"},
		"no date":                  {edit(func(w *wire) { w.headers = w.headers[1:] }), s3err.AccessDenied, "date"},
		"odd date":                 {edit(func(w *wire) { w.headers[0].value = "2013-05-24T00:00:00Z" }), s3err.AccessDenied, "date"},
		"no payload word":          {edit(func(w *wire) { w.headers = slices.Delete(w.headers, 1, 2) }), s3err.InvalidRequest, "x-amz-content-sha256"},
		"odd payload word":         {signed("SIGNED", ""), s3err.InvalidArgument, "x-amz-content-sha256"},
		"payload of 63 digits":     {signed(emptyDigest[1:], ""), s3err.InvalidArgument, "sha256"},
		"ECDSA payload":            {signed("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", ""), s3err.NotImplemented, "4A"},
		"wrong digest, no body":    {signed(strings.Repeat("00", 32), ""), s3err.XAmzContentSHA256Mismatch, ""},
		"wrong digest":             {signed(emptyDigest, "x"), s3err.XAmzContentSHA256Mismatch, ""},
		"unsigned x-amz header":    {edit(func(w *wire) { w.set("x-amz-copy-source", "/b/k") }), s3err.AccessDenied, "x-amz-copy-source"},
		"unsigned token":           {edit(func(w *wire) { w.set("X-Amz-Security-Token", "t") }), s3err.AccessDenied, "x-amz-security-token"},
		"token":                    {signed(unsigned, "", header{"x-amz-security-token", "t"}), s3err.InvalidToken, ""},
		"unsigned trace id":        {edit(func(w *wire) { w.set("X-Amzn-Trace-Id", "t") }), "", ""},
		"trailer without form":     {signed(unsigned, "", header{"x-amz-trailer", "x-amz-checksum-crc32"}), s3err.InvalidRequest, "x-amz-trailer"},
		"bad query":                {edit(func(w *wire) { w.target += "?a=%zz" }), s3err.InvalidURI, ""},
		"crowded query":            {edit(func(w *wire) { w.target += "?" + strings.Repeat("a&", 2000) }), s3err.InvalidURI, "1024"},
		"presigned, crowded":       {presign("SignedHeaders=host", "SignedHeaders=host"+strings.Repeat(";x", 5000)), s3err.AuthorizationQueryParametersError, "4096"},
		"no decoded length":        {signed("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "x"), s3err.MissingContentLength, "decoded"},
		"negative decoded length":  {signed("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "x", header{"x-amz-decoded-content-length", "-1"}), s3err.InvalidArgument, "decoded"},
		"signed decoded length":    {signed("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "x", header{"x-amz-decoded-content-length", "+1"}), s3err.InvalidArgument, "decoded"},
		"huge decoded length":      {signed("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "x", header{"x-amz-decoded-content-length", "99999999999999999999"}), s3err.InvalidArgument, "decoded"},
		"too long decoded length":  {signed("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "x", header{"x-amz-decoded-content-length", "2"}), s3err.IncompleteBody, "decoded"},
		"presigned V2":             {query("AWSAccessKeyId=a&Signature=b&Expires=1"), s3err.AccessDenied, "expired"},
		"presigned, part":          {query("X-Amz-Signature=00"), s3err.AuthorizationQueryParametersError, "requires"},
		"presigned, algorithm":     {presign("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512"), s3err.AuthorizationQueryParametersError, "Algorithm"},
		"presigned 4A":             {presign("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), s3err.NotImplemented, "4A"},
		"presigned, too long":      {presign("86400", "604801"), s3err.AuthorizationQueryParametersError, "week"},
		"presigned, no number":     {presign("86400", "1d"), s3err.AuthorizationQueryParametersError, "number"},
		"presigned, zero":          {presign("86400", "0"), s3err.AuthorizationQueryParametersError, "positive"},
		"presigned, negative":      {presign("86400", "-5"), s3err.AuthorizationQueryParametersError, "positive"},
		"presigned, other expiry":  {presign("86400", "86401"), s3err.SignatureDoesNotMatch, ""},
		"presigned, twice":         {presign("X-Amz-Expires", "X-Amz-Expires=1&X-Amz-Expires"), s3err.AuthorizationQueryParametersError, "once"},
		"presigned, encoded twice": {presign("X-Amz-Expires", "X%2DAmz-Expires=1&X-Amz-Expires"), s3err.AuthorizationQueryParametersError, "once"},
		"presigned, date":          {presign("X-Amz-Date=20130524T000000Z", "X-Amz-Date=yesterday"), s3err.AuthorizationQueryParametersError, "X-Amz-Date"},
		"presigned, region":        {presign("us-east-1", "us-west-1"), s3err.AuthorizationQueryParametersError, "eu-de"},
		"presigned, host":          {presign("SignedHeaders=host", "SignedHeaders=range"), s3err.AccessDenied, "host"},
		"presigned, more query":    {presign("?", "?a=b&"), s3err.SignatureDoesNotMatch, ""},
	} {
		t.Run(name, func(t *testing.T) {
			at(t, published, func(t *testing.T) {
				_, _, err := outcome(verifier(), c.w.parse(t))
				require.Equal(t, c.code, codeOf(t, err), "%v", err)
				if err == nil {
					return
				}
				_, document := wirexml.Render(s3err.FromError(err), "/b/k", "id", "host")
				require.Contains(t, string(document), c.about)
				require.NotContains(t, string(document)+err.Error(), exampleSecret)
			})
		})
	}
}

func TestSkewAndExpiry(t *testing.T) {
	for name, c := range map[string]struct {
		w     *wire
		after time.Duration
		code  s3err.Code
		says  string
	}{
		"header 15 min old":   {signed("UNSIGNED-PAYLOAD", ""), 15 * time.Minute, "", ""},
		"header older":        {signed("UNSIGNED-PAYLOAD", ""), 15*time.Minute + time.Second, s3err.RequestTimeTooSkewed, "900000"},
		"header 15 min ahead": {signed("UNSIGNED-PAYLOAD", ""), -15 * time.Minute, "", ""},
		"header from future":  {signed("UNSIGNED-PAYLOAD", ""), -15*time.Minute - time.Second, s3err.RequestTimeTooSkewed, stamp},
		"url in time":         {publishedExamples()["presigned"], 24 * time.Hour, "", ""},
		"url expired":         {publishedExamples()["presigned"], 24*time.Hour + time.Second, s3err.AccessDenied, "Request has expired"},
		"url not yet valid":   {publishedExamples()["presigned"], -16 * time.Minute, s3err.AccessDenied, "not yet valid"},
	} {
		t.Run(name, func(t *testing.T) {
			at(t, published.Add(c.after), func(t *testing.T) {
				_, _, err := outcome(verifier(), c.w.parse(t))
				require.Equal(t, c.code, codeOf(t, err))
				if err != nil {
					_, document := wirexml.Render(s3err.FromError(err), "/", "id", "host")
					require.Contains(t, string(document), c.says)
				}
			})
		})
	}
}

// TestDateHeader signs with Date alone, which some clients do.
func TestDateHeader(t *testing.T) {
	at(t, published, func(t *testing.T) {
		for _, date := range []string{"Fri, 24 May 2013 00:00:00 GMT", stamp} {
			w := &wire{method: "GET", target: "/b/k", host: "h", headers: []header{
				{"date", date}, {"x-amz-content-sha256", "UNSIGNED-PAYLOAD"}}}
			signWire(w, stamp, "us-east-1", "date", "host", "x-amz-content-sha256")
			_, _, err := outcome(verifier(), w.parse(t))
			require.NoError(t, err, date)
		}
	})
}

func TestAnonymous(t *testing.T) {
	v := verifier()
	r := httptest.NewRequest("GET", "/b/k", strings.NewReader("body"))
	req, body, err := outcome(v, r)
	require.NoError(t, err)
	require.True(t, req.Anonymous)
	require.Empty(t, req.Credential.AccessKey)
	require.Equal(t, "body", string(body))

	const chunks = "4\r\nbody\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
	r = httptest.NewRequest("PUT", "/b/k", strings.NewReader(chunks))
	r.Header.Set("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
	r.Header.Set("x-amz-decoded-content-length", "4")
	r.Header.Set("x-amz-trailer", "x-amz-checksum-crc32")
	req, body, err = outcome(v, r)
	require.NoError(t, err)
	require.Equal(t, "body", string(body))
	require.Equal(t, "AAAAAA==", req.Trailers()["x-amz-checksum-crc32"])

	r.Header.Set("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
	_, err = v.Verify(r)
	require.Equal(t, s3err.InvalidRequest, codeOf(t, err))
}

// TestUnsignedChunks reads unsigned chunked bodies, good and bad.
func TestUnsignedChunks(t *testing.T) {
	const crc = "x-amz-checksum-crc32:AAAAAA==\r\n"
	for name, c := range map[string]struct {
		size string
		body string
		code s3err.Code
	}{
		"one chunk":             {"4", "4\r\nbody\r\n0\r\n" + crc + "\r\n", ""},
		"two chunks":            {"4", "3\r\nbod\r\n1\r\ny\r\n0\r\n" + crc + "\r\n", ""},
		"capital hex":           {"10", "A\r\n0123456789\r\n0\r\n" + crc + "\r\n", ""},
		"leading zeros":         {"4", "0004\r\nbody\r\n000\r\n" + crc + "\r\n", ""},
		"empty":                 {"0", "0\r\n" + crc + "\r\n", ""},
		"nothing at all":        {"0", "", s3err.IncompleteBody},
		"trailer with LF":       {"4", "4\r\nbody\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\n\r\n", ""},
		"trailer with blanks":   {"4", "4\r\nbody\r\n0\r\nX-Amz-Checksum-Crc32: AAAAAA== \r\n\r\n", ""},
		"trailer, empty lines":  {"4", "4\r\nbody\r\n0\r\n" + crc + "\r\n\r\n", ""},
		"trailer, LF line":      {"4", "4\r\nbody\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\n\r\n\r\n", ""},
		"too many empty lines":  {"4", "4\r\nbody\r\n0\r\n" + crc + strings.Repeat("\r\n", 64), s3err.MalformedTrailerError},
		"behind empty lines":    {"4", "4\r\nbody\r\n0\r\n" + crc + "\r\n\r\nx", s3err.InvalidRequest},
		"no trailer":            {"4", "4\r\nbody\r\n0\r\n\r\n", s3err.MalformedTrailerError},
		"other trailer":         {"4", "4\r\nbody\r\n0\r\nx-amz-checksum-sha1:AAAAAA==\r\n\r\n", s3err.MalformedTrailerError},
		"trailer twice":         {"4", "4\r\nbody\r\n0\r\n" + crc + crc + "\r\n", s3err.MalformedTrailerError},
		"trailer without colon": {"4", "4\r\nbody\r\n0\r\nx-amz-checksum-crc32\r\n\r\n", s3err.MalformedTrailerError},
		"trailer without value": {"4", "4\r\nbody\r\n0\r\nx-amz-checksum-crc32:\r\n\r\n", s3err.MalformedTrailerError},
		"trailer too long":      {"4", "4\r\nbody\r\n0\r\nx-amz-checksum-crc32:" + strings.Repeat("A", 5000) + "\r\n\r\n", s3err.MalformedTrailerError},
		"trailer cut":           {"4", "4\r\nbody\r\n0\r\n" + crc, s3err.IncompleteBody},
		"bytes behind":          {"4", "4\r\nbody\r\n0\r\n" + crc + "\r\nx", s3err.InvalidRequest},
		"too short":             {"5", "4\r\nbody\r\n0\r\n" + crc + "\r\n", s3err.IncompleteBody},
		"too long":              {"3", "4\r\nbody\r\n0\r\n" + crc + "\r\n", s3err.IncompleteBody},
		"one chunk too many":    {"4", "4\r\nbody\r\n1\r\nx\r\n0\r\n" + crc + "\r\n", s3err.IncompleteBody},
		"no last chunk":         {"4", "4\r\nbody\r\n" + strings.Repeat(" ", 9), s3err.IncompleteBody},
		"huge chunk":            {"4", "7fffffffffffffff\r\nbody\r\n0\r\n\r\n", s3err.InvalidRequest},
		"negative chunk":        {"4", "-4\r\nbody\r\n0\r\n\r\n", s3err.InvalidRequest},
		"0x chunk":              {"4", "0x4\r\nbody\r\n0\r\n\r\n", s3err.InvalidRequest},
		"empty chunk size":      {"4", "\r\nbody\r\n0\r\n\r\n", s3err.InvalidRequest},
		"LF chunk header":       {"4", "4\nbody\r\n0\r\n" + crc + "\r\n", s3err.InvalidRequest},
		"no CR LF behind":       {"4", "4\r\nbodyxx0\r\n" + crc + "\r\n", s3err.InvalidRequest},
		"extension":             {"4", "4;a=b\r\nbody\r\n0\r\n" + crc + "\r\n", s3err.InvalidRequest},
		"long chunk header":     {"4", strings.Repeat("0", 300) + "4\r\nbody\r\n0\r\n" + crc + "\r\n", s3err.InvalidRequest},
		"no line at all":        {"4", strings.Repeat("0", 10000), s3err.InvalidRequest},
	} {
		t.Run(name, func(t *testing.T) {
			at(t, published, func(t *testing.T) {
				w := signed("STREAMING-UNSIGNED-PAYLOAD-TRAILER", c.body, header{"x-amz-decoded-content-length", c.size},
					header{"x-amz-trailer", "x-amz-checksum-crc32"})
				req, err := verifier().Verify(w.parse(t))
				require.NoError(t, err)
				plain := make([]byte, req.Size)
				_, err = io.ReadFull(req.Body, plain)
				if err == nil {
					_, err = req.Body.Read(make([]byte, 1))
					if errors.Is(err, io.EOF) {
						err = nil
					}
				}
				require.Equal(t, c.code, codeOf(t, err), "%v", err)
				if err == nil {
					require.Equal(t, "AAAAAA==", req.Trailers()["x-amz-checksum-crc32"])
				} else {
					require.Empty(t, req.Trailers())
				}
			})
		})
	}
}

// TestBrokenConnection has the connection fail in the middle of each kind of body.
func TestBrokenConnection(t *testing.T) {
	at(t, published, func(t *testing.T) {
		for _, w := range []*wire{signed("UNSIGNED-PAYLOAD", "0123456789"), publishedExamples()["put object"], streamingExample(), trailerExample()} {
			w.set("Content-Length", fmt.Sprint(len(w.body)))
			full := w.body
			w.body = w.body[:len(full)/2]
			_, _, err := outcome(verifier(), w.parse(t))
			require.Equal(t, s3err.IncompleteBody, codeOf(t, err))
		}
		r := signed("UNSIGNED-PAYLOAD", "0123456789").parse(t)
		r.Body = io.NopCloser(&failing{context.DeadlineExceeded})
		_, _, err := outcome(verifier(), r)
		require.Equal(t, s3err.RequestTimeout, codeOf(t, err))
	})
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

// TestChunkMemory sends the header of a signed chunk that announces much, and nothing more. Memory
// must follow the bytes that come and not the announcement.
func TestChunkMemory(t *testing.T) {
	at(t, published, func(t *testing.T) {
		body := "1000000;chunk-signature=" + emptyDigest + "\r\n"
		big := signed("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", body, header{"x-amz-decoded-content-length", "16777217"})
		big.chunked = true
		req, err := verifier().Verify(big.parse(t))
		require.NoError(t, err)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = req.Body.Read(make([]byte, 10))
		runtime.ReadMemStats(&after)
		require.Equal(t, s3err.IncompleteBody, codeOf(t, err))
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))

		big = signed("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "1000001;chunk-signature="+emptyDigest+"\r\n", header{"x-amz-decoded-content-length", "16777217"})
		big.chunked = true
		req, err = verifier().Verify(big.parse(t))
		require.NoError(t, err)
		_, err = req.Body.Read(make([]byte, 10))
		require.Equal(t, s3err.InvalidRequest, codeOf(t, err))
	})
}

func TestRegions(t *testing.T) {
	at(t, published, func(t *testing.T) {
		keys := secrets{exampleKey: exampleSecret}
		for _, c := range []struct {
			configured, used string
			good             bool
		}{{"", "anything", true}, {"eu-de", "eu-de", true}, {"eu-de", "us-east-1", true}, {"eu-de", "eu-fr", false}} {
			w := signed("UNSIGNED-PAYLOAD", "")
			signWire(w, stamp, c.used, "host", "x-amz-date", "x-amz-content-sha256")
			_, err := sigauth.New(sigauth.Config{Keys: keys, Region: c.configured}).Verify(w.parse(t))
			require.Equal(t, c.good, err == nil, "%+v: %v", c, err)
		}
	})
}

// failingKeys are Keys that cannot answer.
type failingKeys struct{}

func (failingKeys) Lookup(context.Context, string, string) (sigauth.Credential, error) {
	return sigauth.Credential{}, errs.New("keys", errs.Unavailable, nil)
}

func TestKeysUnavailable(t *testing.T) {
	at(t, published, func(t *testing.T) {
		_, err := sigauth.New(sigauth.Config{Keys: failingKeys{}}).Verify(signed("UNSIGNED-PAYLOAD", "").parse(t))
		require.Equal(t, s3err.ServiceUnavailable, codeOf(t, err))
	})
}

// TestSecretChanges proves that the cache of signing keys is bound to the secret.
func TestSecretChanges(t *testing.T) {
	at(t, published, func(t *testing.T) {
		keys := secrets{exampleKey: exampleSecret}
		v := sigauth.New(sigauth.Config{Keys: keys})
		_, err := v.Verify(signed("UNSIGNED-PAYLOAD", "").parse(t))
		require.NoError(t, err)
		keys[exampleKey] = "another"
		_, err = v.Verify(signed("UNSIGNED-PAYLOAD", "").parse(t))
		require.Equal(t, s3err.SignatureDoesNotMatch, codeOf(t, err))
	})
}

func TestCredentialIsRedacted(t *testing.T) {
	c := sigauth.Credential{AccessKey: "ak", Secret: "hidden"}
	text, err := json.Marshal(map[string]any{"c": c, "p": &c})
	require.NoError(t, err)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", c, &c, c, c)+string(text), "hidden")
	require.NotContains(t, fmt.Sprintf("%+v", sigauth.Request{Credential: c}), "hidden")
}

func TestStripChunked(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "gzip": "gzip", "aws-chunked": "", "AWS-Chunked": "", "gzip,aws-chunked": "gzip", "aws-chunked, gzip": "gzip",
		"aws-chunked,": "", "gzip, aws-chunked ,br": "gzip, br", "x-aws-chunked": "x-aws-chunked", "a , b": "a , b",
	} {
		require.Equal(t, want, sigauth.StripChunked(in), in)
	}
}

// TestServer goes through a real net/http server and client.
func TestServer(t *testing.T) {
	v := verifier()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, body, err := outcome(v, r)
		if err != nil {
			http.Error(w, err.Error(), s3err.FromError(err).Status())
			return
		}
		_, _ = w.Write(body)
	}))
	defer server.Close()
	now := time.Now().UTC().Format("20060102T150405Z")
	digest := sha256.Sum256([]byte("hello"))
	w := &wire{method: "PUT", target: "/b//a%20b/%2B/../%25/", host: strings.TrimPrefix(server.URL, "http://"), headers: []header{
		{"x-amz-date", now}, {"x-amz-content-sha256", hex.EncodeToString(digest[:])}}}
	signWire(w, now, "eu-de", "host", "x-amz-date", "x-amz-content-sha256")
	r, err := http.NewRequest(w.method, server.URL+w.target, bytes.NewReader([]byte("hello")))
	require.NoError(t, err)
	for _, h := range w.headers {
		r.Header.Set(h.name, h.value)
	}
	answer, err := server.Client().Do(r)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, "hello", string(body))
}
