package sigauth_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/minio/minio-go/v7/pkg/signer"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// drawText draws text that is hard on encoders.
func drawText(t *rapid.T, label string) string {
	return rapid.StringOfN(rapid.RuneFrom([]rune("ab Z09-._~/%+&=?#;,:@!$'()*[]\"<>\\^`{|}ü漢\U0001F600\x01\x7f\r\n")), 0, 24, -1).Draw(t, label)
}

// drawRequest draws a request as an SDK would build it.
func drawRequest(t *rapid.T) (*http.Request, []byte) {
	const unreserved = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~/"
	var path strings.Builder
	path.WriteByte('/')
	for _, c := range []byte(drawText(t, "key")) {
		if strings.IndexByte(unreserved, c) >= 0 {
			path.WriteByte(c)
		} else {
			path.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{c})))
		}
	}
	query := url.Values{}
	for range rapid.IntRange(0, 4).Draw(t, "parameters") {
		query.Add(drawText(t, "name"), drawText(t, "value"))
	}
	body := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "body")
	method := rapid.SampledFrom([]string{"GET", "PUT", "POST", "DELETE", "HEAD"}).Draw(t, "method")
	target := "https://bucket.example.com:9000" + path.String()
	if len(query) > 0 {
		target += "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
	}
	r, err := http.NewRequest(method, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range rapid.IntRange(0, 3).Draw(t, "headers") {
		name := rapid.SampledFrom([]string{"X-Amz-Meta-A", "X-Amz-Meta-B", "Content-Type", "Range", "X-Amz-Copy-Source", "X-Other"}).Draw(t, "header")
		value := rapid.StringMatching(`[!-~]{0,5}( {0,3}[!-~]{1,5}){0,3}`).Draw(t, "text")
		r.Header.Set(name, value)
	}
	return r, body
}

// TestOracleHeader has the AWS SDK for Go sign random requests.
func TestOracleHeader(t *testing.T) {
	sdk := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	v := verifier()
	rapid.Check(t, func(t *rapid.T) {
		r, body := drawRequest(t)
		digest := sha256.Sum256(body)
		payload := hex.EncodeToString(digest[:])
		if rapid.Bool().Draw(t, "unsigned") {
			payload = "UNSIGNED-PAYLOAD"
		}
		r.Header.Set("X-Amz-Content-Sha256", payload)
		credentials := aws.Credentials{AccessKeyID: "a/b", SecretAccessKey: "slashed"}
		skew := time.Duration(rapid.IntRange(-600, 600).Draw(t, "skew")) * time.Second
		region := rapid.SampledFrom([]string{"us-east-1", "eu-de"}).Draw(t, "region")
		if err := sdk.SignHTTP(context.Background(), credentials, r, payload, "s3", region, time.Now().Add(skew)); err != nil {
			t.Fatal(err)
		}
		w := fromClient(r, body)
		got, err := w.read()
		if err != nil {
			t.Fatal(err)
		}
		req, plain, err := outcome(v, got)
		if err != nil {
			t.Fatalf("%v\n%s %s\n%v", err, w.method, w.target, w.headers)
		}
		if req.Credential.AccessKey != "a/b" || string(plain) != string(body) || req.Region != region {
			t.Fatalf("not what was sent: %+v", req)
		}
	})
}

// TestOraclePresigned has the AWS SDK for Go presign random requests.
func TestOraclePresigned(t *testing.T) {
	sdk := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	v := verifier()
	rapid.Check(t, func(t *rapid.T) {
		r, body := drawRequest(t)
		seconds := rapid.IntRange(1200, 604800).Draw(t, "expires")
		q := r.URL.Query()
		q.Set("X-Amz-Expires", strconv.Itoa(seconds))
		r.URL.RawQuery = q.Encode()
		credentials := aws.Credentials{AccessKeyID: exampleKey, SecretAccessKey: exampleSecret}
		// This is well before or well past its end, so that a slow machine changes nothing.
		age := rapid.OneOf(rapid.IntRange(-600, seconds-600), rapid.IntRange(seconds+1, 2*seconds)).Draw(t, "age")
		signed, headers, err := sdk.PresignHTTP(context.Background(), credentials, r, "UNSIGNED-PAYLOAD", "s3", "eu-de",
			time.Now().Add(-time.Duration(age)*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(signed)
		if err != nil {
			t.Fatal(err)
		}
		w := &wire{method: r.Method, target: u.RequestURI(), host: u.Host, body: body}
		for name, values := range headers {
			if name != "Host" {
				w.headers = append(w.headers, header{name, values[0]})
			}
		}
		got, err := w.read()
		if err != nil {
			t.Fatal(err)
		}
		req, plain, err := outcome(v, got)
		if age > seconds {
			var e *s3err.Error
			if e, _ = err.(*s3err.Error); e == nil || e.Code != s3err.AccessDenied || e.Message != "Request has expired" {
				t.Fatalf("an expired URL: %v", err)
			}
			return
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, signed)
		}
		if !req.Presigned || string(plain) != string(body) {
			t.Fatal("not what was sent")
		}
	})
}

// TestOracleStreaming has minio-go sign bodies chunk by chunk, with and without a trailer, and
// reads them in pieces of many sizes.
func TestOracleStreaming(t *testing.T) {
	v := verifier()
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.OneOf(rapid.IntRange(1, 200), rapid.IntRange(65530, 65540), rapid.IntRange(131000, 200000)).Draw(t, "size")
		body := strings.Repeat("0123456789abcdef", size/16+1)[:size]
		r, err := http.NewRequest("PUT", "http://localhost:9000/bucket/key", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		trailer := rapid.Bool().Draw(t, "trailer")
		if trailer {
			r.Trailer = http.Header{"X-Amz-Checksum-Crc32c": {"sOO8/Q=="}}
		}
		r = signer.StreamingSignV4(r, exampleKey, exampleSecret, "", "eu-de", int64(size), time.Now().UTC(), &hasher{sha256.New()})
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		w := fromClient(r, sent)
		got, err := w.read()
		if err != nil {
			t.Fatal(err)
		}
		got.Body = io.NopCloser(rapid.SampledFrom([]func(io.Reader) io.Reader{
			iotest.HalfReader, iotest.OneByteReader, func(r io.Reader) io.Reader { return r },
		}).Draw(t, "reader")(got.Body))
		req, err := v.Verify(got)
		if err != nil {
			t.Fatal(err)
		}
		// Reading exactly Size bytes must be enough: the last one is returned only after all is
		// verified.
		plain := make([]byte, req.Size)
		if _, err := io.ReadFull(req.Body, plain); err != nil || string(plain) != body {
			t.Fatalf("%v: %d bytes", err, len(plain))
		}
		if trailer && req.Trailers()["x-amz-checksum-crc32c"] != "sOO8/Q==" {
			t.Fatalf("trailers: %v", req.Trailers())
		}
		if n, err := req.Body.Read(plain); n != 0 || err != io.EOF {
			t.Fatalf("after the end: %d, %v", n, err)
		}
	})
}

// hasher is a hash as minio-go wants it.
type hasher struct{ hash.Hash }

func (*hasher) Close() {}
