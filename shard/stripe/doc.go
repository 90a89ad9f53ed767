// Package stripe turns plaintext into shards and back: geometry, Reed-Solomon, writing (fan out,
// quorum), reading (k of n, hedge, verify, reconstruct), rebuilding and re-encoding.
//
// It is not a store (that is shard.Store), it does not choose volumes, and it knows no keys (Sealer
// and Opener do). It records nothing: it reports missing and bad shards through Events and in its
// results.
//
// # Writing
//
// A write is a pipeline. The caller's goroutine reads the source straight into the payloads of unit
// buffers, which are laid out as frames. A second goroutine digests the plaintext. A third one
// seals, encodes and checksums. One goroutine for each slot sends. At most WindowStripes stripes of
// k+m units are in memory. Slots that fail or stall are left behind while k others go on; Written
// says which shards are durable.
//
// # Reading
//
// A read opens the data shards that its range touches, with one request a slot. One goroutine a
// slot receives frames and checks every block. The caller's goroutine hands out stripe after
// stripe. What is missing, bad or slow is reconstructed from the same rows of other slots. At most
// WindowStripes units of a slot are in memory. No byte is handed out before it is verified.
//
// # Concurrency and ownership
//
// An Engine is safe for concurrent use. A goroutine outlives the call that started it if a store
// does not return in time. It belongs to the Engine then, whose Close waits for it. It ends as soon
// as the store heeds its context.
package stripe
