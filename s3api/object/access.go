package object

import (
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// permit returns AccessDenied if the caller may not do what it asks with a version of a key. A
// delete marker says no more than that the key is missing, so whoever may know that may know the
// marker.
func permit(a Access, key string, v *metapb.Version) error {
	switch {
	case a == nil:
		return nil
	case v.GetDeleteMarker() && a.Missing(), !v.GetDeleteMarker() && a.Object(key, v):
		return nil
	}
	return s3err.AccessDenied.Err()
}

// hideMissing returns the error of a lookup. If it says that an object or a version is missing, and
// the caller may not know, it becomes AccessDenied.
func hideMissing(a Access, err error) error {
	missing := isRefusal(err, metapb.Refusal_REFUSAL_NO_SUCH_KEY) || isRefusal(err, metapb.Refusal_REFUSAL_NO_SUCH_VERSION)
	if missing && a != nil && !a.Missing() {
		return s3err.AccessDenied.Because(err)
	}
	return err
}
