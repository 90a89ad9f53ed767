package s3api

import (
	"context"
	"net/http"
)

func (s *server) deleteBucket(ctx context.Context, rq *request) (*response, error) {
	who, err := s.admit(ctx, rq, "s3:DeleteBucket")
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Objects.DeleteBucket(ctx, who, rq.bucket); err != nil {
		return nil, err
	}
	return &response{status: http.StatusNoContent}, nil
}
