package drive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/shard"
)

// Sizes of the format; see the package comment.
const (
	formatVersion = 1
	alignBytes    = 4096
	sealOffset    = 4096
	dataOffset    = 8192
	secretBytes   = 16

	segmentHeaderBytes = 64
	sealBytes          = 40
	recordHeaderBytes  = 128
	recordCRCOffset    = 100
	recordStateOffset  = 104
	footerBytes        = 40
)

// Magic words, little endian.
const (
	segmentMagic = 0x47455343 // "CSEG"
	sealMagic    = 0x4c414553 // "SEAL"
	recordMagic  = 0x43455243 // "CREC"
	footerMagic  = 0x544f4f46 // "FOOT"

	// The two states differ in every bit, so no flipped bit makes a live record dead.
	stateLive uint64 = 0x5a5a5a5a5a5a5a5a
	stateDead uint64 = 0xa5a5a5a5a5a5a5a5
)

var (
	errNotRecord    = errors.New("not a record header")
	errNotSegment   = errors.New("not a segment header")
	errOtherVersion = errors.New("written by a newer version of Cairn: use that one to open it")
)

// secret proves that a record belongs to its segment: payload cannot forge it.
type secret [secretBytes]byte

// record is what a record header says.
type record struct {
	off       int64 // In the segment.
	header    shard.Header
	writtenMS int64
	settled   int64 // What was settled of the segment when the header was written (D3).
	dead      bool
	crc       uint32 // Of the header; the footer repeats it.
}

// recordBytes returns the length of the record of a shard, padding included.
func recordBytes(h shard.Header) int64 {
	return alignUp(recordHeaderBytes + h.FramedBytes() + footerBytes)
}

func (r *record) bytes() int64     { return recordBytes(r.header) }
func (r *record) end() int64       { return r.off + r.bytes() }
func (r *record) framesOff() int64 { return r.off + recordHeaderBytes }
func (r *record) footerOff() int64 { return r.framesOff() + r.header.FramedBytes() }

func alignUp(n int64) int64 { return (n + alignBytes - 1) &^ (alignBytes - 1) }

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli()) }

// castagnoli returns the table. MakeTable returns the same one each time.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// encode writes the record header and keeps its checksum in r.
func (r *record) encode(b *[recordHeaderBytes]byte, s secret) {
	le := binary.LittleEndian
	h := r.header
	clear(b[:])
	le.PutUint32(b[0:], recordMagic)
	le.PutUint16(b[4:], formatVersion)
	copy(b[8:24], s[:])
	le.PutUint64(b[24:], uint64(r.off))
	le.PutUint64(b[32:], uint64(r.bytes()))
	le.PutUint64(b[40:], h.ID.Extent.Seq)
	le.PutUint32(b[48:], uint32(h.ID.Extent.Volume))
	le.PutUint32(b[52:], h.Epoch)
	b[56], b[57], b[58] = h.ID.Slot, h.Scheme.K, h.Scheme.M
	le.PutUint32(b[60:], h.FullBlocks)
	le.PutUint32(b[64:], h.TailBlocks)
	le.PutUint32(b[68:], h.TailBytes)
	le.PutUint64(b[72:], uint64(r.writtenMS))
	le.PutUint64(b[80:], uint64(r.settled))
	r.crc = checksum(b[:recordCRCOffset])
	le.PutUint32(b[recordCRCOffset:], r.crc)
	state := stateLive
	if r.dead {
		state = stateDead
	}
	le.PutUint64(b[recordStateOffset:], state)
}

