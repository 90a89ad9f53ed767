package s3api

import (
	"context"
	"net/http"
)

func (s *server) abortMultipartUpload(ctx context.Context, rq *request) (*response, error) {
	id, err := uploadIDOf(rq.query)
	if err != nil {
		return nil, err
	}
	who, err := s.admit(ctx, rq, "s3:AbortMultipartUpload")
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Objects.Abort(ctx, who, rq.bucket, rq.key, id); err != nil {
		return nil, err
	}
	return &response{status: http.StatusNoContent}, nil
}
