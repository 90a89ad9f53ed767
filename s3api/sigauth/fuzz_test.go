package sigauth_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sigauth"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// request builds a server's request, without what net/http's parser would refuse.
func request(method, target, query string, headers http.Header, body []byte) *http.Request {
	return &http.Request{
		Method: method, Host: "h", Header: headers, RequestURI: target, ContentLength: int64(len(body)),
		URL: &url.URL{Path: target, RawQuery: query}, Body: io.NopCloser(bytes.NewReader(body)),
	}
}

// FuzzAuthorization: only what the secret signed is verified.
func FuzzAuthorization(f *testing.F) {
	for _, w := range publishedExamples() {
		f.Add(seedAuthorization(w))
	}
	f.Add("AWS " + exampleKey + ":qgk2+6Sv9/oM7G3qLEjTH1a1l1g=")
	f.Add("OBS " + exampleKey + ":")
	f.Fuzz(func(t *testing.T, value string) {
		r := request("GET", "/b/k", "", http.Header{"Authorization": {value}, "X-Amz-Date": {time.Now().UTC().Format("20060102T150405Z")},
			"X-Amz-Content-Sha256": {"UNSIGNED-PAYLOAD"}}, nil)
		_, err := fuzzVerifier.Verify(r)
		if codeOf(t, err) == "" {
			t.Fatalf("verified: %q", value)
		}
	})
}

// FuzzVerify: every request gets an answer, and a refusal has a code of the table.
func FuzzVerify(f *testing.F) {
	for _, w := range publishedExamples() {
		path, query, _ := strings.Cut(w.target, "?")
		f.Add(w.method, path, query, seedAuthorization(w), stamp, emptyDigest, "10", "x-amz-checksum-crc32", []byte("0\r\n\r\n"))
	}
	for _, e := range publishedV2() {
		path, query, _ := strings.Cut(e.w.target, "?")
		f.Add(e.w.method, path, query, seedAuthorization(e.w), e.when.Format(http.TimeFormat), "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
			"0", "x-amz-checksum-crc32", []byte("0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"))
	}
	f.Fuzz(func(t *testing.T, method, path, query, authorization, date, payload, length, trailer string, body []byte) {
		h := http.Header{}
		for name, v := range map[string]string{"Authorization": authorization, "X-Amz-Date": date, "X-Amz-Content-Sha256": payload,
			"X-Amz-Decoded-Content-Length": length, "X-Amz-Trailer": trailer} {
			if v != "" {
				h.Set(name, v)
			}
		}
		req, err := fuzzVerifier.Verify(request(method, path, query, h, body))
		if err != nil {
			_, document := wirexml.Render(s3err.FromError(err), path, "id", "host")
			if codeOf(t, err); strings.Contains(string(document), exampleSecret) {
				t.Fatal("the secret is told")
			}
			return
		}
		if !req.Anonymous {
			t.Fatal("verified")
		}
		plain, err := io.ReadAll(req.Body)
		if codeOf(t, err); err == nil && req.Size >= 0 && int64(len(plain)) != req.Size {
			t.Fatalf("%d bytes of %d", len(plain), req.Size)
		}
	})
}