// decodeRecord reads the record header at off of the segment with secret s. It checks all that it
// returns: it is a shard that can exist, in its own place.
func decodeRecord(b []byte, s secret, off int64) (record, error) {
	le := binary.LittleEndian
	if len(b) < recordHeaderBytes || le.Uint32(b) != recordMagic || secret(b[8:24]) != s {
		return record{}, errNotRecord
	}
	if checksum(b[:recordCRCOffset]) != le.Uint32(b[recordCRCOffset:]) {
		return record{}, errNotRecord
	}
	if v := le.Uint16(b[4:]); v != formatVersion {
		return record{}, fmt.Errorf("record format %d: %w", v, errOtherVersion)
	}
	r := record{
		off: int64(le.Uint64(b[24:])),
		header: shard.Header{
			ID: shard.ID{
				Extent: shard.ExtentID{Volume: shard.VolumeID(le.Uint32(b[48:])), Seq: le.Uint64(b[40:])},
				Slot:   b[56],
			},
			Epoch:      le.Uint32(b[52:]),
			Scheme:     shard.Scheme{K: b[57], M: b[58]},
			FullBlocks: le.Uint32(b[60:]),
			TailBlocks: le.Uint32(b[64:]),
			TailBytes:  le.Uint32(b[68:]),
		},
		writtenMS: int64(le.Uint64(b[72:])),
		settled:   int64(le.Uint64(b[80:])),
		dead:      le.Uint64(b[recordStateOffset:]) == stateDead,
		crc:       le.Uint32(b[recordCRCOffset:]),
	}
	if !r.header.Valid() || r.off != off || int64(le.Uint64(b[32:])) != r.bytes() {
		return record{}, errNotRecord
	}
	return r, nil
}

func (r *record) encodeFooter(b *[footerBytes]byte, s secret) {
	le := binary.LittleEndian
	clear(b[:])
	le.PutUint32(b[0:], footerMagic)
	le.PutUint32(b[4:], r.crc)
	le.PutUint64(b[8:], uint64(r.off))
	copy(b[16:32], s[:])
	le.PutUint32(b[32:], checksum(b[:32]))
}

// hasFooter reports whether b is the footer of r.
func (r *record) hasFooter(b []byte, s secret) bool {
	var want [footerBytes]byte
	r.encodeFooter(&want, s)
	return len(b) == footerBytes && [footerBytes]byte(b) == want
}

func encodeSegmentHeader(id cluster.DriveID, number uint64, s secret) []byte {
	le := binary.LittleEndian
	b := make([]byte, alignBytes)
	le.PutUint32(b[0:], segmentMagic)
	le.PutUint16(b[4:], formatVersion)
	le.PutUint64(b[8:], uint64(id))
	le.PutUint64(b[16:], number)
	copy(b[24:40], s[:])
	le.PutUint32(b[40:], checksum(b[:40]))
	return b
}

func decodeSegmentHeader(b []byte, id cluster.DriveID, number uint64) (secret, error) {
	le := binary.LittleEndian
	if len(b) < segmentHeaderBytes || le.Uint32(b) != segmentMagic || checksum(b[:40]) != le.Uint32(b[40:]) {
		return secret{}, errNotSegment
	}
	if v := le.Uint16(b[4:]); v != formatVersion {
		return secret{}, fmt.Errorf("segment format %d: %w", v, errOtherVersion)
	}
	if cluster.DriveID(le.Uint64(b[8:])) != id || le.Uint64(b[16:]) != number {
		return secret{}, errNotSegment
	}
	return secret(b[24:40]), nil
}

// secretFromRecord returns the secret that the first record of a segment holds. It is the way to
// read a segment whose own header is damaged. Payload never lies at dataOffset, so it cannot be
// forged.
func secretFromRecord(b []byte) (secret, bool) {
	if len(b) < recordHeaderBytes {
		return secret{}, false
	}
	s := secret(b[8:24])
	_, err := decodeRecord(b, s, dataOffset)
	return s, err == nil
}

func encodeSeal(s secret, end int64) []byte {
	le := binary.LittleEndian
	b := make([]byte, sealBytes)
	le.PutUint32(b[0:], sealMagic)
	le.PutUint64(b[8:], uint64(end))
	copy(b[16:32], s[:])
	le.PutUint32(b[32:], checksum(b[:32]))
	return b
}

// decodeSeal returns the end of the segment that the seal names.
func decodeSeal(b []byte, s secret) (end int64, ok bool) {
	le := binary.LittleEndian
	if len(b) < sealBytes || le.Uint32(b) != sealMagic || secret(b[16:32]) != s ||
		checksum(b[:32]) != le.Uint32(b[32:]) {
		return 0, false
	}
	return int64(le.Uint64(b[8:])), true
}

func putState(b *[8]byte, state uint64) { binary.LittleEndian.PutUint64(b[:], state) }
