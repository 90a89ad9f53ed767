// Package stripe turns plaintext into shards and back: geometry, Reed-Solomon,
// writing (fan out, quorum), reading (k of n, hedge, verify, reconstruct),
// rebuilding and re-encoding.
//
// It is not a store (that is shard.Store), does not choose volumes, knows no keys
// (Sealer and Opener do), and records nothing: what it learns of missing and bad
// shards it reports through Events and in its results.
//
// # Writing
//
// A write is a pipeline: the caller's goroutine reads the source straight into
// the payloads of unit buffers in frame layout; one goroutine digests the
// plaintext; one seals, encodes and checksums; one for each slot sends. At most
// WindowStripes stripes of k+m units are in memory. Slots that fail or stall are
// left behind while k go on; Written says which are durable.
//
// # Reading
//
// A read opens the data shards that its range touches, one request a slot,
// streams frames through one goroutine a slot, which checks every block, and
// hands out stripe after stripe in the caller's goroutine. What is missing, bad
// or slow is reconstructed from the same rows of other slots. At most
// WindowStripes units of a slot are in memory. Nothing unverified leaves.
//
// # Concurrency and ownership
//
// An Engine is safe for concurrent use. Goroutines that outlive a call, because a
// store did not return in time, belong to the Engine: Close waits for them. They
// end as soon as the store heeds its context.
package stripe
