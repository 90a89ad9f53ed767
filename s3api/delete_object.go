package s3api

import (
	"context"
	"net/http"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

const (
	headerIfMatchTime = "X-Amz-If-Match-Last-Modified-Time"
	headerIfMatchSize = "X-Amz-If-Match-Size"
)

// parseDeletion reads which version a DELETE is about, and under which conditions.
func parseDeletion(rq *request) (*metapb.ObjectName, error) {
	h := rq.r.Header
	for _, name := range []string{"If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		if h.Get(name) != "" {
			return nil, notImplementedHeader(name)
		}
	}
	o := &metapb.ObjectName{Key: rq.key, VersionId: rq.query.get("versionId"), IfMatch: unquoteETag(h.Get("If-Match"))}
	if strings.ContainsRune(o.IfMatch, ',') {
		return nil, notImplementedHeader("If-Match")
	}
	if size := h.Get(headerIfMatchSize); size != "" {
		if !isDigits(size) {
			return nil, badDeletion("x-amz-if-match-size", size)
		}
		o.IfSize = proto.Uint64(saturatingUint(size))
	}
	if modified := h.Get(headerIfMatchTime); modified != "" {
		t, ok := wirexml.ParseTime(modified)
		if !ok {
			return nil, badDeletion("x-amz-if-match-last-modified-time", modified)
		}
		o.IfModifiedS = proto.Int64(t.Unix())
	}
	return o, nil
}

func badDeletion(header, value string) error {
	return s3err.BadArgument(header, printable(value), "The value of "+header+" is invalid.")
}

func (s *server) deleteObject(ctx context.Context, rq *request) (*response, error) {
	name, err := parseDeletion(rq)
	if err != nil {
		return nil, err
	}
	who, err := s.admit(ctx, rq, versioned("s3:DeleteObject", name.VersionId != ""))
	if err != nil {
		return nil, err
	}
	name.BypassGovernance = s.bypasses(ctx, rq, subject{rq.bucket, name.Key, name.VersionId})
	results, err := s.cfg.Objects.Delete(ctx, who, rq.bucket, []*metapb.ObjectName{name})
	if err != nil {
		return nil, err
	}
	resp := &response{status: http.StatusNoContent}
	for _, result := range results {
		if err := s.deleteError(ctx, rq, name, result); err != nil {
			return nil, err
		}
		if result.GetDeleteMarker() {
			resp.set("x-amz-delete-marker", "true")
		}
		if result.GetDeleteMarker() || name.VersionId != "" {
			s.tellVersion(ctx, resp, rq, result.GetVersionId())
		}
	}
	return resp, nil
}
