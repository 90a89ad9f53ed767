package checksum

import "github.com/zeebo/xxh3"

// xxh128 is the 128-bit XXH3 as a hash.Hash.
type xxh128 struct{ *xxh3.Hasher }

// Sum implements hash.Hash.
func (h xxh128) Sum(b []byte) []byte {
	sum := h.Sum128().Bytes()
	return append(b, sum[:]...)
}

// Size implements hash.Hash.
func (h xxh128) Size() int { return xxh128Bytes }

// Sizes of the XXH family.
const (
	xxh64Bytes  = 8
	xxh128Bytes = 16
)
