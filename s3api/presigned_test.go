package s3api

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/profile"
)

// presigner makes a URL good for a while, and returns those of the headers that are to
// come along: the others moved into the URL.
type presigner func(t *testing.T, h *harness, op *operation, target string, headers http.Header, from time.Time, life time.Duration) (string, http.Header)

func presignV4(t *testing.T, h *harness, op *operation, target string, headers http.Header, from time.Time, life time.Duration) (string, http.Header) {
	r, err := http.NewRequestWithContext(t.Context(), op.method, h.server.URL+target, nil)
	require.NoError(t, err)
	r.Header = headers.Clone()
	q := r.URL.Query()
	q.Set("X-Amz-Expires", fmt.Sprint(int(life.Seconds())))
	r.URL.RawQuery = q.Encode()
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	link, sent, err := signer.PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: testAccessKey, SecretAccessKey: testSecret}, r, "UNSIGNED-PAYLOAD", "s3", "us-east-1", from)
	require.NoError(t, err)
	sent.Del("Host")
	return link, sent
}

// presignV2 signs as AWS's first version does; what it signs of a query is what AWS and
// OBS list.
func presignV2(t *testing.T, h *harness, op *operation, target string, headers http.Header, from time.Time, life time.Duration) (string, http.Header) {
	path, rawQuery, _ := strings.Cut(target, "?")
	expires := fmt.Sprint(from.Add(life).Unix())
	text := op.method + "\n\n" + headers.Get("Content-Type") + "\n" + expires + "\n"
	for name := range headers { // One at most, so in order.
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") {
			text += lower + ":" + headers.Get(name) + "\n"
		}
	}
	var signed []string
	for pair := range strings.SplitSeq(rawQuery, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if name != "" && !slices.Contains([]string{"list-type", "attributes", "id"}, name) { // No operation that changes something is chosen by these.
			signed = append(signed, strings.TrimSuffix(pair, "="))
		}
	}
	slices.Sort(signed)
	text += path
	if len(signed) > 0 {
		text += "?" + strings.Join(signed, "&")
	}
	mac := hmac.New(sha1.New, []byte(testSecret))
	_, _ = io.WriteString(mac, text)
	q, err := url.ParseQuery(rawQuery)
	require.NoError(t, err)
	q.Set("AWSAccessKeyId", testAccessKey)
	q.Set("Expires", expires)
	q.Set("Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return h.server.URL + path + "?" + q.Encode(), headers
}

// routeTarget is a request that selects an operation, in a bucket with an object and an
// upload.
func routeTarget(h *harness, op *operation) (target string, headers http.Header, body string) {
	headers = http.Header{}
	path := map[scope]string{scopeService: "/", scopeBucket: "/bkt", scopeObject: "/bkt/k"}[op.scope]
	var query []string
	for _, name := range op.sub {
		switch name {
		case "uploadId":
			query = append(query, "uploadId="+element(h.do("POST", "/bkt/k?uploads", "").body, "UploadId"))
		case "partNumber":
			query = append(query, "partNumber=1")
		case "list-type":
			query = append(query, "list-type=2")
		case "storagePolicy": // Another name of storageClass.
		default:
			query = append(query, name)
		}
	}
	if op.with != "" {
		query = append(query, op.with+"=x")
	}
	if op.copy {
		headers.Set("X-Amz-Copy-Source", "bkt/k")
	}
	if op.name == "GetObjectAttributes" {
		headers.Set("X-Amz-Object-Attributes", "ETag")
	}
	if !op.copy && (op.method == http.MethodPut || op.method == http.MethodPost) {
		body = "data"
	}
	if len(query) > 0 {
		path += "?" + strings.Join(query, "&")
	}
	return path, headers, body
}

// told is what a client is told, but for what is new each time, and which operation it
// was.
func told(h *harness, r reply) string {
	events := h.events()
	return fmt.Sprintf("%d %s %s", r.StatusCode, element(r.body, "Code"), events[len(events)-1].Operation)
}

func plainRequest(t *testing.T, method, link string, headers http.Header, body string) *http.Request {
	r, err := http.NewRequestWithContext(t.Context(), method, link, nil)
	require.NoError(t, err)
	r.Header = headers.Clone()
	if body != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	return r
}

