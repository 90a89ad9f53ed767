package s3api

import (
	"context"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
)

// headObject answers as getObject does, without content. The object service is asked where a part
// lies; other ranges follow from the size.
func (s *server) headObject(ctx context.Context, rq *request) (*response, error) {
	in, err := s.parseRead(ctx, rq)
	if err != nil {
		return nil, err
	}
	in.Head = true
	asked := in.Range
	if asked.Kind != metapb.RangeKind_RANGE_PART {
		in.Range = object.Range{Kind: metapb.RangeKind_RANGE_NONE}
	}
	got, err := s.cfg.Objects.Get(ctx, in)
	if err != nil {
		return tellMarker(got, err), err
	}
	v := got.Version
	served := servedRange{first: got.First, length: got.Length, unsatisfiable: got.Unsatisfiable}
	if asked.Kind != metapb.RangeKind_RANGE_PART {
		if !rangeHolds(rq.r.Header.Get("If-Range"), v.GetEtag(), v.GetModifiedMs()) {
			asked = object.Range{Kind: metapb.RangeKind_RANGE_ALL}
		}
		first, length, ok := resolveRange(asked, v.GetSize())
		served = servedRange{first: first, length: length, unsatisfiable: !ok}
	}
	resp, done, err := s.readResponse(ctx, rq, in, got)
	if done || err != nil {
		return resp, err
	}
	if err := resp.setRange(rq, asked, served, v); err != nil {
		return resp, err
	}
	resp.setReadChecksums(rq, asked, got)
	resp.set("Content-Length", itoa(served.length))
	return resp, nil
}
