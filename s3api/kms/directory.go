package kms

import (
	"context"

	"github.com/cairnstore/cairn/meta/metapb"
)

// Directory is the part of the cluster's directory (package iam) that a Service needs. It must be
// safe for concurrent use.
type Directory interface {
	// Get returns an entry from memory; nil if there is none. The caller must not change it.
	Get(kind metapb.EntryKind, name string) *metapb.Entry

	// List returns the entries of a kind from memory, in the order of their names. The caller must
	// not change them.
	List(kind metapb.EntryKind) []*metapb.Entry

	// Write changes entries, all or nothing, if every check holds. Once it returns nil, Get and
	// List have the change. Errors: Precondition (a check does not hold; Get and List have what is
	// there now), Unknown, Unavailable, NoSpace (the directory is full), Canceled.
	Write(ctx context.Context, checks []*metapb.EntryCheck, put []*metapb.Entry, remove []*metapb.EntryName) error
}
