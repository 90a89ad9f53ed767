// Package shardtest holds what tests of a shard.Store need: valid frames from a
// seed, a Store in memory, a Store that fails on demand, and Run, the suite that
// every Store must pass.
//
// It is for tests only and is imported by nothing else.
package shardtest

import (
	"math/rand/v2"

	"github.com/cairnstore/cairn/shard"
)

// Header returns a valid header of the default test scheme (4+2).
func Header(volume shard.VolumeID, seq uint64, slot uint8, fullBlocks, tailBlocks, tailBytes int) shard.Header {
	return shard.Header{
		ID:         shard.ID{Extent: shard.ExtentID{Volume: volume, Seq: seq}, Slot: slot},
		Epoch:      1,
		Scheme:     shard.Scheme{K: 4, M: 2},
		FullBlocks: uint32(fullBlocks),
		TailBlocks: uint32(tailBlocks),
		TailBytes:  uint32(tailBytes),
	}
}

// Frames returns all frames of a shard, their payload made from seed.
func Frames(h shard.Header, seed uint64) []byte {
	out := make([]byte, h.FramedBytes())
	rng := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24),
		byte(seed >> 32), byte(seed >> 40), byte(seed >> 48), byte(seed >> 56)})
	_, _ = rng.Read(out) // Never fails.
	for i := range h.Blocks() {
		s := h.BlockSpan(i)
		shard.SealFrame(h.ID, i, out[s.Off:s.Off+s.Len])
	}
	return out
}

// CheckFrames returns the index of the first block of frames that is not the
// shard's, or -1 where all are right.
func CheckFrames(h shard.Header, frames []byte) int {
	if int64(len(frames)) != h.FramedBytes() {
		return 0
	}
	for i := range h.Blocks() {
		s := h.BlockSpan(i)
		if !shard.CheckFrame(h.ID, i, frames[s.Off:s.Off+s.Len]) {
			return i
		}
	}
	return -1
}
