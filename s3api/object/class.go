package object

import (
	"time"

	"github.com/cairnstore/cairn/meta/alloc"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// placementOf returns where the extents of what has these attributes belong.
func placementOf(a *metapb.Attributes) alloc.Placement {
	if isCold(a) {
		return alloc.Cold
	}
	return alloc.Standard
}

func isCold(a *metapb.Attributes) bool { return a.GetStorageClass() == profile.ClassGlacier }

// Restored reports whether a version can be read at a time: it is not cold, or
// its restore is done and has not expired.
func Restored(v *metapb.Version, now time.Time) bool {
	return !isCold(v.GetAttributes()) || WarmUntil(v, now) != 0
}

// WarmUntil returns when, in Unix ms, the restore of a version expires; 0 where it
// is not restored at the time.
func WarmUntil(v *metapb.Version, now time.Time) int64 {
	r := v.GetRestore()
	if r == nil || r.Ongoing || r.ExpiresMs <= now.UnixMilli() {
		return 0
	}
	return r.ExpiresMs
}

// Messages of S3 about cold objects; what a copy is told is the code's own.
const (
	msgColdRead    = "The operation is not valid for the object's storage class"
	msgNotCold     = "Restore is not allowed, as object's storage class is not GLACIER"
	fieldColdClass = "StorageClass"
)

// warm refuses a version that has to be restored before it is read. The message is
// the code's own where none is given.
func warm(v *metapb.Version, message string) error {
	if Restored(v, time.Now()) {
		return nil
	}
	return s3err.InvalidObjectState.Say(message, s3err.Field{Name: fieldColdClass, Value: wirexml.ClassOfObject(v.Attributes)})
}

// at returns where the extents of a source lie: those of a warm copy are no colder
// than others.
func (r *source) at() alloc.Placement {
	if r.answer.Restored {
		return alloc.Standard
	}
	return placementOf(r.version().Attributes)
}
