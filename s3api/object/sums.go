package object

import (
	"encoding/binary"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/shard/stripe"
)

// summed is a run of a part's plaintext and those of its CRCs that are known.
type summed struct {
	bytes int64
	stripe.Sums
	crc64, crc32s bool // Which are known: CRC64; CRC32 and CRC32C.
}

// summedNow is a run whose CRCs have just been computed.
func summedNow(bytes int64, s stripe.Sums) summed {
	return summed{bytes: bytes, Sums: s, crc64: true, crc32s: true}
}

// summedPiece returns what is recorded of a piece: the CRCs of its extent, if it is
// the whole extent.
func summedPiece(p *metapb.Piece) summed {
	if x := p.Extent; x != nil && p.Ref.Offset == 0 && p.Ref.Length == x.PlainBytes {
		return summedExtent(x)
	}
	return summed{bytes: int64(p.Ref.GetLength())}
}

// summedExtent returns what is recorded of an extent.
func summedExtent(x *metapb.Extent) summed {
	return summed{bytes: int64(x.PlainBytes), Sums: stripe.Sums{CRC64: x.Crc64, CRC32: x.Crc32, CRC32C: x.Crc32C},
		crc64: true, crc32s: x.HasCrcs}
}

// knows reports whether the run's CRC of an algorithm is known.
func (r *summed) knows(algorithm string) bool {
	if algorithm == checksum.CRC64NVME {
		return r.crc64
	}
	return r.crc32s && checksum.Combines(algorithm)
}

// value returns a CRC as S3 writes it.
func (r *summed) value(algorithm string) []byte {
	switch algorithm {
	case checksum.CRC64NVME:
		return binary.BigEndian.AppendUint64(nil, r.CRC64)
	case checksum.CRC32C:
		return binary.BigEndian.AppendUint32(nil, r.CRC32C)
	}
	return binary.BigEndian.AppendUint32(nil, r.CRC32)
}

// crcOf returns the CRC of runs one after another; nil where one is not known, or
// the algorithm is no CRC.
func crcOf(algorithm string, runs []summed) []byte {
	if !checksum.Combines(algorithm) {
		return nil
	}
	whole := make([]byte, checksum.Size(algorithm)) // Of nothing.
	for i := range runs {
		if !runs[i].knows(algorithm) {
			return nil
		}
		whole = checksum.Combine(algorithm, whole, runs[i].value(algorithm), uint64(runs[i].bytes))
	}
	return whole
}

// crc returns a CRC of what was stored, as crcOf; empty stands for CRC64NVME,
// which S3 keeps where the client names none.
func (st *stored) crc(algorithm string) *metapb.Checksum {
	if algorithm == "" {
		algorithm = checksum.CRC64NVME
	}
	if v := crcOf(algorithm, st.runs); v != nil {
		return &metapb.Checksum{Algorithm: algorithm, Value: v}
	}
	return nil
}