// TestEveryOperationPresigned: each row of the table answers a presigned URL as it
// answers a signed request; one that is expired, or was altered, is refused.
func TestEveryOperationPresigned(t *testing.T) {
	for i := range operations {
		op := &operations[i]
		if op.name == "PostObject" {
			continue // A form carries a signature of its own.
		}
		fresh := func() (*harness, string, http.Header, string) {
			h := newHarness(t, withProfile(t, profile.AWS, nil)) // It tells wrong signatures from denied requests.
			h.put("k", "content")
			target, headers, body := routeTarget(h, op)
			return h, target, headers, body
		}
		h, target, headers, body := fresh()
		var lines []string
		for name := range headers {
			lines = append(lines, name+": "+headers.Get(name))
		}
		want := told(h, h.do(op.method, target, body, lines...))
		require.Contains(t, want, op.name, "the request is of another operation")
		for version, sign := range map[string]presigner{"V4": presignV4, "V2": presignV2} {
			name := op.name + " " + version
			h, target, headers, body := fresh()
			now := time.Now()
			link, headers := sign(t, h, op, target, headers, now, time.Minute)

			// The table is asked before the signature: what is no operation is refused as that.
			refused := func(what string, codes []string, r *http.Request) {
				got := h.send(r)
				require.GreaterOrEqual(t, got.StatusCode, 400, "%s, %s: %s", name, what, got.body)
				if r.Method == http.MethodHead {
					require.Contains(t, []int{http.StatusForbidden, http.StatusNotImplemented}, got.StatusCode, "%s, %s", name, what)
					return
				}
				require.Contains(t, codes, element(got.body, "Code"), "%s, %s: %s", name, what, got.body)
			}
			denied, altered := []string{"AccessDenied"}, []string{"SignatureDoesNotMatch"}
			other := []string{"SignatureDoesNotMatch", "NotImplemented", "MethodNotAllowed"}
			old, _ := sign(t, h, op, target, headers, now.Add(-time.Hour), time.Minute)
			refused("expired", denied, plainRequest(t, op.method, old, headers, body))
			longer := strings.NewReplacer("X-Amz-Expires=60", "X-Amz-Expires=600", "Expires=1", "Expires=2").Replace(link)
			refused("good for longer", altered, plainRequest(t, op.method, longer, headers, body))
			for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodPost} {
				if method != op.method {
					refused("as "+method, other, plainRequest(t, method, link, headers, ""))
				}
			}
			refused("a sub-resource more", other, plainRequest(t, op.method, link+"&acl", headers, body))
			if op.takes("versionId") {
				refused("another version", altered, plainRequest(t, op.method, link+"&versionId=v", headers, body))
			}
			if op.takes("uploadId") {
				refused("another upload", altered, plainRequest(t, op.method, strings.Replace(link, "uploadId=", "uploadId=x", 1), headers, body))
			}
			if op.scope != scopeService {
				refused("another bucket", altered, plainRequest(t, op.method, strings.Replace(link, "/bkt", "/bkx", 1), headers, body))
			}
			extra := headers.Clone()
			extra.Set("X-Amz-Acl", "public-read")
			unsigned := map[string][]string{"V4": denied, "V2": altered}[version]
			refused("a header more", unsigned, plainRequest(t, op.method, link, extra, body))
			if op.copy {
				source := headers.Clone()
				source.Set("X-Amz-Copy-Source", "bkt/secret")
				refused("another source", altered, plainRequest(t, op.method, link, source, body))
				source.Del("X-Amz-Copy-Source")
				refused("no source", altered, plainRequest(t, op.method, link, source, body))
			}
			require.Equal(t, want, told(h, h.send(plainRequest(t, op.method, link, headers, body))), name)
		}
	}
}

// TestMovedHeaders: what the SDKs of Go and JavaScript move from headers into a URL
// counts as if it had come in headers.
func TestMovedHeaders(t *testing.T) {
	w := newWorld(t, withProfile(t, profile.AWS, nil))
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	presign := func(method, target string) *http.Request {
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		link, _, err := signer.PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: owner.accessKey, SecretAccessKey: owner.secret},
			w.request(method, target, ""), "UNSIGNED-PAYLOAD", "s3", "us-east-1", time.Now())
		require.NoError(t, err)
		_, query, _ := strings.Cut(link, "?")
		path, _, _ := strings.Cut(target, "?")
		body := ""
		if method == "PUT" {
			body = "content"
		}
		return w.request(method, path+"?"+query, body)
	}
	const life = "X-Amz-Expires=60&"
	r := w.send(presign("PUT", "/bkt/k?"+life+"x-amz-meta-a=b&x-amz-tagging=c%3Dd&x-amz-server-side-encryption=AES256&x-amz-storage-class=STANDARD_IA"+
		"&x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32&x-amz-user-agent=aws-sdk-js"))
	require.Equal(t, 200, r.StatusCode, r.body)
	r = w.ok(owner, "HEAD", "/bkt/k", "")
	require.Equal(t, []string{"b", "AES256", "STANDARD_IA"},
		[]string{r.Header.Get("X-Amz-Meta-A"), r.Header.Get("X-Amz-Server-Side-Encryption"), r.Header.Get("X-Amz-Storage-Class")})
	require.Contains(t, w.ok(owner, "GET", "/bkt/k?tagging", "").body, "<Key>c</Key><Value>d</Value>")
	for target, code := range map[string]string{
		"/bkt/k?" + life + "X-Amz-Expected-Bucket-Owner=somebody": "AccessDenied", "/bkt/k?" + life + "x-amz-object-of-next-year=1": "NotImplemented",
		"/bkt/k?" + life + "x-amz-copy-source=bkt%2Fabsent": "NoSuchKey",
	} {
		r := w.send(presign("PUT", target))
		require.Equal(t, code, r.code(), "%s: %s", target, r.body)
	}
	r = w.send(presign("GET", "/bkt/k?"+life+"X-Amz-Checksum-Mode=ENABLED&X-Amz-Request-Payer=requester"))
	require.Equal(t, "content", r.body)
	require.NotEmpty(t, r.Header.Get("X-Amz-Checksum-Crc64nvme"))
}
