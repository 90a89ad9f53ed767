package sigauth_test

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/s3api/sigauth"
)

// drawRequestV2 draws a request with parameters that V2 signs and others.
func drawRequestV2(t *rapid.T, virtual bool) *http.Request {
	const unreserved = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~/"
	host, path := "https://s3.test:9000", "/bucket/"
	if virtual {
		host, path = "https://bucket.s3.example.com", "/"
	}
	for _, c := range []byte(drawText(t, "key")) {
		if strings.IndexByte(unreserved, c) >= 0 {
			path += string(c)
		} else {
			path += "%" + strings.ToUpper(hex.EncodeToString([]byte{c}))
		}
	}
	query := url.Values{}
	for _, name := range []string{"acl", "delete", "partNumber", "policy", "response-content-type", "uploadId", "uploads", "versionId", "versions",
		"prefix", "marker", "list-type", "x-id"} {
		if rapid.IntRange(0, 3).Draw(t, name) == 0 {
			query.Set(name, rapid.SampledFrom([]string{"", "1", "a b", "+/=", "ü&x=y", "%41", drawText(t, "value")}).Draw(t, name+"'s value"))
		}
	}
	target := host + path
	if len(query) > 0 {
		target += "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
	}
	r, err := http.NewRequest(rapid.SampledFrom([]string{"GET", "PUT", "POST", "DELETE", "HEAD"}).Draw(t, "method"), target, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"X-Amz-Meta-A", "X-Amz-Meta-B", "X-Amz-Acl", "Content-Type", "Content-MD5", "Range"} {
		if rapid.Bool().Draw(t, name) {
			r.Header.Set(name, rapid.StringMatching(`[!-~]{1,5}( {0,3}[!-~]{1,5}){0,3}`).Draw(t, name+"'s value"))
		}
	}
	return r
}

// TestOracleV2 has minio-go sign random requests with V2, in the header and the query.
func TestOracleV2(t *testing.T) {
	v := verifierV2()
	rapid.Check(t, func(t *rapid.T) {
		virtual, presigned := rapid.Bool().Draw(t, "virtual"), rapid.Bool().Draw(t, "presigned")
		r := drawRequestV2(t, virtual)
		raw := r.URL.EscapedPath()
		if presigned {
			r = signer.PreSignV2(*r, exampleKey, exampleSecret, 600, virtual)
			r.Header.Del("Expires")
		} else {
			r = signer.SignV2(*r, exampleKey, exampleSecret, virtual)
		}
		w := fromClient(r, nil)
		_, query, _ := strings.Cut(w.target, "?")
		w.target = raw
		if query != "" {
			w.target += "?" + query
		}
		got, err := w.read()
		if err != nil {
			t.Fatal(err)
		}
		req, err := v.Verify(got)
		if err != nil {
			t.Fatalf("%v\n%s %s\n%v", err, w.method, w.target, w.headers)
		}
		if req.Version != sigauth.V2 || req.Presigned != presigned || req.Credential.AccessKey != exampleKey {
			t.Fatalf("not what was sent: %+v", req)
		}
	})
}

// TestOracleOBS compares with the test's own signer, for both schemes and forms, and alters what is
// signed.
func TestOracleOBS(t *testing.T) {
	v := verifierV2()
	rapid.Check(t, func(t *rapid.T) {
		w := fromClient(drawRequestV2(t, false), nil)
		scheme, prefix := "AWS", "x-amz-"
		if rapid.Bool().Draw(t, "obs") {
			scheme, prefix = "OBS", "x-obs-"
			for i := range w.headers {
				w.headers[i].name = strings.Replace(w.headers[i].name, "X-Amz-", "X-Obs-", 1)
			}
		}
		presigned := rapid.Bool().Draw(t, "presigned")
		date := time.Now().UTC().Format(http.TimeFormat)
		line := date
		if presigned {
			line = fmt.Sprint(time.Now().Unix() + 600)
		} else {
			w.headers = append(w.headers, header{rapid.SampledFrom([]string{"Date", prefix + "date"}).Draw(t, "date"), date})
		}
		signature := macV2(exampleSecret, stringV2(w, prefix, "", line))
		sign := func(signature string) *http.Request {
			signed := *w
			if presigned {
				signed.target += "?"
				if strings.IndexByte(w.target, '?') >= 0 {
					signed.target = w.target + "&"
				}
				key := map[string]string{"AWS": "AWSAccessKeyId", "OBS": "AccessKeyId"}[scheme]
				signed.target += key + "=" + exampleKey + "&Expires=" + line + "&Signature=" + url.QueryEscape(signature)
			} else {
				signed.headers = append(append([]header(nil), w.headers...), header{"Authorization", scheme + " " + exampleKey + ":" + signature})
			}
			r, err := signed.read()
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		req, err := v.Verify(sign(signature))
		if err != nil {
			t.Fatalf("%v\n%s %s\n%v", err, w.method, w.target, w.headers)
		}
		if string(req.Version) != scheme || req.Presigned != presigned {
			t.Fatalf("not what was sent: %+v", req)
		}
		wrong := []byte(signature)
		wrong[rapid.IntRange(0, len(wrong)-1).Draw(t, "byte")] ^= 1
		if _, err := v.Verify(sign(string(wrong))); err == nil {
			t.Fatalf("%s is taken for %s", wrong, signature)
		}
	})
}
