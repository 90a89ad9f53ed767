// Package alloc says where new extents go.
//
// For each extent to be written an Allocator picks a volume whose slots all lie on drives that take
// writes now. It takes the volumes of the widest scheme that the living failure domains allow, and
// the less busy of two of them taken at random. If too few volumes of a scheme are whole, or a
// drive is in none, it plans more (package cluster/place) and has the metadata make them.
//
// The ids of extents come from blocks of numbers that it leases from the metadata, so a write asks
// nobody. What is written under a lease is no orphan until the lease is given back or its session
// ends.
//
// It knows of two kinds of data (Placement) and of drives that have just failed a write (Suspect).
// It knows nothing of objects, buckets or S3.
package alloc
