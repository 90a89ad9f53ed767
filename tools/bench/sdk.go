package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/cairnstore/cairn/tools/load"
)

// sdk does what is not measured, through aws-sdk-go-v2 with its standard retries: it makes buckets,
// begins and ends uploads, and removes what rows leave behind. It also sends the parts with trailing
// checksums, which are measured.
type sdk struct {
	s3               *s3.Client   // The client of the first server.
	each             []*s3.Client // One client for each server: parts go to them in turn.
	bucket, versions string
	made             []string
}

func newSDK(s spec, h *http.Client, bucket string) *sdk {
	all := make([]*s3.Client, len(s.urls))
	for i, u := range s.urls {
		conf := load.Config{Endpoint: u.String(), HTTP: h, Access: s.access, Secret: s.secret}
		all[i] = conf.SDK()
	}
	return &sdk{s3: all[0], each: all, bucket: bucket, versions: bucket + "-versions"}
}

// open makes the run's buckets, one of them with versions.
func (s *sdk) open(ctx context.Context) error {
	for _, b := range []string{s.bucket, s.versions} {
		if _, err := s.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &b}); err != nil {
			return fmt.Errorf("make bucket %s: %w", b, err)
		}
		s.made = append(s.made, b)
	}
	_, err := s.s3.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: &s.versions,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	if err != nil {
		return fmt.Errorf("turn versions on in bucket %s: %w", s.versions, err)
	}
	return nil
}

// How often a bucket is emptied that was found not empty when it was to be removed, and how long to
// wait before each time.
const (
	emptyTries = 20
	emptyPause = 500 * time.Millisecond
)

// close removes the buckets that open has made, and all that is in them. A PUT that was cut off may
// still have its effect meanwhile. If a bucket is not empty by that, close empties it again.
func (s *sdk) close(ctx context.Context) error {
	for _, b := range s.made {
		err := s.removeBucket(ctx, b)
		for try := 1; try < emptyTries && load.ErrorKind(err) == "BucketNotEmpty"; try++ {
			time.Sleep(emptyPause)
			err = s.removeBucket(ctx, b)
		}
		if err != nil {
			return err
		}
	}
	s.made = nil
	return nil
}

func (s *sdk) removeBucket(ctx context.Context, b string) error {
	if err := s.abortAll(ctx, b); err != nil {
		return err
	}
	if err := s.empty(ctx, b, ""); err != nil {
		return err
	}
	if _, err := s.s3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &b}); err != nil {
		return fmt.Errorf("remove bucket %s: %w", b, err)
	}
	return nil
}

// empty removes every version of every key that begins with prefix.
func (s *sdk) empty(ctx context.Context, bucket, prefix string) error {
	pages := s3.NewListObjectVersionsPaginator(s.s3, &s3.ListObjectVersionsInput{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list what is to be removed from bucket %s: %w", bucket, err)
		}
		var ids []types.ObjectIdentifier
		for _, v := range page.Versions {
			ids = append(ids, types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
		}
		for _, m := range page.DeleteMarkers {
			ids = append(ids, types.ObjectIdentifier{Key: m.Key, VersionId: m.VersionId})
		}
		if err := s.remove(ctx, bucket, ids); err != nil {
			return err
		}
	}
	return nil
}

// maxRemoved is how many keys one request may remove.
const maxRemoved = 1000

func (s *sdk) remove(ctx context.Context, bucket string, ids []types.ObjectIdentifier) error {
	for some := range slices.Chunk(ids, maxRemoved) {
		out, err := s.s3.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &bucket,
			Delete: &types.Delete{Objects: some, Quiet: aws.Bool(true)}})
		if err != nil {
			return fmt.Errorf("remove from bucket %s: %w", bucket, err)
		}
		for _, e := range out.Errors {
			return fmt.Errorf("remove %s from bucket %s: %s", aws.ToString(e.Key), bucket, aws.ToString(e.Message))
		}
	}
	return nil
}

func (s *sdk) abortAll(ctx context.Context, bucket string) error {
	pages := s3.NewListMultipartUploadsPaginator(s.s3, &s3.ListMultipartUploadsInput{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list the uploads of bucket %s: %w", bucket, err)
		}
		for _, u := range page.Uploads {
			in := &s3.AbortMultipartUploadInput{Bucket: &bucket, Key: u.Key, UploadId: u.UploadId}
			if _, err := s.s3.AbortMultipartUpload(ctx, in); err != nil {
				return fmt.Errorf("abort the upload of %s: %w", aws.ToString(u.Key), err)
			}
		}
	}
	return nil
}

// create begins an upload, with a customer's key and a checksum if there are any.
func (s *sdk) create(ctx context.Context, at place, sum types.ChecksumAlgorithm) (string, error) {
	in := &s3.CreateMultipartUploadInput{Bucket: &s.bucket, Key: &at.key, ChecksumAlgorithm: sum}
	if at.sse != nil {
		in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = aws.String("AES256"), &at.sse.key, &at.sse.sum
	}
	out, err := s.s3.CreateMultipartUpload(ctx, in)
	if err != nil {
		return "", fmt.Errorf("begin an upload: %w", err)
	}
	return aws.ToString(out.UploadId), nil
}

func (s *sdk) abort(ctx context.Context, at place, upload string) error {
	in := &s3.AbortMultipartUploadInput{Bucket: &s.bucket, Key: &at.key, UploadId: &upload}
	_, err := s.s3.AbortMultipartUpload(ctx, in)
	return err
}

// single makes the SDK send a request once only, since what is measured must not be tried again.
func single(o *s3.Options) { o.Retryer = aws.NopRetryer{} }

// putPart sends a part as the SDK does by itself: with a checksum in the trailer.
func (s *sdk) putPart(ctx context.Context, key, upload string, number int, v load.Value, sum types.ChecksumAlgorithm) (
	types.CompletedPart, error,
) {
	n := aws.Int32(int32(number))
	out, err := s.each[number%len(s.each)].UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &s.bucket, Key: &key, UploadId: &upload, PartNumber: n,
		Body: load.NewReader(v), ContentLength: aws.Int64(v.Size()), ChecksumAlgorithm: sum}, single)
	if err != nil {
		return types.CompletedPart{}, err
	}
	return types.CompletedPart{PartNumber: n, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32,
		ChecksumCRC64NVME: out.ChecksumCRC64NVME}, nil
}

func (s *sdk) complete(ctx context.Context, key, upload string, parts []types.CompletedPart) error {
	in := &s3.CompleteMultipartUploadInput{Bucket: &s.bucket, Key: &key, UploadId: &upload,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}}
	_, err := s.s3.CompleteMultipartUpload(ctx, in, single)
	return err
}

// keys returns every key that begins with prefix, as the SDK lists them.
func (s *sdk) keys(ctx context.Context, prefix string) (found []string, err error) {
	pages := s3.NewListObjectsV2Paginator(s.s3, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range page.Contents {
			found = append(found, aws.ToString(o.Key))
		}
	}
	return found, nil
}
