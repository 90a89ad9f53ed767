// Package alloc says where new extents go.
//
// An Allocator picks, for each extent to be written, a volume whose slots all lie on
// drives that take writes now: of the widest scheme that the living failure domains
// allow, the less busy of two taken at random. Where too few volumes of a scheme are
// whole, or a drive is in none, it plans more (package cluster/place) and has the
// metadata make them. The ids of extents come from blocks of numbers that it leases from
// the metadata, so that a write asks nobody; what is written under a lease is no orphan
// until the lease is given back or its session ends.
//
// It knows of two kinds of data (Placement), of drives that have just failed a write
// (Suspect), and nothing of objects, buckets or S3.
package alloc
