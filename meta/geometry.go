package meta

import (
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/stripe"
)

// Geometry returns which plaintext lies where in an extent of a volume, as the extent's
// record says. The scheme is the volume's: the record holds what does not depend on it.
func Geometry(v *shard.Volume, e *metapb.Extent) stripe.Geometry {
	return stripe.Geometry{Scheme: v.Scheme, PlainBytes: int64(e.PlainBytes), Overhead: int(e.Overhead),
		FullBlocks: int(e.FullBlocks), TailBlockBytes: int(e.TailBlockBytes)}
}

// ExtentOf returns what an extent's record holds of its geometry.
func ExtentOf(g stripe.Geometry) *metapb.Extent {
	return &metapb.Extent{PlainBytes: uint64(g.PlainBytes), Overhead: uint32(g.Overhead),
		FullBlocks: uint32(g.FullBlocks), TailBlockBytes: uint32(g.TailBlockBytes)}
}
