package kms

import (
	"context"

	"github.com/cairnstore/cairn/meta/metapb"
)

// Directory is what a Service needs of the cluster's directory (package iam). It is
// safe for concurrent use.
type Directory interface {
	// Get returns an entry from memory; nil when there is none. It is shared: not to
	// be changed.
	Get(kind metapb.EntryKind, name string) *metapb.Entry

	// List returns the entries of a kind, by name, from memory. They are shared: not
	// to be changed.
	List(kind metapb.EntryKind) []*metapb.Entry

	// Write changes entries, all or nothing, if every check holds. Once it returns
	// nil, Get and List show the change. Errors: Precondition (a check does not hold;
	// Get and List show what is there now), Unknown, Unavailable, NoSpace (the
	// directory is full), Canceled.
	Write(ctx context.Context, checks []*metapb.EntryCheck, put []*metapb.Entry, remove []*metapb.EntryName) error
}
