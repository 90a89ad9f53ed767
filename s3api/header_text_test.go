package s3api

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/profile"
)

// What no header can hold does not become one, by whichever way it comes: as a
// parameter of a presigned URL, as a field of a form, as an override of an answer.
func TestControlCharacters(t *testing.T) {
	w := newWorld(t, withProfile(t, profile.AWS, nil))
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt/there", "x")
	presigned := func(method, key string, parameters ...string) reply {
		q := url.Values{"X-Amz-Expires": {"60"}}
		for _, p := range parameters {
			name, value, _ := strings.Cut(p, "=")
			q.Set(name, value)
		}
		target := "/bkt/" + key + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		link, _, err := signer.PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: owner.accessKey, SecretAccessKey: owner.secret},
			w.request(method, target, ""), "UNSIGNED-PAYLOAD", "s3", "us-east-1", time.Now())
		require.NoError(t, err)
		_, query, _ := strings.Cut(link, "?")
		body := ""
		if method == "PUT" {
			body = "content"
		}
		return w.send(w.request(method, "/bkt/"+key+"?"+query, body))
	}
	for _, c := range []string{"\x00", "\x01", "\x0b", "\r\nX-Injected: 1", "\n", "\x1f", "\x7f"} {
		for _, name := range []string{"x-amz-meta-a", "x-amz-website-redirect-location", "x-amz-tagging", "x-amz-storage-class"} {
			r := presigned("PUT", "k", name+"=/a"+c+"b")
			require.Equal(t, 400, r.StatusCode, "%s %q: %s", name, c, r.body)
			require.Equal(t, "InvalidArgument", r.code(), "%s %q: %s", name, c, r.body)
			r = presigned("POST", "k?uploads", name+"=/a"+c+"b")
			require.GreaterOrEqual(t, r.StatusCode, 400)
		}
		presigned("PUT", "named", "x-amz-meta-a"+c+"=b") // Refused, or no header's name and so not looked at.
		for _, name := range overrideParameters {
			require.Equal(t, "InvalidArgument", presigned("GET", "there", name+"=a"+c+"b").code(), "%s %q", name, c)
			require.Equal(t, 400, presigned("HEAD", "there", name+"=a"+c+"b").StatusCode, "%s %q", name, c)
		}
		for _, name := range []string{"x-amz-meta-a", "Content-Type", "Content-Disposition", "Content-Encoding", "Cache-Control", "Expires", "x-amz-website-redirect-location"} {
			fields := append([]string{"key=k", name + "=a" + c + "b"}, owner.signV4(anyKey, inBucket, `["starts-with","$`+name+`",""]`)...)
			r := w.post("/bkt", posting{fields: fields, fileName: "f", file: "12345"})
			require.Equal(t, 400, r.StatusCode, "%s %q: %s", name, c, r.body)
			require.Equal(t, "InvalidArgument", r.code(), "%s %q: %s", name, c, r.body)
		}
	}
	for _, name := range []string{"x-amz-meta-a b", "x-amz-meta-ä", "x-amz-meta-a:"} {
		fields := append([]string{"key=k", name + "=b"}, owner.signV4(anyKey, inBucket, `["starts-with","$`+name+`",""]`)...)
		r := w.post("/bkt", posting{fields: fields, fileName: "f", file: "12345"})
		require.Equal(t, "InvalidArgument", r.code(), "%s: %s", name, r.body)
	}
	if r := w.as(owner, "GET", "/bkt/named", ""); r.StatusCode == 200 {
		for name := range r.Header {
			require.NotContains(t, name, "X-Amz-Meta", "a name that is none")
		}
	}
	w.refused("NoSuchKey", owner, "GET", "/bkt/k", "")
	r := presigned("PUT", "k", "x-amz-meta-a=a\tb")
	require.Equal(t, 200, r.StatusCode, r.body)
	require.Equal(t, "a\tb", w.ok(owner, "GET", "/bkt/k", "").Header.Get("X-Amz-Meta-A"), "a tab may be in a header")
}

// What was stored before is left out of answers and counted, so that the object can be
// read.
func TestStoredControlCharacters(t *testing.T) {
	w := newWorld(t)
	w.ok(w.root, "PUT", "/bkt", "")
	_, err := w.objects.Put(t.Context(), &object.PutInput{Caller: object.Caller{Account: w.root.account}, Bucket: "bkt", Key: "k",
		Body: object.Body{Reader: strings.NewReader("old"), Size: 3},
		Description: object.Description{Attributes: &metapb.Attributes{ContentType: "text/\x01plain",
			Headers:  []*metapb.Pair{{Name: "Cache-Control", Value: "a\r\nX-Injected: 1"}, {Name: "Content-Language", Value: "de"}},
			Metadata: []*metapb.Pair{{Name: "a", Value: "b\x0b"}, {Name: "b c", Value: "d"}, {Name: "e", Value: "f"}}}}})
	require.NoError(t, err)
	for _, method := range []string{"GET", "HEAD"} {
		r := w.ok(w.root, method, "/bkt/k", "")
		h := r.Header
		require.Equal(t, []string{"2", "f", "de", "", ""}, []string{h.Get("X-Amz-Missing-Meta"), h.Get("X-Amz-Meta-E"), h.Get("Content-Language"), h.Get("Cache-Control"), h.Get("X-Injected")})
		require.NotContains(t, h, http.CanonicalHeaderKey("X-Amz-Meta-A"))
	}
	require.Equal(t, "old", w.ok(w.root, "GET", "/bkt/k", "").body)
}
