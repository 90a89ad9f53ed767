package object

import (
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
	"github.com/cairnstore/cairn/shard"
)

// Placement is a kind of data as far as it decides under which scheme new extents are
// coded. Volumes do not know kinds: where two have the same scheme they share them.
type Placement uint8

// The kinds of data.
const (
	Standard Placement = iota // What is read at any time; warm copies too.
	Cold                      // What is to be restored before it is read.

	placements = iota
)

// scheme returns the scheme of a kind of data for a number of domains. That of cold
// data is never narrower than the standard one, nor does it bear fewer losses.
func (c *Config) scheme(p Placement, domains int) shard.Scheme {
	standard := shard.DefaultScheme(domains)
	if p == Standard {
		return standard
	}
	cold := c.ColdScheme
	if cold == (shard.Scheme{}) {
		cold = shard.ColdScheme(domains)
	}
	if cold.N() > domains || cold.N() < standard.N() || cold.M < standard.M {
		return standard
	}
	return cold
}

// placementOf returns where the extents of what has these attributes belong.
func placementOf(a *metapb.Attributes) Placement {
	if isCold(a) {
		return Cold
	}
	return Standard
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
func (r *source) at() Placement {
	if r.answer.Restored {
		return Standard
	}
	return placementOf(r.version().Attributes)
}
