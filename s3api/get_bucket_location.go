package s3api

import (
	"context"

	"github.com/cairnstore/cairn/s3api/wirexml"
)

func (s *server) getBucketLocation(ctx context.Context, rq *request) (*response, error) {
	who, err := s.admit(ctx, rq, "s3:GetBucketLocation")
	if err != nil {
		return nil, err
	}
	b, err := s.cfg.Objects.HeadBucket(ctx, who, rq.bucket)
	if err != nil {
		return nil, err
	}
	return &response{document: &wirexml.Location{Region: s.region(b), Form: rq.style.Location}}, nil
}
