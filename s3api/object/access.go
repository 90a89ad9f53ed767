package object

import (
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// permit returns the error of a caller who may not do what it asks with a version of
// a key. Of a delete marker may know who may know that a key is missing.
func permit(a Access, key string, v *metapb.Version) error {
	switch {
	case a == nil:
		return nil
	case v.GetDeleteMarker() && a.Missing(), !v.GetDeleteMarker() && a.Object(key, v):
		return nil
	}
	return s3err.AccessDenied.Err()
}

// hideMissing turns the error of a lookup into AccessDenied where the object, or
// its version, is missing and the caller may not know.
func hideMissing(a Access, err error) error {
	missing := isRefusal(err, metapb.Refusal_REFUSAL_NO_SUCH_KEY) || isRefusal(err, metapb.Refusal_REFUSAL_NO_SUCH_VERSION)
	if missing && a != nil && !a.Missing() {
		return s3err.AccessDenied.Because(err)
	}
	return err
}
