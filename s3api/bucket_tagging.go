package s3api

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// tagQuery writes tags as the x-amz-tagging header has them.
func tagQuery(tags []*metapb.Pair) string {
	var parts []string
	for _, t := range tags {
		parts = append(parts, url.QueryEscape(t.GetName())+"="+url.QueryEscape(t.GetValue()))
	}
	return strings.Join(parts, "&")
}

func (s *server) putBucketTagging(ctx context.Context, rq *request) (*response, error) {
	if _, err := s.admit(ctx, rq, "s3:PutBucketTagging"); err != nil {
		return nil, err
	}
	body, err := rq.readSummedDocument(wirexml.MaxConfigurationBytes)
	if err != nil {
		return nil, err
	}
	tags, err := wirexml.ParseTagging(body, wirexml.MaxBucketTags)
	if err != nil {
		return nil, err
	}
	part := &metapb.ConfigPart{Name: bucket.PartTagging}
	if len(tags) > 0 {
		part.Value = wirexml.Marshal(&wirexml.Tagging{Tags: tags}, "")
	}
	resp, err := s.configure(ctx, rq, part)
	resp.status = http.StatusNoContent
	return resp, err
}

func (s *server) getBucketTagging(ctx context.Context, rq *request) (*response, error) {
	b, err := s.admitBucket(ctx, rq, "s3:GetBucketTagging")
	if err != nil {
		return nil, err
	}
	doc := b.Config[bucket.PartTagging]
	if len(doc) == 0 {
		return nil, s3err.NoSuchTagSet.Say("", s3err.Field{Name: "BucketName", Value: rq.bucket})
	}
	tags, err := wirexml.ParseTagging(doc, wirexml.MaxBucketTags)
	if err != nil {
		return nil, s3err.InternalError.Because(err)
	}
	return &response{document: &wirexml.Tagging{Tags: tags}}, nil
}

func (s *server) deleteBucketTagging(ctx context.Context, rq *request) (*response, error) {
	if _, err := s.admit(ctx, rq, "s3:PutBucketTagging"); err != nil {
		return nil, err
	}
	return s.unconfigure(ctx, rq, bucket.PartTagging)
}
