package s3api

import (
	"context"

	"github.com/cairnstore/cairn/s3api/wirexml"
)

func (s *server) getBucketMotto(ctx context.Context, rq *request) (*response, error) {
	_, err := s.admitBucket(ctx, rq, "s3:GetBucketMotto")
	if err != nil {
		return nil, err
	}
	return &response{document: &wirexml.Motto{Text: "A stone upon a stone: " + rq.bucket}}, nil
}
