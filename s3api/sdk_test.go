package s3api

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"
)

func apiCode(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}

// TestSDKBuckets walks the bucket operations with the AWS SDK.
func TestSDKBuckets(t *testing.T) {
	h := newHarness(t)
	c, ctx := h.sdk(), t.Context()
	_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("second")})
	require.NoError(t, err)
	_, err = c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("second")})
	require.Equal(t, "BucketAlreadyOwnedByYou", apiCode(err))
	_, err = c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("third"),
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "mars-north-1"}})
	require.Equal(t, "IllegalLocationConstraintException", apiCode(err))
	head, err := c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("second")})
	require.NoError(t, err)
	require.Equal(t, "us-east-1", *head.BucketRegion)
	_, err = c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("second"), ExpectedBucketOwner: aws.String("somebody")})
	require.Error(t, err)
	_, err = c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("second"), ExpectedBucketOwner: aws.String(testAccount)})
	require.NoError(t, err)
	location, err := c.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: aws.String("second")})
	require.NoError(t, err)
	require.Empty(t, location.LocationConstraint)

	page, err := c.ListBuckets(ctx, &s3.ListBucketsInput{MaxBuckets: aws.Int32(1)})
	require.NoError(t, err)
	require.Equal(t, "bkt", *page.Buckets[0].Name)
	page, err = c.ListBuckets(ctx, &s3.ListBucketsInput{ContinuationToken: page.ContinuationToken})
	require.NoError(t, err)
	require.Len(t, page.Buckets, 1)
	require.Equal(t, "second", *page.Buckets[0].Name)
	require.Nil(t, page.ContinuationToken)

	other := h.sdk(func(o *s3.Options) { o.Credentials = h.account("other").credentials() })
	_, err = other.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: aws.String("second")})
	require.Equal(t, "AccessDenied", apiCode(err))

	_, err = c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("second")})
	require.NoError(t, err)
	_, err = c.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: aws.String("second")})
	require.Equal(t, "NoSuchBucket", apiCode(err))
}

// TestSDKObjects stores, reads, lists, copies and deletes with the AWS SDK, which
// sends checksums by default: in headers, and over TLS in trailers.
func TestSDKObjects(t *testing.T) {
	t.Run("http", func(t *testing.T) { walkObjects(t, newHarness(t)) })
	t.Run("https", func(t *testing.T) { walkObjects(t, newTLSHarness(t, false)) })
	t.Run("http2", func(t *testing.T) { walkObjects(t, newTLSHarness(t, true)) })
}

func walkObjects(t *testing.T, h *harness) {
	c, ctx := h.sdk(), t.Context()
	data := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	put, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bkt"), Key: aws.String("dir/ä +%.bin"), Body: bytes.NewReader(data),
		ContentType: aws.String("text/x-test"), CacheControl: aws.String("no-cache"), ContentEncoding: aws.String("gzip"),
		Metadata: map[string]string{"Color": "blue", "shape": "grün"}})
	require.NoError(t, err)
	require.NotNil(t, put.ChecksumCRC32)
	require.Equal(t, types.ChecksumTypeFullObject, put.ChecksumType)

	get, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("dir/ä +%.bin"), ChecksumMode: types.ChecksumModeEnabled})
	require.NoError(t, err)
	body, err := io.ReadAll(get.Body) // The SDK verifies the checksum.
	require.NoError(t, err)
	require.Equal(t, data, body)
	require.Equal(t, *put.ETag, *get.ETag)
	require.Equal(t, *put.ChecksumCRC32, *get.ChecksumCRC32)
	require.Equal(t, "text/x-test", *get.ContentType)
	require.Equal(t, "no-cache", *get.CacheControl)
	require.Equal(t, "gzip", *get.ContentEncoding)
	require.Equal(t, map[string]string{"color": "blue", "shape": "grün"}, get.Metadata)

	head, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("bkt"), Key: aws.String("dir/ä +%.bin"), Range: aws.String("bytes=1-4")})
	require.NoError(t, err)
	require.EqualValues(t, 4, *head.ContentLength)
	require.Equal(t, "bytes 1-4/65536", *head.ContentRange)

	_, err = c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String("bkt"), Key: aws.String("copy"), CopySource: aws.String("bkt/dir/%C3%A4%20%2B%25.bin"),
		MetadataDirective: types.MetadataDirectiveReplace, Metadata: map[string]string{"color": "red"}})
	require.NoError(t, err)
	head, err = c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("bkt"), Key: aws.String("copy")})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"color": "red"}, head.Metadata)
	require.Equal(t, "binary/octet-stream", *head.ContentType)

	list, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("bkt"), Delimiter: aws.String("/"), FetchOwner: aws.Bool(true)})
	require.NoError(t, err)
	require.Equal(t, "dir/", *list.CommonPrefixes[0].Prefix)
	require.Equal(t, "copy", *list.Contents[0].Key)
	require.Equal(t, testAccount, *list.Contents[0].Owner.ID)

	deleted, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String("bkt"), Delete: &types.Delete{
		Objects: []types.ObjectIdentifier{{Key: aws.String("copy")}, {Key: aws.String("absent")}, {Key: aws.String(strings.Repeat("k", 1025))}}}})
	require.NoError(t, err)
	require.Len(t, deleted.Deleted, 2)
	require.Equal(t, "KeyTooLong", *deleted.Errors[0].Code)
	_, err = c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("bkt"), Key: aws.String("dir/ä +%.bin")})
	require.NoError(t, err)
	_, err = c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("copy")})
	require.Equal(t, "NoSuchKey", apiCode(err))
}

