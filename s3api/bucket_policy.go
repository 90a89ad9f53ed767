package s3api

import (
	"context"
	"errors"
	"net/http"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/policy"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/s3err"
)

func (s *server) putBucketPolicy(ctx context.Context, rq *request) (*response, error) {
	b, err := s.admitBucket(ctx, rq, "s3:PutBucketPolicy")
	if err != nil {
		return nil, err
	}
	body, err := rq.readDocument(policy.MaxBucketPolicyBytes)
	if e := s3err.FromError(err); err != nil && e.Code != s3err.MaxMessageLengthExceeded {
		return nil, err
	} else if err != nil {
		return nil, s3err.MalformedPolicy.Say("A bucket policy is at most 20480 bytes.")
	}
	doc, err := policy.ParseBucket(body, rq.bucket)
	if err != nil {
		var bad *policy.Error
		if errors.As(err, &bad) {
			return nil, s3err.MalformedPolicy.Say(bad.Error())
		}
		return nil, s3err.MalformedPolicy.Because(err)
	}
	if bad := doc.AllowsExcept(); bad != nil {
		return nil, s3err.MalformedPolicy.Say(bad.Error())
	}
	if b.Block.BlockPublicPolicy && policy.IsPublic(doc) {
		return nil, s3err.AccessDenied.Say("The bucket blocks public policies: its public access block has BlockPublicPolicy.")
	}
	resp, err := s.configure(ctx, rq, &metapb.ConfigPart{Name: bucket.PartPolicy, Value: body})
	if rq.profile.AnswerProfile == profile.AWS {
		resp.status = http.StatusNoContent
	}
	return resp, err
}

func (s *server) getBucketPolicy(ctx context.Context, rq *request) (*response, error) {
	b, err := s.admitBucket(ctx, rq, "s3:GetBucketPolicy")
	if err != nil {
		return nil, err
	}
	doc := b.Config[bucket.PartPolicy]
	if len(doc) == 0 {
		return nil, s3err.NoSuchBucketPolicy.Say("", s3err.Field{Name: "BucketName", Value: rq.bucket})
	}
	return &response{raw: doc, headers: []header{{"Content-Type", "application/json"}}}, nil
}

func (s *server) deleteBucketPolicy(ctx context.Context, rq *request) (*response, error) {
	if _, err := s.admit(ctx, rq, "s3:DeleteBucketPolicy"); err != nil {
		return nil, err
	}
	return s.unconfigure(ctx, rq, bucket.PartPolicy)
}

// admitBucket is admit for actions that look at a bucket's configuration.
func (s *server) admitBucket(ctx context.Context, rq *request, action string) (*bucket.Bucket, error) {
	if _, err := s.admit(ctx, rq, action); err != nil {
		return nil, err
	}
	return s.bucket(ctx, rq)
}

// configure sets a part of the bucket's configuration.
func (s *server) configure(ctx context.Context, rq *request, part *metapb.ConfigPart) (*response, error) {
	parts := []*metapb.ConfigPart{part}
	return &response{}, s.cfg.Objects.Configure(ctx, rq.asks(), rq.bucket, parts, metapb.Versioning_VERSIONING_OFF)
}

// unconfigure removes a part of the bucket's configuration.
func (s *server) unconfigure(ctx context.Context, rq *request, name string) (*response, error) {
	_, err := s.configure(ctx, rq, &metapb.ConfigPart{Name: name})
	return &response{status: http.StatusNoContent}, err
}
