package s3api

import (
	"context"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

func (s *server) putBucketEncryption(ctx context.Context, rq *request) (*response, error) {
	who, err := s.admit(ctx, rq, "s3:PutEncryptionConfiguration")
	if err != nil {
		return nil, err
	}
	body, err := rq.readDocument(wirexml.MaxConfigurationBytes)
	if err != nil {
		return nil, err
	}
	doc, err := wirexml.ParseBucketEncryption(body)
	if err != nil {
		return nil, err
	}
	if s.cfg.Keys == nil {
		return nil, s3err.NotImplemented.Say("This cluster has no key service: only SSE-C is there.")
	}
	if doc.BlockSSEC {
		return nil, s3err.NotImplemented.Say("A bucket cannot refuse customer keys yet: leave BlockedEncryptionTypes out.")
	}
	value := doc.Algorithm
	if doc.KMSKeyID != "" {
		id, err := s.cfg.Keys.Resolve(ctx, who.Account, doc.KMSKeyID)
		if err != nil {
			return nil, err
		}
		value += " " + id
	}
	return s.configure(ctx, rq, &metapb.ConfigPart{Name: bucket.PartEncryption, Value: []byte(value)})
}

func (s *server) getBucketEncryption(ctx context.Context, rq *request) (*response, error) {
	b, err := s.admitBucket(ctx, rq, "s3:GetEncryptionConfiguration")
	if err != nil {
		return nil, err
	}
	mode, keyID := b.DefaultEncryption(rq.profile)
	if mode == "" {
		return nil, s3err.EncryptionConfigurationNotFound.Say("", s3err.Field{Name: "BucketName", Value: rq.bucket})
	}
	if keyID != "" {
		keyID = s.cfg.KeyName(keyID)
	}
	return &response{document: &wirexml.BucketEncryption{Algorithm: mode, KMSKeyID: keyID}}, nil
}

func (s *server) deleteBucketEncryption(ctx context.Context, rq *request) (*response, error) {
	if _, err := s.admit(ctx, rq, "s3:PutEncryptionConfiguration"); err != nil {
		return nil, err
	}
	return s.unconfigure(ctx, rq, bucket.PartEncryption)
}
