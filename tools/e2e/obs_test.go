//go:build e2e

package e2e

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/huaweicloud/huaweicloud-sdk-go-obs/obs"
	"github.com/stretchr/testify/require"
)

// obsSDK uses OBS's own SDK with each of its signatures. The SDK signs as OBS only if buckets are host
// names. In path style it signs as V2 instead.
func (w *workshop) obsSDK(t *testing.T) {
	for i, by := range []struct {
		name      string
		signature obs.SignatureType
		path      bool
	}{
		{"obs", obs.SignatureObs, false},
		{"v2", obs.SignatureV2, false},
		{"v4", obs.SignatureV4, false},
		{"obs-path", obs.SignatureObs, true},
		{"v2-path", obs.SignatureV2, true},
		{"v4-path", obs.SignatureV4, true},
	} {
		t.Run(by.name, func(t *testing.T) {
			endpoint := w.node(i).Endpoint()
			if !by.path {
				endpoint = strings.Replace(endpoint, "127.0.0.1", domain, 1)
			}
			seen := &scheme{next: w.http.Transport}
			c, err := obs.New(w.access, w.secret, endpoint, obs.WithSignature(by.signature), obs.WithPathStyle(by.path),
				obs.WithRegion("us-east-1"), obs.WithHttpClient(&http.Client{Transport: seen}), obs.WithMaxRetryCount(1))
			require.NoError(t, err)
			defer c.Close()
			w.obsWork(t, c, "clients-obs-"+by.name)
			want := map[obs.SignatureType]string{obs.SignatureObs: "OBS", obs.SignatureV2: "AWS", obs.SignatureV4: "AWS4-HMAC-SHA256"}[by.signature]
			if by.path && by.signature == obs.SignatureObs {
				want = "AWS"
			}
			require.Equal(t, want, seen.last, "the signature that the SDK sent")
		})
	}
}

// scheme notes with which scheme of authorization requests are sent.
type scheme struct {
	next http.RoundTripper
	last string
}

func (s *scheme) RoundTrip(r *http.Request) (*http.Response, error) {
	if a := r.Header.Get("Authorization"); a != "" {
		s.last, _, _ = strings.Cut(a, " ")
	}
	return s.next.RoundTrip(r)
}

func (w *workshop) obsWork(t *testing.T, c *obs.ObsClient, bucket string) {
	_, err := c.CreateBucket(&obs.CreateBucketInput{Bucket: bucket})
	require.NoError(t, err)

	in := &obs.PutObjectInput{Body: bytes.NewReader(w.odd)}
	in.Bucket, in.Key, in.ContentLength = bucket, oddKey, int64(len(w.odd))
	_, err = c.PutObject(in)
	require.NoError(t, err)
	w.is(t, bucket, oddKey, w.odd)

	from := &obs.CopyObjectInput{CopySourceBucket: bucket, CopySourceKey: oddKey}
	from.Bucket, from.Key = bucket, "copy of "+oddKey
	_, err = c.CopyObject(from)
	require.NoError(t, err)
	w.is(t, bucket, "copy of "+oddKey, w.odd)

	plain, err := c.InitiateMultipartUpload(initiate(bucket, "parts of "+oddKey, nil))
	require.NoError(t, err)
	w.obsParts(t, c, plain, nil)
	w.is(t, bucket, "parts of "+oddKey, w.obsWant())

	key := obs.SseCHeader{Encryption: "AES256", Key: *newCustomerKey(t).key}
	sealed, err := c.InitiateMultipartUpload(initiate(bucket, "sealed "+oddKey, key))
	require.NoError(t, err)
	w.obsParts(t, c, sealed, key)
	get := &obs.GetObjectInput{}
	get.Bucket, get.Key, get.SseHeader = bucket, "sealed "+oddKey, key
	out, err := c.GetObject(get)
	require.NoError(t, err)
	defer out.Body.Close()
	got, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	require.True(t, bytes.Equal(w.obsWant(), got))

	list, err := c.ListObjects(&obs.ListObjectsInput{Bucket: bucket})
	require.NoError(t, err)
	require.Len(t, list.Contents, 4)

	signed, err := c.CreateSignedUrl(&obs.CreateSignedUrlInput{Method: obs.HttpMethodGet, Bucket: bucket, Key: oddKey, Expires: 60})
	require.NoError(t, err)
	require.Equal(t, w.odd, w.fetch(t, http.MethodGet, signed.SignedUrl, signed.ActualSignedRequestHeaders))
}

func initiate(bucket, key string, sse obs.ISseHeader) *obs.InitiateMultipartUploadInput {
	in := &obs.InitiateMultipartUploadInput{}
	in.Bucket, in.Key, in.SseHeader = bucket, key, sse
	return in
}

// obsParts copies the odd object whole, then a range of it, uploads a part, and
// completes.
func (w *workshop) obsParts(t *testing.T, c *obs.ObsClient, up *obs.InitiateMultipartUploadOutput, sse obs.ISseHeader) {
	part := func(n int, first, last int64) obs.Part {
		out, err := c.CopyPart(&obs.CopyPartInput{Bucket: up.Bucket, Key: up.Key, UploadId: up.UploadId, PartNumber: n, SseHeader: sse,
			CopySourceBucket: w.source, CopySourceKey: oddKey, CopySourceRangeStart: first, CopySourceRangeEnd: last})
		require.NoError(t, err)
		return obs.Part{PartNumber: n, ETag: out.ETag}
	}
	parts := []obs.Part{part(1, 0, 0), part(2, 500, 6<<20)} // No range is sent with the first one.
	sent, err := c.UploadPart(&obs.UploadPartInput{Bucket: up.Bucket, Key: up.Key, UploadId: up.UploadId, PartNumber: 3,
		Body: bytes.NewReader(w.piece), PartSize: pieceSize, SseHeader: sse})
	require.NoError(t, err)
	parts = append(parts, obs.Part{PartNumber: 3, ETag: sent.ETag})
	_, err = c.CompleteMultipartUpload(&obs.CompleteMultipartUploadInput{Bucket: up.Bucket, Key: up.Key, UploadId: up.UploadId, Parts: parts})
	require.NoError(t, err)
}

// obsWant returns what the object holds that obsParts makes.
func (w *workshop) obsWant() []byte {
	return bytes.Join([][]byte{w.odd, w.odd[500 : 6<<20+1], w.piece}, nil)
}
