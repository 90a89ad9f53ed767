package s3api

import "context"

func (s *server) headBucket(ctx context.Context, rq *request) (*response, error) {
	who, err := s.admit(ctx, rq, "s3:ListBucket")
	if err != nil {
		return nil, err
	}
	b, err := s.cfg.Objects.HeadBucket(ctx, who, rq.bucket)
	if err != nil {
		return nil, err
	}
	resp := &response{}
	resp.set("x-amz-bucket-region", s.region(b))
	resp.set("x-amz-access-point-alias", "false")
	resp.set("Content-Type", "application/xml")
	return resp, nil
}
