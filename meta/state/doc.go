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
// that this replica cannot go on: an undecodable or unknown command, a damaged
// record, a disk that fails. The State then refuses to apply anything more.
package state
