package s3api

import (
	"context"

	"github.com/cairnstore/cairn/s3api/object"
)

func (s *server) putObject(ctx context.Context, rq *request) (*response, error) {
	in, err := s.parsePut(ctx, rq)
	if err != nil {
		return nil, err
	}
	v, err := s.cfg.Objects.Put(ctx, in)
	if err != nil {
		return nil, err
	}
	rq.done.ObjectSize = int64(v.GetSize())
	resp := &response{}
	resp.setETag(v.GetEtag())
	s.tellWritten(ctx, resp, rq, v)
	resp.setChecksums(v.GetChecksums(), v.GetParts())
	s.tellExpiration(ctx, resp, rq, v)
	s.tellEncryption(resp, in.Encryption(), in.CustomerKey)
	return resp, nil
}

func (s *server) parsePut(ctx context.Context, rq *request) (*object.PutInput, error) {
	in := &object.PutInput{Bucket: rq.bucket, Key: rq.key}
	var err error
	if in.Conditions, err = writeConditions(rq.r.Header); err != nil {
		return nil, err
	}
	if err = rq.describeNew(&in.Description); err != nil {
		return nil, err
	}
	if in.Body, err = rq.body(s.cfg.Limits.MaxPutBytes); err != nil {
		return nil, err
	}
	in.Caller, err = s.admitWrite(ctx, rq, &in.Description)
	return in, err
}
