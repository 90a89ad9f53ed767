package s3api

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

func (s *server) createMultipartUpload(ctx context.Context, rq *request) (*response, error) {
	in := &object.UploadInput{Bucket: rq.bucket, Key: rq.key}
	err := rq.describeNew(&in.Description)
	if err != nil {
		return nil, err
	}
	if in.ChecksumAlgorithm, in.ChecksumFullObject, err = uploadChecksum(rq.r.Header); err != nil {
		return nil, err
	}
	if in.Caller, err = s.admitWrite(ctx, rq, &in.Description); err != nil {
		return nil, err
	}
	rules, err := s.lifecycleRules(ctx, rq)
	if err != nil {
		return nil, err
	}
	began := time.Now() // The client is told this time, and the upload is recorded with a later one: it is never aborted too early.
	id, err := s.cfg.Objects.CreateUpload(ctx, in)
	if err != nil {
		return nil, err
	}
	resp := &response{document: &wirexml.CreateUpload{Bucket: rq.bucket, Key: rq.key, UploadID: id}}
	if in.ChecksumAlgorithm != "" {
		resp.set("x-amz-checksum-algorithm", in.ChecksumAlgorithm)
		resp.set("x-amz-checksum-type", checksumType(in.ChecksumFullObject))
	}
	resp.tellAbort(rules, rq.key, began.UnixMilli())
	s.tellEncryption(resp, in.Encryption(), in.CustomerKey)
	return resp, nil
}

func checksumType(fullObject bool) string {
	if fullObject {
		return wirexml.ChecksumFullObject
	}
	return wirexml.ChecksumComposite
}