// FuzzVerifyV2: in no form of V2 and OBS is a request verified by a signature that does not depend
// on the secret, and each request gets an answer.
func FuzzVerifyV2(f *testing.F) {
	f.Add("PUT", "/b/k", "partNumber=1&uploadId=u", "x-amz-copy-source", "/b/k", "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=")
	f.Add("GET", "/b", "acl&response-content-type=a%26acl", "x-obs-acl", " a ", "")
	f.Add("GET", "/b/k", "x-amz-acl=private&content-type=a&x-obs-security-token=t", "Content-Type", "a,b", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	f.Fuzz(func(t *testing.T, method, path, query, name, value, signature string) {
		end := strconv.FormatInt(time.Now().Unix()+600, 10)
		for _, scheme := range []string{"AWS", "OBS"} {
			h := http.Header{}
			h.Set(name, value)
			inQuery := request(method, path, query+"&"+strings.TrimPrefix(scheme, "OBS")+"AccessKeyId="+exampleKey+
				"&Expires="+end+"&Signature="+url.QueryEscape(signature), h, nil)
			signed := h.Clone()
			signed["Date"] = []string{time.Now().UTC().Format(http.TimeFormat)}
			signed["Authorization"] = []string{scheme + " " + exampleKey + ":" + signature}
			for _, r := range []*http.Request{request(method, path, query, signed, nil), inQuery} {
				_, err := fuzzVerifier.Verify(r)
				if codeOf(t, err) == "" {
					t.Fatal("verified")
				}
			}
		}
	})
}

// FuzzChunked: however a body is read, it is read whole or with an error.
func FuzzChunked(f *testing.F) {
	f.Add([]byte("4\r\nbody\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"), uint16(4), byte(3))
	f.Add([]byte("1\r\nb\r\n3\r\nody\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"), uint16(4), byte(1))
	f.Add([]byte("0\r\n\r\n"), uint16(0), byte(0))
	f.Add(streamingExample().body[:200], uint16(100), byte(9))
	f.Fuzz(func(t *testing.T, body []byte, size uint16, step byte) {
		read := func(step int) ([]byte, error) {
			r := request("PUT", "/b/k", "", http.Header{"X-Amz-Content-Sha256": {"STREAMING-UNSIGNED-PAYLOAD-TRAILER"},
				"X-Amz-Decoded-Content-Length": {strconv.Itoa(int(size))}, "X-Amz-Trailer": {"x-amz-checksum-crc32"}}, body)
			r.ContentLength = -1
			req, err := fuzzVerifier.Verify(r)
			if err != nil {
				return nil, err
			}
			var plain []byte
			b := make([]byte, step)
			for {
				n, err := req.Body.Read(b)
				plain = append(plain, b[:n]...)
				if err == io.EOF {
					if len(plain) != int(size) || len(req.Trailers()) != 1 {
						t.Fatalf("%d bytes of %d, trailers %v", len(plain), size, req.Trailers())
					}
					return plain, nil
				}
				if err != nil {
					if codeOf(t, err); size > 0 && len(plain) >= int(size) {
						t.Fatalf("all bytes handed out before %v", err)
					}
					return nil, err
				}
			}
		}
		whole, err := read(1 << 16)
		pieces, piecesErr := read(int(step) + 1)
		if codeOf(t, err) != codeOf(t, piecesErr) || string(whole) != string(pieces) {
			t.Fatalf("%v in one read, %v in pieces of %d", err, piecesErr, step)
		}
	})
}

var fuzzVerifier = sigauth.New(sigauth.Config{Keys: secrets{exampleKey: exampleSecret}})

func seedAuthorization(w *wire) string {
	for _, h := range w.headers {
		if h.name == "Authorization" {
			return h.value
		}
	}
	return ""
}

func BenchmarkVerify(b *testing.B) {
	now := time.Now().UTC().Format("20060102T150405Z")
	w := &wire{method: "PUT", target: "/bucket/some/object/key-0001?partNumber=3&uploadId=abcdef", host: "127.0.0.1:9000", headers: []header{
		{"x-amz-date", now}, {"x-amz-content-sha256", "UNSIGNED-PAYLOAD"}, {"content-type", "application/octet-stream"}, {"x-amz-meta-a", "b"}}}
	signWire(w, now, "us-east-1", "host", "x-amz-date", "x-amz-content-sha256", "content-type", "x-amz-meta-a")
	r := w.parse(b)
	v := verifier()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(r); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkBody(b *testing.B, w *wire) {
	r := w.parse(b)
	v := verifier()
	buf := make([]byte, 256<<10)
	b.ReportAllocs()
	var size int64
	for b.Loop() {
		r.Body = io.NopCloser(bytes.NewReader(w.body))
		req, err := v.Verify(r)
		if err != nil {
			b.Fatal(err)
		}
		size = 0
		for {
			n, err := req.Body.Read(buf)
			size += int64(n)
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.SetBytes(size)
}

// BenchmarkUnsignedChunks decodes 16 MiB in chunks of 1 MiB.
func BenchmarkUnsignedChunks(b *testing.B) {
	chunk := "100000\r\n" + strings.Repeat("x", 1<<20) + "\r\n"
	w := &wire{method: "PUT", target: "/b/k", host: "h", headers: []header{{"x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"},
		{"x-amz-decoded-content-length", "16777216"}, {"x-amz-trailer", "x-amz-checksum-crc32"}},
		body: []byte(strings.Repeat(chunk, 16) + "0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n")}
	benchmarkBody(b, w)
}
