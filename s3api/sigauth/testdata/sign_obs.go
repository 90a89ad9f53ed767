// Command sign_obs writes obs.json: requests as the OBS SDK for Go signs them, in the
// OBS form and in V2.
//
// Run it in a module of its own:
//
//	go mod init sign_obs && go get github.com/huaweicloud/huaweicloud-sdk-go-obs@v3.25.4+incompatible golang.org/x/net
//	go run sign_obs.go > obs.json
package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-obs/obs"
)

const token = "token/with+odd==characters"

type fixture struct {
	Name    string      `json:"name"`
	When    time.Time   `json:"when"`
	Method  string      `json:"method"`
	Target  string      `json:"target"`
	Host    string      `json:"host"`
	Headers [][2]string `json:"headers"`
	Body    string      `json:"body"`
}

var (
	out     []fixture
	current string
)

func record(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f := fixture{Name: current, When: time.Now().UTC().Truncate(time.Second), Method: r.Method, Target: r.RequestURI, Host: r.Host, Body: string(body), Headers: [][2]string{}}
	for _, name := range sorted(r.Header) {
		if name == "User-Agent" || name == "Accept-Encoding" {
			continue
		}
		for _, v := range r.Header[name] {
			f.Headers = append(f.Headers, [2]string{name, v})
		}
	}
	out = append(out, f)
}

func sorted(h http.Header) (names []string) {
	for name := range h {
		i := 0
		for i < len(names) && names[i] < name {
			i++
		}
		names = append(names[:i], append([]string{name}, names[i:]...)...)
	}
	return names
}

func main() {
	server := httptest.NewServer(http.HandlerFunc(record))
	defer server.Close()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}}
	for _, signature := range []obs.SignatureType{obs.SignatureObs, obs.SignatureV2} {
		for _, path := range []bool{false, true} {
			if path && signature == obs.SignatureObs {
				continue // The SDK signs V2 instead.
			}
			for _, temporary := range []bool{false, true} {
				name := string(signature)
				key, secretToken := "AKIACAIRNEXAMPLE", ""
				if path {
					name += " path"
				}
				if temporary {
					name += " token"
					key, secretToken = "ASIATEMPORARY", token
				}
				c, err := obs.New(key, "cairn/secret+key", "http://obs.example.com", obs.WithSignature(signature), obs.WithPathStyle(path),
					obs.WithHttpTransport(transport), obs.WithMaxRetryCount(0), obs.WithSecurityToken(secretToken))
				if err != nil {
					panic(err)
				}
				requests(c, name+" ")
				c.Close()
			}
		}
	}
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	if err := e.Encode(out); err != nil {
		panic(err)
	}
}

// requests sends some requests. Answers are empty, so that their errors say nothing.
func requests(c *obs.ObsClient, prefix string) {
	const odd = "a b/+%2B//ü~*'()!@:;,=$&?#/x/"
	object := func(key string) obs.ObjectOperationInput { return obs.ObjectOperationInput{Bucket: "bucket", Key: key} }
	for _, call := range []struct {
		name string
		do   func()
	}{
		{"list buckets", func() { _, _ = c.ListBuckets(nil) }},
		{"create bucket", func() {
			_, _ = c.CreateBucket(&obs.CreateBucketInput{Bucket: "bucket", StorageClass: obs.StorageClassWarm, ACL: obs.AclPrivate})
		}},
		{"head bucket", func() { _, _ = c.HeadBucket("bucket") }},
		{"acl", func() { _, _ = c.GetBucketAcl("bucket") }},
		{"list", func() {
			_, _ = c.ListObjects(&obs.ListObjectsInput{Bucket: "bucket", ListObjsInput: obs.ListObjsInput{Prefix: "a b+", MaxKeys: 3}})
		}},
		{"put", func() {
			in := &obs.PutObjectInput{PutObjectBasicInput: obs.PutObjectBasicInput{ObjectOperationInput: object(odd)}}
			in.Body, in.ContentType, in.StorageClass = strings.NewReader("content"), "text/plain", obs.StorageClassCold
			in.Metadata = map[string]string{"a": "b c", "b": "ü"}
			in.SseHeader = obs.SseKmsHeader{Encryption: obs.DEFAULT_SSE_KMS_ENCRYPTION_OBS, Key: "key"}
			_, _ = c.PutObject(in)
		}},
		{"get", func() {
			in := &obs.GetObjectInput{GetObjectMetadataInput: obs.GetObjectMetadataInput{Bucket: "bucket", Key: odd, VersionId: "v+/="},
				ResponseContentType: "text/plain; a=\"b c\""}
			in.RangeStart, in.RangeEnd = 1, 9
			_, _ = c.GetObject(in)
		}},
		{"part copy", func() {
			_, _ = c.CopyPart(&obs.CopyPartInput{Bucket: "bucket", Key: "k", UploadId: "u", PartNumber: 1, CopySourceBucket: "b",
				CopySourceKey: "ü k", CopySourceRangeStart: 0, CopySourceRangeEnd: 9})
		}},
		{"presigned get", func() {
			presigned(c, &obs.CreateSignedUrlInput{Method: obs.HttpMethodGet, Bucket: "bucket", Key: odd, Expires: 600,
				QueryParams: map[string]string{"versionId": "v", "response-content-type": "a b"}})
		}},
		{"presigned put", func() {
			presigned(c, &obs.CreateSignedUrlInput{Method: obs.HttpMethodPut, Bucket: "bucket", Key: "k", Expires: 600,
				Headers: map[string]string{"Content-Type": "text/plain"}})
		}},
	} {
		current = prefix + call.name
		call.do()
	}
}

func presigned(c *obs.ObsClient, in *obs.CreateSignedUrlInput) {
	u, err := c.CreateSignedUrl(in)
	if err != nil {
		panic(err)
	}
	parsed, err := url.Parse(u.SignedUrl)
	if err != nil {
		panic(err)
	}
	r := &http.Request{Method: string(in.Method), Host: parsed.Host, URL: parsed, RequestURI: parsed.RequestURI(), Header: http.Header{}, Body: http.NoBody}
	for name, values := range u.ActualSignedRequestHeaders {
		if !strings.EqualFold(name, "host") {
			r.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	record(nil, r)
}
