package object

import (
	"time"

	"github.com/cairnstore/cairn/meta/alloc"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// placementOf returns where the extents of an object with these attributes belong.
func placementOf(a *metapb.Attributes) alloc.Placement {
	if isCold(a) {
		return alloc.Cold
	}
	return alloc.Standard
}

func isCold(a *metapb.Attributes) bool { return a.GetStorageClass() == profile.ClassGlacier }

// Restored reports whether a version can be read at the time now: it is not cold, or its restore is
// done and has not expired.
func Restored(v *metapb.Version, now time.Time) bool {
	return !isCold(v.GetAttributes()) || WarmUntil(v, now) != 0
}

// WarmUntil returns when the restore of a version expires, in Unix ms, or 0 if the version is not
// restored at the time now.
func WarmUntil(v *metapb.Version, now time.Time) int64 {
	r := v.GetRestore()
	if r == nil || r.Ongoing || r.ExpiresMs <= now.UnixMilli() {
		return 0
	}
	return r.ExpiresMs
}

// Messages of S3 about cold objects. Copies have the message of the code itself.
const (
	msgColdRead    = "The operation is not valid for the object's storage class"
	msgNotCold     = "Restore is not allowed, as object's storage class is not GLACIER"
	fieldColdClass = "StorageClass"
)

// warm refuses a version that has to be restored before it can be read. If message is empty, the
// error has that of its code.
func warm(v *metapb.Version, message string) error {
	if Restored(v, time.Now()) {
		return nil
	}
	return s3err.InvalidObjectState.Say(message, s3err.Field{Name: fieldColdClass, Value: wirexml.ClassOfObject(v.Attributes)})
}

// at returns the placement that the source's extents are of. A warm copy has the extents of
// standard objects.
func (r *source) at() alloc.Placement {
	if r.answer.Restored {
		return alloc.Standard
	}
	return placementOf(r.version().Attributes)
}
