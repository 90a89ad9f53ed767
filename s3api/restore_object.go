package s3api

import (
	"context"
	"net/http"

	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// restoreObject asks for a warm copy of a cold object, or for a longer life of the one that exists.
func (s *server) restoreObject(ctx context.Context, rq *request) (*response, error) {
	body, err := rq.readDocument(wirexml.MaxConfigurationBytes)
	if err != nil {
		return nil, err
	}
	asked, err := wirexml.ParseRestoreRequest(body)
	if err != nil {
		return nil, err
	}
	in := &object.RestoreInput{Bucket: rq.bucket, Key: rq.key, VersionID: rq.query.get("versionId"), Days: asked.Days, Tier: asked.Tier}
	if in.Caller, err = s.admitAs(ctx, rq, "s3:RestoreObject"); err != nil {
		return nil, err
	}
	extended, err := s.cfg.Objects.Restore(ctx, in)
	if err != nil {
		return nil, err
	}
	resp := &response{status: http.StatusAccepted}
	if extended {
		resp.status = http.StatusOK
	}
	return resp, nil
}
