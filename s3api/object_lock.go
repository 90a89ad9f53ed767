package s3api

import (
	"context"

	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

func (s *server) putObjectLockConfiguration(ctx context.Context, rq *request) (*response, error) {
	body, err := rq.readDocument(wirexml.MaxConfigurationBytes)
	if err != nil {
		return nil, err
	}
	retention, err := wirexml.ParseObjectLock(body)
	if err != nil {
		return nil, err
	}
	if _, err := s.admit(ctx, rq, "s3:PutBucketObjectLockConfiguration"); err != nil {
		return nil, err
	}
	return &response{}, s.cfg.Objects.LockBucket(ctx, rq.asks(), rq.bucket, retention)
}

func (s *server) getObjectLockConfiguration(ctx context.Context, rq *request) (*response, error) {
	b, err := s.admitBucket(ctx, rq, "s3:GetBucketObjectLockConfiguration")
	if err != nil {
		return nil, err
	}
	if !b.GetObjectLock() {
		return nil, s3err.ObjectLockConfigurationNotFound.Err()
	}
	return &response{document: &wirexml.ObjectLock{Default: b.GetDefaultRetention()}}, nil
}
