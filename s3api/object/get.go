package object

import (
	"context"
	"errors"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// Get opens an object, or only looks at it (RANGE_NONE). A range outside the
// object is no error but Got.Unsatisfiable. Of a delete marker Got tells, beside the
// error, which it is.
func (s *Service) Get(ctx context.Context, in *GetInput) (*Got, error) {
	r := in.Range
	a, err := s.query(ctx, in.Caller.Request, &metapb.Query{Op: &metapb.Query_Object{Object: &metapb.GetObject{
		Bucket: in.Bucket, Key: in.Key, VersionId: in.VersionID,
		Range: r.Kind, First: r.First, Last: r.Last, Part: r.Part, MaxRefs: maxRefs, Restored: true}}})
	if err != nil {
		return hidden(a, hideMissing(in.Caller.Access, err))
	}
	o := a.Object
	if err := permit(in.Caller.Access, in.Key, o.Version); err != nil {
		return nil, err
	}
	if err := visible(o.Version, in.VersionID); err != nil {
		return &Got{Bucket: o.Bucket, Version: o.Version}, err
	}
	if !in.Head {
		if err := warm(o.Version, msgColdRead); err != nil {
			return nil, err
		}
	}
	if in.AttributesOnly {
		return &Got{Bucket: o.Bucket, Version: o.Version}, nil
	}
	wrap, err := s.unlock(o.Version.Encryption, in.CustomerKey)
	if err != nil {
		return nil, err
	}
	g := &Got{Bucket: o.Bucket, Version: o.Version, Unsatisfiable: o.Unsatisfiable,
		First: o.First, Length: o.Length, PartChecksums: o.PartChecksums}
	g.content = s.newContent(o.Version, o, wrap)
	return g, nil
}

// hidden tells, beside the error of a key that does not exist, the delete marker that
// hides it, if the caller may know so much.
func hidden(a *metapb.Answer, err error) (*Got, error) {
	v := a.GetObject().GetVersion()
	var told *s3err.Error
	if !v.GetDeleteMarker() || !errors.As(err, &told) || told.Code != s3err.NoSuchKey {
		return nil, err
	}
	return &Got{Bucket: a.GetObject().GetBucket(), Version: v}, err
}

// visible returns the error of reading a version that is a delete marker.
func visible(v *metapb.Version, versionID string) error {
	switch {
	case !v.GetDeleteMarker():
		return nil
	case versionID == "":
		return s3err.NoSuchKey.Err()
	}
	return s3err.MethodNotAllowed.Err()
}
