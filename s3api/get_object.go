package s3api

import (
	"context"
	"net/http"
	"slices"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
)

func (s *server) getObject(ctx context.Context, rq *request) (*response, error) {
	in, err := s.parseRead(ctx, rq)
	if err != nil {
		return nil, err
	}
	got, err := s.cfg.Objects.Get(ctx, in)
	if err != nil {
		return tellMarker(got, err), err
	}
	v := got.Version
	if in.Range.Kind != metapb.RangeKind_RANGE_ALL && !rangeHolds(rq.r.Header.Get("If-Range"), v.GetEtag(), v.GetModifiedMs()) {
		in.Range = object.Range{Kind: metapb.RangeKind_RANGE_ALL}
		if got, err = s.cfg.Objects.Get(ctx, in); err != nil {
			return nil, err
		}
	}
	resp, done, err := s.readResponse(ctx, rq, in, got)
	if done || err != nil {
		return resp, err
	}
	part := servedRange{first: got.First, length: got.Length, unsatisfiable: got.Unsatisfiable}
	if err := resp.setRange(rq, in.Range, part, got.Version); err != nil {
		return resp, err
	}
	resp.setReadChecksums(rq, in.Range, got)
	resp.content = &content{length: int64(got.Length), writeTo: got.WriteTo}
	return resp, nil
}

// tellMarker returns the headers that go with the error of reading a delete marker, or nil for
// other errors. A marker that the request names exists; it can be deleted and nothing else.
func tellMarker(got *object.Got, err error) *response {
	if got == nil {
		return nil
	}
	resp := &response{}
	if s3err.FromError(err).Code == s3err.MethodNotAllowed {
		resp.set("Last-Modified", httpTime(got.Version.GetModifiedMs()))
		resp.set(headerAllow, http.MethodDelete)
	}
	resp.set("x-amz-delete-marker", "true")
	resp.setVersion("x-amz-version-id", object.ShownVersionID(got.Bucket, got.Version))
	return resp
}

// parseRead reads a GetObject or HeadObject.
func (s *server) parseRead(ctx context.Context, rq *request) (*object.GetInput, error) {
	in := &object.GetInput{Bucket: rq.bucket, Key: rq.key, VersionID: rq.query.get("versionId")}
	if err := refuseModeOnRead(rq); err != nil {
		return nil, err
	}
	if rq.auth.Anonymous && slices.ContainsFunc(overrideParameters, rq.query.has) {
		// Otherwise anybody could make a link that shows somebody's object as a page.
		return nil, s3err.ForbidAnonymousOverrides.Err()
	}
	var err error
	if in.CustomerKey, err = s.customerKey(rq, targetKeyHeaders); err != nil {
		return nil, err
	}
	ranged := false
	if header := rq.r.Header.Get("Range"); header != "" {
		in.Range, ranged = parseRange(header)
	}
	if rq.query.has("partNumber") {
		if ranged {
			return nil, s3err.InvalidRequest.Say("Cannot specify both Range header and partNumber query parameter")
		}
		number, err := partNumber(rq.query)
		if err != nil {
			return nil, err
		}
		in.Range = object.Range{Kind: metapb.RangeKind_RANGE_PART, Part: uint32(number)}
	}
	in.Caller, err = s.admitObject(ctx, rq, "s3:GetObject")
	return in, err
}

// readResponse begins the answer of a read. done means that the answer is complete, because of the
// conditions.
func (s *server) readResponse(ctx context.Context, rq *request, in *object.GetInput, got *object.Got) (_ *response, done bool, _ error) {
	v := got.Version
	rq.done.ObjectSize = int64(v.GetSize())
	resp := &response{headers: make([]header, 0, 16)}
	resp.setETag(v.GetEtag())
	resp.set("Last-Modified", httpTime(v.GetModifiedMs()))
	resp.setVersion("x-amz-version-id", object.ShownVersionID(got.Bucket, v))
	conditions := parseReadConditions(rq.r.Header)
	switch conditions.evaluate(v.GetEtag(), v.GetModifiedMs()) {
	case notModified:
		resp.status = http.StatusNotModified
		return resp, true, nil
	case failed:
		return resp, true, preconditionFailed(conditions)
	}
	resp.set("Accept-Ranges", "bytes")
	s.tellEncryption(resp, v.GetEncryption(), in.CustomerKey)
	resp.setAttributes(v.GetAttributes(), rq.query, rq.profile)
	resp.tellRestore(v)
	if in.VersionID == "" {
		s.tellExpiration(ctx, resp, rq, v)
	}
	s.tellExtras(ctx, rq, resp, v)
	return resp, false, nil
}

// servedRange is the range of an object that is sent.
type servedRange struct {
	first, length uint64
	unsatisfiable bool
}

// setRange makes the answer partial if a range or a part was asked for. It returns the error of a
// range outside the object; the response then has only the headers that go with that.
func (resp *response) setRange(rq *request, asked object.Range, served servedRange, v *metapb.Version) error {
	size := v.GetSize()
	byPart := asked.Kind == metapb.RangeKind_RANGE_PART
	if served.unsatisfiable {
		resp.headers = nil
		if byPart {
			return s3err.InvalidPartNumber.Say("",
				s3err.Field{Name: "PartNumberRequested", Value: itoa(asked.Part)},
				s3err.Field{Name: "ActualPartCount", Value: itoa(max(v.GetParts(), 1))})
		}
		resp.set("Content-Range", "bytes */"+itoa(size))
		return s3err.InvalidRange.Say("",
			s3err.Field{Name: "RangeRequested", Value: printable(rq.r.Header.Get("Range"))},
			s3err.Field{Name: "ActualObjectSize", Value: itoa(size)})
	}
	if byPart && v.GetParts() > 0 {
		resp.set("x-amz-mp-parts-count", itoa(v.GetParts()))
	}
	if asked.Kind == metapb.RangeKind_RANGE_ALL || asked.Kind == metapb.RangeKind_RANGE_NONE || served.length == 0 {
		return nil // An empty part has no Content-Range.
	}
	resp.status = http.StatusPartialContent
	resp.set("Content-Range", "bytes "+itoa(served.first)+"-"+itoa(served.first+served.length-1)+"/"+itoa(size))
	return nil
}

// setReadChecksums tells the checksums of the object or the part that is sent, if they are asked
// for and known.
func (resp *response) setReadChecksums(rq *request, asked object.Range, got *object.Got) {
	if !wantsChecksums(rq.r.Header) {
		return
	}
	switch asked.Kind {
	case metapb.RangeKind_RANGE_ALL, metapb.RangeKind_RANGE_NONE:
		resp.setChecksums(got.Version.GetChecksums(), got.Version.GetParts())
	case metapb.RangeKind_RANGE_PART:
		resp.setPartOf(got.Version, got.PartChecksums)
	}
}
