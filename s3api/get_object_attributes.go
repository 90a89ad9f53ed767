package s3api

import (
	"context"
	"strings"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// The headers of GetObjectAttributes: what is asked for, and which page of the parts.
const (
	headerObjectAttributes = "X-Amz-Object-Attributes"
	headerMaxParts         = "X-Amz-Max-Parts"
	headerPartMarker       = "X-Amz-Part-Number-Marker"
)

// maxPartsPage bounds a page of parts.
const maxPartsPage = 1000

// objectAttributes are those that can be asked for.
var objectAttributes = newSet("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")

// attributesAsked says what a GetObjectAttributes asks for.
type attributesAsked struct {
	of        map[string]bool
	after     uint32
	mostParts uint32
}

func parseAttributesAsked(rq *request) (*attributesAsked, error) {
	a := &attributesAsked{of: map[string]bool{}, mostParts: maxPartsPage}
	for _, line := range rq.r.Header.Values(headerObjectAttributes) {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); !objectAttributes[name] {
				return nil, s3err.BadArgument("x-amz-object-attributes", printable(name),
					"Invalid attribute name specified.")
			}
			a.of[name] = true
		}
	}
	if len(a.of) == 0 {
		return nil, s3err.InvalidRequest.Say("The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty")
	}
	for name, into := range map[string]*uint32{headerMaxParts: &a.mostParts, headerPartMarker: &a.after} {
		text := rq.r.Header.Get(name)
		if text == "" {
			continue
		}
		if !isDigits(text) {
			return nil, s3err.BadArgument(strings.ToLower(name), printable(text),
				"The value must be an integer of at least 0.")
		}
		*into = uint32(min(saturatingUint(text), MaxPartNumber))
	}
	a.mostParts = min(a.mostParts, maxPartsPage)
	return a, nil
}

// getObjectAttributes answers what is asked about an object, without its content.
func (s *server) getObjectAttributes(ctx context.Context, rq *request) (*response, error) {
	asked, err := parseAttributesAsked(rq)
	if err != nil {
		return nil, err
	}
	in, err := s.parseRead(ctx, rq)
	if err != nil {
		return nil, err
	}
	// The caller also needs the right to read the object, which parseRead has asked for.
	who, err := s.admitObject(ctx, rq, "s3:GetObjectAttributes")
	if err != nil {
		return nil, err
	}
	in.Caller.Access = bothOf(in.Caller.Access, who.Access)
	in.Head, in.Range = true, object.Range{Kind: metapb.RangeKind_RANGE_NONE}
	got, err := s.cfg.Objects.Get(ctx, in)
	if err != nil {
		return tellMarker(got, err), err
	}
	v := got.Version
	doc := &wirexml.ObjectAttributes{Asked: asked.of, Version: v, PartNumberMarker: asked.after, MaxParts: asked.mostParts}
	if asked.of["ObjectParts"] && v.GetParts() > 0 {
		if doc.Parts, err = s.cfg.Objects.Parts(ctx, v, asked.after, asked.mostParts); err != nil {
			return nil, err
		}
	}
	resp := &response{document: doc}
	resp.set("Last-Modified", httpTime(v.GetModifiedMs()))
	resp.setVersion("x-amz-version-id", object.ShownVersionID(got.Bucket, v))
	return resp, nil
}

// twoAccesses allows what both of two allow.
type twoAccesses [2]object.Access

// bothOf returns the access that allows what both allow. A nil one allows everything.
func bothOf(a, b object.Access) object.Access {
	if a == nil || b == nil {
		return nil
	}
	return twoAccesses{a, b}
}

// Object implements object.Access.
func (t twoAccesses) Object(key string, v *metapb.Version) bool {
	return t[0].Object(key, v) && t[1].Object(key, v)
}

// Missing implements object.Access.
func (t twoAccesses) Missing() bool { return t[0].Missing() && t[1].Missing() }
