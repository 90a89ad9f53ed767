package record

import (
	"slices"

	"github.com/cairnstore/cairn/meta/metapb"
)

// Limits of a bucket's configuration.
const (
	ConfigPartsMax         = 64       // Parts of one bucket.
	ConfigPartNameMaxBytes = 64       // Of a part's name.
	ConfigPartMaxBytes     = 64 << 10 // Of a part's value.
)

// IsDecidedOn reports whether b may be the bucket that a request was decided on. The
// request names the buckets that it saw and their owners. If another account owned the
// name then, the bucket was deleted and its name taken since, and what was decided about
// the old one must not be done to b.
func IsDecidedOn(decided []*metapb.Decided, b *metapb.Bucket) bool {
	return !slices.ContainsFunc(decided, func(d *metapb.Decided) bool { return d.Bucket == b.Name && d.Owner != b.Owner })
}
