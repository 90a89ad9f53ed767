// Package shard holds the nouns of the data path: volume, extent, shard, block, span. It also holds
// Store, the interface that both a local drive and a remote one satisfy.
//
// # Layout
//
// An extent is an immutable run of at most ExtentMaxBytes stored bytes, cut into stripes of k data
// and m parity units. Slot i of the extent's volume holds unit i of every stripe, one after the
// other: that is shard i. A unit is UnitBlocks blocks of BlockBytes. The units of the last stripe
// are shorter. All units of a stripe have the same length, so all shards of an extent have too.
// shard/stripe (Geometry) says which plaintext lies in which block.
//
// # Frames
//
// On a drive and on the wire a shard is the same run of bytes: its blocks in order, each followed
// by its checksum.
//
//	frame := payload (BlockBytes, or Header.TailBytes in the last stripe) crc32c (4 bytes, little endian)
//
// The checksum covers the shard's identity, the block's index and the payload (BlockCRC), so that a
// right block in a wrong place is noticed as well. The writer of the extent makes it, once. A drive
// checks it before it writes the block, a reader after the bytes have crossed the network, and
// scrub while they lie on the drive.
package shard

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/bits"
)

// Sizes of the format; changing one changes the format.
const (
	BlockBytes     = 64 << 10                // Payload of a block; the last stripe's may be shorter.
	CRCBytes       = 4                       // Follows each block.
	FrameBytes     = BlockBytes + CRCBytes   // A full block and its checksum.
	UnitBlocks     = 4                       // Blocks of a full unit.
	UnitBytes      = UnitBlocks * BlockBytes // Payload of a full unit.
	ExtentMaxBytes = 64 << 20                // Stored data bytes (without parity) of an extent.
	MaxDataShards  = 10                      // The SIMD code of reedsolomon stops there.
	MaxShards      = 32                      // Slot sets are bit masks of 32.
)

// Scheme is how an extent is coded: K data and M parity shards.
type Scheme struct{ K, M uint8 }

// N returns the number of shards.
func (s Scheme) N() int { return int(s.K) + int(s.M) }

// Quorum returns how many shards must be durable before a write is acknowledged: k + ceil(m/2),
// which is at least k+1 where m > 0.
func (s Scheme) Quorum() int { return int(s.K) + (int(s.M)+1)/2 }

// Valid reports whether the scheme can be used.
func (s Scheme) Valid() bool {
	return s.K >= 1 && s.K <= MaxDataShards && s.N() <= MaxShards
}

// String returns the scheme as "4+2".
func (s Scheme) String() string { return fmt.Sprintf("%d+%d", s.K, s.M) }

// DefaultScheme returns the scheme for a number of failure domains (at least 1).
func DefaultScheme(domains int) Scheme {
	switch {
	case domains <= 1:
		return Scheme{1, 0}
	case domains == 2:
		return Scheme{1, 1}
	case domains == 3:
		return Scheme{2, 1}
	case domains <= 5:
		return Scheme{2, 2}
	case domains <= 11:
		return Scheme{4, 2}
	default:
		return Scheme{8, 4}
	}
}

// ColdScheme returns the scheme for data that is hardly ever read. It is at least as wide as
// DefaultScheme's and survives the loss of as many shards. If there are domains to spare, it takes
// less space.
func ColdScheme(domains int) Scheme {
	switch {
	case domains < 8:
		return DefaultScheme(domains)
	case domains < 12:
		return Scheme{6, 2}
	case domains < 14:
		return Scheme{8, 4}
	default:
		return Scheme{10, 4}
	}
}

// VolumeID names a volume. The metadata give it out, from 1 on.
type VolumeID uint32

// ExtentID names an extent: the volume it lies in and its number there, from 1. The zero ExtentID
// names none.
type ExtentID struct {
	Volume VolumeID
	Seq    uint64
}

// String returns the id as "volume/seq".
func (id ExtentID) String() string { return fmt.Sprintf("%d/%d", id.Volume, id.Seq) }

// ID names a shard: an extent and the slot.
type ID struct {
	Extent ExtentID
	Slot   uint8
}

