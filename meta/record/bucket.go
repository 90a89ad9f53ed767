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

// IsDecidedOn reports whether a bucket may be the one that a request was decided
// on: it is not if its name was another account's then.
func IsDecidedOn(decided []*metapb.Decided, b *metapb.Bucket) bool {
	return !slices.ContainsFunc(decided, func(d *metapb.Decided) bool { return d.Bucket == b.Name && d.Owner != b.Owner })
}
