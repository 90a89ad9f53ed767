// Package record reads the records of the metadata, and says what one record means by
// itself.
//
// In come a reader of the database (the database, a batch over it, or a snapshot of it)
// and keys of package keys; out go messages of package metapb, or fields of them. The
// rules that whoever reads or writes a record needs are here too: how a version's id is
// stored, when a restore is due, which slots a volume has, whether the bytes of a part add
// up. Apply, queries and checks go by the same ones.
//
// # Values
//
// The value of a record is a message of records.proto, marshalled, whose type depends on the kind
// of the key (New). Some kinds have other values. Most of those are empty: the key says all. Three
// are not:
//
//	q  the next lease block of a volume            8 bytes, big endian
//	V  the order of the version that has this id   8 bytes, big endian
//	R  the name of the bucket                      as it is
//
// # Errors
//
// An error of reading is Corrupt, or Internal where the file system failed. It is a
// Contradiction where the record was read as it was written and cannot be decoded, or says
// what another one denies. All other damage is this node's alone: a block with a wrong
// checksum, a table that is lost. The difference decides what Apply does (package state,
// "Contradictions").
//
// # What it is not
//
// Nothing here writes, and no record is compared with another: package state does the one,
// package check the other.
package record