// String returns the id as "volume/seq.slot".
func (id ID) String() string { return fmt.Sprintf("%s.%d", id.Extent, id.Slot) }

// Span is a run of bytes of a shard's frames.
type Span struct {
	Off, Len int64
}

// Header is what a shard says of itself: who it is and how its frames lie.
type Header struct {
	ID     ID
	Epoch  uint32 // The epoch of the volume when the shard was written.
	Scheme Scheme

	FullBlocks uint32 // Blocks of BlockBytes payload, then
	TailBlocks uint32 // blocks of TailBytes payload.
	TailBytes  uint32 // At most BlockBytes; 0 where TailBlocks is 0.
}

// Blocks returns the number of blocks.
func (h Header) Blocks() int { return int(h.FullBlocks) + int(h.TailBlocks) }

// FramedBytes returns the length of all frames: what a drive stores of the shard and what crosses
// the wire.
func (h Header) FramedBytes() int64 {
	return int64(h.FullBlocks)*FrameBytes + int64(h.TailBlocks)*int64(h.TailBytes+CRCBytes)
}

// BlockSpan returns where the frame of block i lies.
func (h Header) BlockSpan(i int) Span {
	if i < int(h.FullBlocks) {
		return Span{Off: int64(i) * FrameBytes, Len: FrameBytes}
	}
	tail := int64(h.TailBytes + CRCBytes)
	return Span{Off: int64(h.FullBlocks)*FrameBytes + int64(i-int(h.FullBlocks))*tail, Len: tail}
}

// Valid reports whether the header describes a shard that can exist. A header from a drive or the
// network is checked with it before anything else.
func (h Header) Valid() bool {
	switch {
	case h.ID.Extent.Volume == 0 || h.ID.Extent.Seq == 0 || !h.Scheme.Valid():
		return false
	case int(h.ID.Slot) >= h.Scheme.N() || h.TailBytes > BlockBytes:
		return false
	case (h.TailBlocks == 0) != (h.TailBytes == 0) || h.Blocks() == 0:
		return false
	}
	return h.FullBlocks <= ExtentMaxBytes/BlockBytes && h.TailBlocks <= ExtentMaxBytes/BlockBytes &&
		h.FramedBytes() <= 2*ExtentMaxBytes
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// BlockCRC returns the checksum of a block: CRC-32C over the shard's identity (in 20 bytes), the
// block's index and the payload.
func BlockCRC(id ID, block int, payload []byte) uint32 {
	var head [20]byte
	binary.LittleEndian.PutUint32(head[0:], uint32(id.Extent.Volume))
	binary.LittleEndian.PutUint64(head[4:], id.Extent.Seq)
	binary.LittleEndian.PutUint32(head[12:], uint32(id.Slot))
	binary.LittleEndian.PutUint32(head[16:], uint32(block))
	// This goes byte by byte, because hash/crc32 would move head to the heap, for each block.
	crc := ^uint32(0)
	for _, b := range head {
		crc = castagnoli[byte(crc)^b] ^ crc>>8
	}
	return crc32.Update(^crc, castagnoli, payload)
}

// CheckFrame reports whether a frame (payload and checksum) is the given block of the given shard.
func CheckFrame(id ID, block int, frame []byte) bool {
	if len(frame) <= CRCBytes {
		return false
	}
	n := len(frame) - CRCBytes
	return BlockCRC(id, block, frame[:n]) == binary.LittleEndian.Uint32(frame[n:])
}

// SealFrame puts the checksum of a block behind its payload. frame is the payload and room for
// CRCBytes.
func SealFrame(id ID, block int, frame []byte) {
	n := len(frame) - CRCBytes
	binary.LittleEndian.PutUint32(frame[n:], BlockCRC(id, block, frame[:n]))
}

// SlotSet is a set of slots of one volume.
type SlotSet uint32

// With returns the set with slot added.
func (s SlotSet) With(slot int) SlotSet { return s | 1<<slot }

// Has reports whether slot is in the set.
func (s SlotSet) Has(slot int) bool { return s&(1<<slot) != 0 }

// Len returns how many slots are in the set.
func (s SlotSet) Len() int { return bits.OnesCount32(uint32(s)) }
