package transfer

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Upload is an upload in parts that is in progress.
type Upload struct {
	At    Location
	ID    string
	Begun time.Time
	Class string
}

// Uploads lists the uploads in progress of a bucket whose keys begin with a prefix.
func (s *Store) Uploads(ctx context.Context, bucket, prefix string) iter.Seq2[Upload, error] {
	return func(yield func(Upload, error) bool) {
		in := &s3.ListMultipartUploadsInput{Bucket: &bucket, Prefix: &prefix, EncodingType: types.EncodingTypeUrl}
		for {
			page, err := s.ListMultipartUploads(ctx, in)
			if err != nil {
				yield(Upload{}, err)
				return
			}
			d := decoder{encoded: page.EncodingType == types.EncodingTypeUrl}
			for _, u := range page.Uploads {
				up := Upload{Location{Kind: Object, Bucket: bucket, Key: d.text(u.Key)}, aws.ToString(u.UploadId),
					aws.ToTime(u.Initiated), string(u.StorageClass)}
				if d.err == nil && !yield(up, nil) {
					return
				}
			}
			if !aws.ToBool(page.IsTruncated) && d.err == nil {
				return
			}
			marker := d.text(page.NextKeyMarker)
			if marker == "" || d.err != nil {
				yield(Upload{}, errors.Join(errEndless, d.err))
				return
			}
			in.KeyMarker, in.UploadIdMarker = &marker, page.NextUploadIdMarker
		}
	}
}

// Abort removes an upload and its parts. That it is gone already is no error.
func (s *Store) Abort(ctx context.Context, u Upload) error {
	_, err := s.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.At.Bucket, Key: &u.At.Key,
		UploadId: &u.ID})
	if isMissing(err) {
		return nil
	}
	return err
}
