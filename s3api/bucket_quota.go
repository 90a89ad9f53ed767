package s3api

import (
	"context"

	"github.com/cairnstore/cairn/s3api/wirexml"
)

// Quota and storage info are OBS's: how many bytes a bucket may hold, and what it does
// hold. Both are exact, for the metadata counts with each commit.

func (s *server) putBucketQuota(ctx context.Context, rq *request) (*response, error) {
	if _, err := s.admit(ctx, rq, "s3:PutBucketQuota"); err != nil {
		return nil, err
	}
	body, err := rq.readDocument(wirexml.MaxConfigurationBytes)
	if err != nil {
		return nil, err
	}
	bytes, err := wirexml.ParseQuota(body)
	if err != nil {
		return nil, err
	}
	return &response{}, s.cfg.Objects.SetQuota(ctx, rq.asks(), rq.bucket, bytes)
}

func (s *server) getBucketQuota(ctx context.Context, rq *request) (*response, error) {
	b, err := s.admitBucket(ctx, rq, "s3:GetBucketQuota")
	if err != nil {
		return nil, err
	}
	return &response{document: &wirexml.Quota{Bytes: b.GetQuotaBytes()}}, nil
}

func (s *server) getBucketStorageInfo(ctx context.Context, rq *request) (*response, error) {
	if _, err := s.admit(ctx, rq, "s3:GetBucketStorage"); err != nil {
		return nil, err
	}
	u, err := s.cfg.Objects.Usage(ctx, rq.asks(), rq.bucket)
	if err != nil {
		return nil, err
	}
	return &response{document: &wirexml.StorageInfo{Bytes: u.GetBytes() + u.GetUploadBytes(), Objects: u.GetVersions()}}, nil
}