// TestSDKPaging reads lists page by page.
func TestSDKPaging(t *testing.T) {
	h := newHarness(t)
	c, ctx := h.sdk(), t.Context()
	var want []string
	for _, key := range []string{"a", "b b", "c+c", "d/1", "d/2", "e&<>", "f\x01", "ü"} {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bkt"), Key: aws.String(key), Body: strings.NewReader(key)})
		require.NoError(t, err)
		want = append(want, key)
	}
	var got []string
	pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: aws.String("bkt"), MaxKeys: aws.Int32(3), EncodingType: types.EncodingTypeUrl})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		require.NoError(t, err)
		for _, o := range page.Contents {
			got = append(got, unescape(t, *o.Key))
		}
	}
	require.Equal(t, want, got)

	got = nil
	marker := (*string)(nil)
	for range 10 {
		page, err := c.ListObjects(ctx, &s3.ListObjectsInput{Bucket: aws.String("bkt"), MaxKeys: aws.Int32(2), Delimiter: aws.String("/"), Marker: marker, EncodingType: types.EncodingTypeUrl})
		require.NoError(t, err)
		for _, o := range page.Contents {
			got = append(got, unescape(t, *o.Key))
		}
		for _, p := range page.CommonPrefixes {
			got = append(got, *p.Prefix)
		}
		if !*page.IsTruncated {
			break
		}
		next := unescape(t, *page.NextMarker)
		marker = &next
	}
	require.Equal(t, []string{"a", "b b", "c+c", "d/", "e&<>", "f\x01", "ü"}, got)
	empty, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("bkt"), MaxKeys: aws.Int32(0)})
	require.NoError(t, err)
	require.Empty(t, empty.Contents)
	require.False(t, *empty.IsTruncated)
}

// TestSDKMultipart makes an object of an uploaded and a copied part under a
// customer's key.
func TestSDKMultipart(t *testing.T) {
	h := newHarness(t)
	c, ctx := h.sdk(), t.Context()
	source := strings.Repeat("source-", 1000)
	h.put("src", source)
	key := bytes.Repeat([]byte{7}, 32)
	sum := md5.Sum(key)
	key64, sum64, alg := aws.String(base64.StdEncoding.EncodeToString(key)), aws.String(base64.StdEncoding.EncodeToString(sum[:])), aws.String("AES256")

	create, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String("bkt"), Key: aws.String("multi"),
		SSECustomerAlgorithm: alg, SSECustomerKey: key64, SSECustomerKeyMD5: sum64, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32})
	require.NoError(t, err)
	require.Equal(t, *sum64, *create.SSECustomerKeyMD5)
	require.Equal(t, types.ChecksumTypeComposite, create.ChecksumType)
	part, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: aws.String("bkt"), Key: aws.String("multi"), UploadId: create.UploadId, PartNumber: aws.Int32(1),
		Body: strings.NewReader("first-"), SSECustomerAlgorithm: alg, SSECustomerKey: key64, SSECustomerKeyMD5: sum64})
	require.NoError(t, err)
	copied, err := c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: aws.String("bkt"), Key: aws.String("multi"), UploadId: create.UploadId, PartNumber: aws.Int32(3),
		CopySource: aws.String("/bkt/src"), CopySourceRange: aws.String("bytes=7-20"), SSECustomerAlgorithm: alg, SSECustomerKey: key64, SSECustomerKeyMD5: sum64})
	require.NoError(t, err)

	uploads, err := c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: aws.String("bkt")})
	require.NoError(t, err)
	require.Equal(t, *create.UploadId, *uploads.Uploads[0].UploadId)
	parts, err := c.ListParts(ctx, &s3.ListPartsInput{Bucket: aws.String("bkt"), Key: aws.String("multi"), UploadId: create.UploadId, MaxParts: aws.Int32(1)})
	require.NoError(t, err)
	require.True(t, *parts.IsTruncated)
	require.Equal(t, *part.ETag, *parts.Parts[0].ETag)

	done, err := c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: aws.String("bkt"), Key: aws.String("multi"), UploadId: create.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{
			{PartNumber: aws.Int32(1), ETag: part.ETag}, {PartNumber: aws.Int32(3), ETag: copied.CopyPartResult.ETag}}},
		MpuObjectSize: aws.Int64(20)})
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(*done.ETag, `-2"`), *done.ETag)

	_, err = c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("multi")})
	require.Equal(t, "InvalidRequest", apiCode(err))
	get, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("multi"), PartNumber: aws.Int32(3),
		SSECustomerAlgorithm: alg, SSECustomerKey: key64, SSECustomerKeyMD5: sum64})
	require.NoError(t, err)
	body, _ := io.ReadAll(get.Body)
	require.Equal(t, source[7:21], string(body))
	require.EqualValues(t, 2, *get.PartsCount)
	require.Equal(t, "bytes 6-19/20", *get.ContentRange)

	_, err = c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: aws.String("bkt"), Key: aws.String("multi"), UploadId: aws.String("nope")})
	require.Equal(t, "NoSuchUpload", apiCode(err))
}

// TestSDKPresigned reads with a link that overrides headers.
func TestSDKPresigned(t *testing.T) {
	h := newHarness(t)
	h.put("k", "hello")
	link, err := s3.NewPresignClient(h.sdk()).PresignGetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String("bkt"), Key: aws.String("k"), ResponseContentType: aws.String("text/x-link")})
	require.NoError(t, err)
	resp, err := h.client.Get(link.URL)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "hello", string(body))
	require.Equal(t, "text/x-link", resp.Header.Get("Content-Type"))
}
