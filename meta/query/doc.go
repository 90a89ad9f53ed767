// Package query answers queries of the metadata.
//
// In come a query and a View: the records, as of one moment, and what the applier keeps in
// memory of that moment. Out goes an answer, of which no list is longer than PageMax; a page
// that is not the last one says so, and how the next one is asked for depends on the query
// (queries.proto). A refusal, such as a bucket that is not there, is an answer too.
//
// # Promises
//
// An answer is of one moment, however long it takes to make. A page looks at a bounded number
// of records, so none takes long because a bucket is large, or because delete markers hide
// most of its keys. Only the buckets of an owner, the topology, the sums of volumes and the
// queues of events are answered as a whole. Damage that a query meets is its error (Corrupt):
// nothing is left out, and no bytes of something else are answered.
//
// # What it is not
//
// Nothing here writes. Whether the View is new enough is for package group to say, which
// reads linearizably. Most tests of queries are in package state: they ask states that
// commands have made.
package query
