package s3api

import (
	"context"

	"github.com/cairnstore/cairn/s3api/wirexml"
)

// getBucketRoll answers that the bucket is there.
func (s *server) getBucketRoll(ctx context.Context, rq *request) (*response, error) {
	if _, err := s.admitBucket(ctx, rq, "s3:GetBucketRoll"); err != nil {
		return nil, err
	}
	return &response{document: &wirexml.Roll{Bucket: rq.bucket}}, nil
}
