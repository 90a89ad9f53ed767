package s3api

import (
	"context"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

func (s *server) getBucketRequestPayment(ctx context.Context, rq *request) (*response, error) {
	b, err := s.admitBucket(ctx, rq, "s3:GetBucketRequestPayment")
	if err != nil {
		return nil, err
	}
	return &response{document: &wirexml.RequestPayment{Requester: b.RequesterPays()}}, nil
}

func (s *server) putBucketRequestPayment(ctx context.Context, rq *request) (*response, error) {
	if _, err := s.admit(ctx, rq, "s3:PutBucketRequestPayment"); err != nil {
		return nil, err
	}
	body, err := rq.readDocument(wirexml.MaxConfigurationBytes)
	if err != nil {
		return nil, err
	}
	doc, err := wirexml.ParseRequestPayment(body)
	if err != nil {
		return nil, err
	}
	part := &metapb.ConfigPart{Name: bucket.PartRequestPayment}
	if doc.Requester {
		part.Value = []byte(bucket.PayerRequester)
	}
	return s.configure(ctx, rq, part)
}
