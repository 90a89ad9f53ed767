// Package raftlog keeps the Raft log and Raft's few durable variables (term and
// vote) in a Pebble database of its own.
//
// It knows nothing of what the entries mean. It is a raft.LogStore, a
// raft.StableStore and a raft.MonotonicLogStore: entries have no gaps, so that Raft
// drops the whole log when it installs a snapshot past its end. (With a gap, old
// entries that were never committed could later be sent to a follower as if they
// had been.)
//
// # Concurrency
//
// All methods are safe for concurrent use; Raft appends and truncates from one
// goroutine at a time.
//
// # Durability
//
// StoreLogs, Set and SetUint64 return when their bytes are on stable storage: one
// batch, one sync, which concurrent writers share. DeleteRange is not synced: a
// crash may bring deleted entries back, which is as if it had not been called, and
// whatever is appended after it makes it durable too.
//
// A write that fails is never tried again: after a failed fsync the pages are
// marked clean and a second one lies. A write that hangs is worse than a dead
// node, because a leader whose disk hangs keeps its followers quiet. So both end the
// process (Events.Fatal), and the store refuses every further write.
//
// # Corruption
//
// Open reads the whole log. A torn tail (bytes after the last sync) is cut off by
// Pebble, which knows how far the file was synced. Anything else — a record with a
// bad checksum, a gap, an entry in the wrong place — means that acknowledged entries
// may be missing, and a node that votes without them can lose committed data: Open
// fails with errs.Corrupt, and the node must be rebuilt from the other voters.
//
// Of its MANIFEST Pebble does not know how far it was synced, and takes every damaged
// record for the torn tail. So each MANIFEST has a witness beside it (witness.go),
// and Open fails with errs.Corrupt where the two disagree.
//
// Bytes of the last 32 KiB block of the write-ahead log that rot between a crash and the
// next start look like a torn tail to Pebble. So the log has a mark beside it (mark.go),
// and Cut tells where the log holds less than was durable once. Of entries the mark is
// synced a moment after their write: what the last tenth of a second before a power
// failure brought may still rot unnoticed. Whoever keeps a state machine must refuse a
// log that ends before what has been applied.
//
// # Format
//
//	key   'l' index (8 bytes, big endian)
//	value version=1 (1) type (1) term (uvarint) appended-at (varint, Unix ns; 0: none)
//	      len (uvarint) extensions data crc32c (4, little endian)
//	key   's' name
//	value as given (numbers: 8 bytes, big endian)
//	key   'n'
//	value how many variables were set, ever (8 bytes, big endian)
//
// The checksum covers the index and all of the value before it.
package raftlog
