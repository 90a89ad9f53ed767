package s3api

import (
	"context"

	"github.com/cairnstore/cairn/s3api/wirexml"
)

func (s *server) getBucketLocation(ctx context.Context, rq *request) (*response, error) {
	b, err := s.admitBucket(ctx, rq, "s3:GetBucketLocation")
	if err != nil {
		return nil, err
	}
	return &response{document: &wirexml.Location{Region: s.region(b.Bucket), Form: rq.style.Location}}, nil
}
