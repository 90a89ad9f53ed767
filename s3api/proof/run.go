package proof

import (
	"encoding/binary"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/shard/stripe"
)

// Run is a run of plaintext, with those of its CRCs that are known.
type Run struct {
	Bytes int64
	stripe.Sums
	crc64, crc32s bool // CRC64 is known; CRC32 and CRC32C are known.
}

// Computed returns a run whose CRCs have just been computed.
func Computed(bytes int64, s stripe.Sums) Run {
	return Run{Bytes: bytes, Sums: s, crc64: true, crc32s: true}
}

// OfPiece returns the run of a piece. Its CRCs are known if it is a whole extent.
func OfPiece(p *metapb.Piece) Run {
	if x := p.Extent; x != nil && p.Ref.Offset == 0 && p.Ref.Length == x.PlainBytes {
		return OfExtent(x)
	}
	return Run{Bytes: int64(p.Ref.GetLength())}
}

// OfExtent returns the run of a whole extent. If an older release wrote the extent, no CRC-32 is
// known.
func OfExtent(x *metapb.Extent) Run {
	return Run{Bytes: int64(x.PlainBytes), Sums: stripe.Sums{CRC64: x.Crc64, CRC32: x.Crc32, CRC32C: x.Crc32C},
		crc64: true, crc32s: x.HasCrcs}
}

// Knows reports whether the run's CRC of an algorithm is known.
func (r *Run) Knows(algorithm string) bool {
	if algorithm == checksum.CRC64NVME {
		return r.crc64
	}
	return r.crc32s && checksum.Combines(algorithm)
}

// value returns a CRC in the form that S3 has, which is big endian.
func (r *Run) value(algorithm string) []byte {
	switch algorithm {
	case checksum.CRC64NVME:
		return binary.BigEndian.AppendUint64(nil, r.CRC64)
	case checksum.CRC32C:
		return binary.BigEndian.AppendUint32(nil, r.CRC32C)
	}
	return binary.BigEndian.AppendUint32(nil, r.CRC32)
}

// CRC returns the CRC of runs that follow one another. It returns nil if a CRC of one of them is
// not known, or if the algorithm is not a CRC.
func CRC(algorithm string, runs []Run) []byte {
	if !checksum.Combines(algorithm) {
		return nil
	}
	whole := make([]byte, checksum.Size(algorithm)) // The CRC of no bytes is 0.
	for i := range runs {
		if !runs[i].Knows(algorithm) {
			return nil
		}
		whole = checksum.Combine(algorithm, whole, runs[i].value(algorithm), uint64(runs[i].Bytes))
	}
	return whole
}
