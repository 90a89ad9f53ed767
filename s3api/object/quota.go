package object

import (
	"context"

	"github.com/cairnstore/cairn/meta/metapb"
)

// SetQuota bounds the bytes that a bucket may hold, parts of open uploads among them;
// 0: not.
func (s *Service) SetQuota(ctx context.Context, of Request, bucket string, bytes uint64) error {
	_, err := s.commit(ctx, of, &metapb.Command{Op: &metapb.Command_SetBucketQuota{
		SetBucketQuota: &metapb.SetBucketQuota{Bucket: bucket, Bytes: bytes}}})
	return err
}

// Usage returns what a bucket holds: all versions but delete markers, and parts of open
// uploads.
func (s *Service) Usage(ctx context.Context, of Request, bucket string) (*metapb.BucketUsage, error) {
	a, err := s.query(ctx, of, &metapb.Query{Op: &metapb.Query_Bucket{Bucket: &metapb.GetBucket{Name: bucket, WithUsage: true}}})
	if err != nil {
		return nil, err
	}
	return a.BucketUsage, nil
}
