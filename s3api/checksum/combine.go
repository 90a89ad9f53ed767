package checksum

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"

	"github.com/minio/crc64nvme"
)

// field is the arithmetic of polynomials over GF(2) modulo a CRC's polynomial,
// bits reflected: bit width-1 is the coefficient of x^0.
type field struct {
	width uint
	poly  uint64
	// squares[i] is x^(2^i); i runs to the number of bits of the longest input.
	squares [67]uint64
}

// The fields of the three CRCs. They are never changed.
var (
	fieldCRC32     = newField(32, crc32.IEEE)
	fieldCRC32C    = newField(32, crc32.Castagnoli)
	fieldCRC64NVME = newField(64, crc64nvme.NVME)
)

func newField(width uint, poly uint64) *field {
	f := &field{width: width, poly: poly}
	f.squares[0] = 1 << (width - 2) // x^1.
	for i := 1; i < len(f.squares); i++ {
		f.squares[i] = f.multiply(f.squares[i-1], f.squares[i-1])
	}
	return f
}

// multiply returns a·b.
func (f *field) multiply(a, b uint64) uint64 {
	var product uint64
	a <<= 64 - f.width // The coefficient of x^0 is now the top bit.
	for a != 0 {
		if a>>63 != 0 {
			product ^= b
		}
		a <<= 1
		low := b & 1
		b >>= 1
		if low != 0 {
			b ^= f.poly
		}
	}
	return product
}

// shift returns crc·x^(8·length): what crc becomes when length zero bytes follow.
func (f *field) shift(crc, length uint64) uint64 {
	for length != 0 {
		i := bits.TrailingZeros64(length)
		crc = f.multiply(f.squares[i+3], crc)
		length &= length - 1
	}
	return crc
}

// Combine returns the checksum of bytes A followed by bytes B, given both checksums and B's length,
// without reading either. It returns nil if the algorithm is not a CRC or a value has the wrong size.
func Combine(algorithm string, a, b []byte, bytesOfB uint64) []byte {
	if !Combines(algorithm) || len(a) != Size(algorithm) || len(b) != Size(algorithm) {
		return nil
	}
	if algorithm == CRC64NVME {
		crc := fieldCRC64NVME.shift(binary.BigEndian.Uint64(a), bytesOfB)
		return binary.BigEndian.AppendUint64(nil, crc^binary.BigEndian.Uint64(b))
	}
	f := fieldCRC32
	if algorithm == CRC32C {
		f = fieldCRC32C
	}
	crc := f.shift(uint64(binary.BigEndian.Uint32(a)), bytesOfB)
	return binary.BigEndian.AppendUint32(nil, uint32(crc)^binary.BigEndian.Uint32(b))
}
