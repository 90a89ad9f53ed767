package object

import (
	"context"
	"errors"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// Get looks an object up and readies it to be read; RANGE_NONE only looks it up. A range outside
// the object is no error but Got.Unsatisfiable. If a delete marker is found, Got names it beside
// the error.
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

// hidden returns the error of a key that does not exist. If a delete marker hides the key, and the
// caller may know that the key is missing, it returns the marker too.
func hidden(a *metapb.Answer, err error) (*Got, error) {
	v := a.GetObject().GetVersion()
	var told *s3err.Error
	if !v.GetDeleteMarker() || !errors.As(err, &told) || told.Code != s3err.NoSuchKey {
		return nil, err
	}
	return &Got{Bucket: a.GetObject().GetBucket(), Version: v}, err
}

// visible returns the error of reading a version, which is nil if it is no delete marker.
func visible(v *metapb.Version, versionID string) error {
	switch {
	case !v.GetDeleteMarker():
		return nil
	case versionID == "":
		return s3err.NoSuchKey.Err()
	}
	return s3err.MethodNotAllowed.Err()
}

// Parts lists the parts of a multipart version from the number after on. It returns NoSuchVersion
// if the version is gone meanwhile.
func (s *Service) Parts(ctx context.Context, v *metapb.Version, after, most uint32) (*metapb.ObjectPartsAnswer, error) {
	a, err := s.query(ctx, Request{}, &metapb.Query{Op: &metapb.Query_ObjectParts{ObjectParts: &metapb.ObjectParts{
		ContentId: v.GetContentId(), After: after, Max: most}}})
	if err != nil {
		return nil, err
	}
	return a.ObjectParts, nil
}
