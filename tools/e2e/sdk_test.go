//go:build e2e

package e2e

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/require"
)

func (w *workshop) awsSDK(t *testing.T) {
	ctx, bucket := t.Context(), "clients-aws-sdk"
	w.bucket(t, bucket)

	_, err := transfermanager.New(w.client(1)).UploadObject(ctx, &transfermanager.UploadObjectInput{
		Bucket: &bucket, Key: aws.String("uploaded " + oddKey), Body: bytes.NewReader(w.odd)})
	require.NoError(t, err)
	w.is(t, bucket, "uploaded "+oddKey, w.odd)

	up, err := createUpload(ctx, w.client(2), bucket, oddKey, newCustomerKey(t))
	require.NoError(t, err)
	require.NoError(t, up.copyWhole(ctx, w.client(3), w.source+"/"+escapeKey(oddKey)))
	require.NoError(t, up.copyWhole(ctx, w.client(4), w.source+"/piece"))
	up.data = append(bytes.Clone(w.odd), w.piece...)
	sealed, err := up.complete(ctx, w.client(5))
	require.NoError(t, err)
	require.NoError(t, sealed.get(ctx, w.client(0), bucket))

	signed, err := s3.NewPresignClient(w.client(1)).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &w.source, Key: aws.String(oddKey)})
	require.NoError(t, err)
	require.Equal(t, w.odd, w.fetch(t, http.MethodGet, signed.URL, signed.SignedHeader))
}

// fetch sends a request without a body that was presigned.
func (w *workshop) fetch(t *testing.T, method, url string, header http.Header) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	for name, values := range header {
		r.Header[name] = values
	}
	resp, err := w.http.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%.500s", body)
	return body
}

func (w *workshop) minio(t *testing.T) {
	for i, who := range []struct {
		name  string
		creds *credentials.Credentials
	}{
		{"v4", credentials.NewStaticV4(w.access, w.secret, "")},
		{"v2", credentials.NewStaticV2(w.access, w.secret, "")},
	} {
		t.Run(who.name, func(t *testing.T) {
			ctx, bucket := t.Context(), "clients-minio-"+who.name
			c, err := minio.New(w.node(i).Host(), &minio.Options{Creds: who.creds, Secure: true, Transport: w.http.Transport})
			require.NoError(t, err)
			require.NoError(t, c.MakeBucket(ctx, bucket, minio.MakeBucketOptions{}))

			_, err = c.PutObject(ctx, bucket, oddKey, bytes.NewReader(w.odd), int64(len(w.odd)), minio.PutObjectOptions{PartSize: 5 << 20})
			require.NoError(t, err)
			w.is(t, bucket, oddKey, w.odd)

			_, err = c.CopyObject(ctx, minio.CopyDestOptions{Bucket: bucket, Object: "copy of " + oddKey}, minio.CopySrcOptions{Bucket: w.source, Object: oddKey})
			require.NoError(t, err)
			w.is(t, bucket, "copy of "+oddKey, w.odd)

			_, err = c.ComposeObject(ctx, minio.CopyDestOptions{Bucket: bucket, Object: "composed"},
				minio.CopySrcOptions{Bucket: w.source, Object: oddKey, MatchRange: true, Start: 5, End: 7 << 20},
				minio.CopySrcOptions{Bucket: w.source, Object: "piece"},
				minio.CopySrcOptions{Bucket: bucket, Object: oddKey, MatchRange: true, Start: 17 << 20, End: 17<<20 + 99})
			require.NoError(t, err)
			w.is(t, bucket, "composed", bytes.Join([][]byte{w.odd[5 : 7<<20+1], w.piece, w.odd[17<<20:][:100]}, nil))

			_, err = c.ComposeObject(ctx, minio.CopyDestOptions{Bucket: bucket, Object: "big"}, minio.CopySrcOptions{Bucket: w.source, Object: "big"})
			require.NoError(t, err)
			w.isBig(t, bucket, "big")

			signed, err := c.PresignedGetObject(ctx, bucket, oddKey, time.Minute, url.Values{})
			require.NoError(t, err)
			require.Equal(t, w.odd, w.fetch(t, http.MethodGet, signed.String(), nil))
		})
	}
}

// escapeKey encodes a key for a copy source.
func escapeKey(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(key), "+", "%20"), "%2F", "/")
}
