package s3api

import (
	"context"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

func (s *server) putPublicAccessBlock(ctx context.Context, rq *request) (*response, error) {
	if _, err := s.admit(ctx, rq, "s3:PutBucketPublicAccessBlock"); err != nil {
		return nil, err
	}
	body, err := rq.readDocument(wirexml.MaxConfigurationBytes)
	if err != nil {
		return nil, err
	}
	doc, err := wirexml.ParsePublicAccessBlock(body)
	if err != nil {
		return nil, err
	}
	return s.configure(ctx, rq, publicAccessPart(doc))
}

func publicAccessPart(doc *wirexml.PublicAccessBlock) *metapb.ConfigPart {
	return &metapb.ConfigPart{Name: bucket.PartPublicAccessBlock, Value: wirexml.Marshal(doc, "")}
}

func (s *server) getPublicAccessBlock(ctx context.Context, rq *request) (*response, error) {
	b, err := s.admitBucket(ctx, rq, "s3:GetBucketPublicAccessBlock")
	if err != nil {
		return nil, err
	}
	if len(b.Config[bucket.PartPublicAccessBlock]) == 0 {
		return nil, s3err.NoSuchPublicAccessBlockConfiguration.Say("", s3err.Field{Name: "BucketName", Value: rq.bucket})
	}
	return &response{document: &b.Block}, nil
}

func (s *server) deletePublicAccessBlock(ctx context.Context, rq *request) (*response, error) {
	if _, err := s.admit(ctx, rq, "s3:PutBucketPublicAccessBlock"); err != nil {
		return nil, err
	}
	return s.unconfigure(ctx, rq, bucket.PartPublicAccessBlock)
}

// getBucketPolicyStatus tells whether the bucket's policy lets in everybody.
func (s *server) getBucketPolicyStatus(ctx context.Context, rq *request) (*response, error) {
	b, err := s.admitBucket(ctx, rq, "s3:GetBucketPolicyStatus")
	if err != nil {
		return nil, err
	}
	if b.Policy == nil {
		return nil, s3err.NoSuchBucketPolicy.Say("", s3err.Field{Name: "BucketName", Value: rq.bucket})
	}
	return &response{document: &wirexml.PolicyStatus{Public: b.PolicyIsPublic()}}, nil
}
