package s3api

import (
	"context"
	"net/http"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// getObjectTagging answers GetObjectTagging. The aws CLI asks before it copies a large object in
// parts, and gives up where the answer is an error.
func (s *server) getObjectTagging(ctx context.Context, rq *request) (*response, error) {
	got, err := s.describe(ctx, rq, versioned("s3:GetObjectTagging", rq.query.has("versionId")))
	if err != nil {
		return tellMarker(got, err), err
	}
	resp := &response{document: &wirexml.Tagging{Tags: got.Version.GetTags()}}
	resp.setVersion("x-amz-version-id", object.ShownVersionID(got.Bucket, got.Version))
	return resp, nil
}

func (s *server) putObjectTagging(ctx context.Context, rq *request) (*response, error) {
	body, err := rq.readDocument(wirexml.MaxConfigurationBytes)
	if err != nil {
		return nil, err
	}
	if rq.tags, err = wirexml.ParseTagging(body, wirexml.MaxObjectTags); err != nil {
		return nil, err
	}
	return s.retag(ctx, rq, "s3:PutObjectTagging", &response{})
}

func (s *server) deleteObjectTagging(ctx context.Context, rq *request) (*response, error) {
	return s.retag(ctx, rq, "s3:DeleteObjectTagging", &response{status: http.StatusNoContent})
}

// retag replaces the tags of a version by those of the request.
func (s *server) retag(ctx context.Context, rq *request, action string, resp *response) (*response, error) {
	got, err := s.describe(ctx, rq, versioned(action, rq.query.has("versionId")))
	if err != nil {
		return tellMarker(got, err), err
	}
	resp.setVersion("x-amz-version-id", object.ShownVersionID(got.Bucket, got.Version))
	return resp, s.cfg.Objects.Update(ctx, rq.asks(), &metapb.UpdateVersion{Bucket: rq.bucket, Key: rq.key,
		VersionId: rq.query.get("versionId"), ContentId: got.Version.GetContentId(), SetTags: true, Tags: rq.tags})
}
