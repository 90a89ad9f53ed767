// Package state is the state machine of the metadata: a deterministic Apply over
// a Pebble database, and the queries that read it. It knows nothing of Raft.
//
// # Determinism
//
// Apply reads no clock and no randomness and ranges over no map. Two States that
// were fed the same log, in batches of whatever size, closed, crashed or restored
// in between, hold the same records (Dump shows them, Hash compares them, Check
// proves that they agree with each other).
//
// # Durability
//
// The database has no write-ahead log and commits are not synced: the Raft log is
// its log. After a crash it is at an older applied index, never between two, since
// each Apply is one batch that carries its index; entries from there on are applied
// again. Flush and Checkpoint make everything applied durable; so does Close.
//
// # Versions
//
// The latest version of a key has a fixed place; older ones lie behind it, newest
// first, and are found by their ids. Order is the log index that made a version and
// never changes, so what lists a version by bucket, key and order (the time of its
// restore) need not follow it from place to place. In a bucket that never was
// versioned there is only the null version, and nothing looks for another.
//
// # Concurrency
//
// One goroutine at a time applies; Query, Applied and GetStatus may run beside
// it. A query reads one snapshot. Nothing that is returned is written again.
//
// # What it is not
//
// A refusal (Result.Refusal) is an answer, not an error. An error of Apply means
// that this replica cannot go on. The State then refuses to apply anything more.
//
// # Contradictions
//
// What Apply makes of a state or a command that is wrong:
//
//	a record that cannot be decoded             refuse  its block is whole, so it was written so, on all voters
//	a record that another one needs is missing  refuse  likewise; each place names the record: t.corrupt
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
// A refusal takes back all that the command has done and is recorded (Contradictions),
// with index, kind, record and a running digest. Voters compare these: one that refuses
// alone, or alone does not, is damaged. Where Apply stops on all voters, Records mends
// or removes the record (`cairn meta mend`).
package state
