// Package state is the state machine of the metadata: a deterministic Apply over a Pebble
// database.
//
// In come the entries of a log, whose commands are messages of package metapb: one in most
// entries, or several. Out go a result for each command, and records in the database, under the
// keys of package keys. Package query answers from the records, package check proves that they
// agree with each other.
//
// # Determinism
//
// Apply reads no clock and no randomness and ranges over no map. Time comes with commands. So
// two States hold the same records if they were fed the same log, in batches of whatever size,
// and whether or not they were closed, crashed or restored in between. Dump shows the records,
// Hash compares them.
//
// # Durability
//
// The database has no write-ahead log and commits are not synced: the Raft log is its log. Each
// batch carries the index of its last entry, or how many commands of one it has applied. So
// after a crash the state is an older one, and what came after it is applied again. Flush, Checkpoint and Close make
// durable what is applied.
//
// # Versions
//
// The latest version of a key lies under a fixed key of the database. Older ones lie behind it,
// the newest first, and are found by their ids. The order of a version is the position of the
// command that made it (position.go), and never changes. So a list that names a version by bucket, key and
// order (that of restores by their time) stays right when the version becomes an older one, or
// the latest again. In a bucket that never was versioned there are only null versions, and
// nothing looks for others.
//
// # Concurrency
//
// One goroutine at a time applies. Query, Applied and Contradictions may run beside it, and a
// query reads one snapshot. What is returned is never changed afterwards.
//
// # What it is not
//
// It knows nothing of Raft. A refusal (Result.Refusal) is an answer and no error: an error of
// Apply means that this replica cannot go on, and the State then applies nothing more.
//
// # Contradictions
//
// A command that meets something wrong is refused, or Apply stops with an error:
//
//	a record that cannot be decoded             refuse  its block is whole, so it was written so, on all voters
//	a record that another one needs is missing  refuse  likewise; t.corrupt says which record
//	a record says what another one denies       refuse  likewise
//	a key that cannot be decoded                refuse  likewise
//	a command that cannot be decoded            refuse  the log vouches for its bytes, and no release can read it
//	a command that this release does not know   stop    a newer release knows it: to refuse would part from it
//	a block with a wrong checksum, a lost table stop    the damage is this voter's alone
//	the disk fails                              stop    likewise
//	the record of a session that answers a
//	repeat, and what the database says of that  stop    the refusal itself would have to write there
//	a record that is kept in memory (cluster,
//	nodes, volumes and their sums, buckets,
//	sessions and results, leases, pins), at Open
//	or when the memory is made anew             stop    every command needs these
//	a record that cannot be encoded             stop    a fault of this release
//	a panic                                     stop    likewise
//
// A refusal takes back all that the command has done. It is recorded (Contradictions) with the
// index, the kind, the record and a running digest, which voters compare: one that refuses
// alone, or alone does not, is damaged. If Apply stops on all voters, Records mends or removes
// the record that it stops at (`cairn meta mend`).
package state
