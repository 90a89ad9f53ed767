// Package checksum is S3's additional checksums (x-amz-checksum-*): their names,
// their computation, and how the value of a whole follows from the values of its
// parts. It is pure; everything in it is safe for concurrent use, except that a
// hash.Hash belongs to one goroutine.
//
// An algorithm is named by S3's word for it (CRC32, SHA256, XXHASH3, …), as
// metapb.Checksum records it. A value is its bytes, big endian, as S3 encodes them
// before base64.
package checksum

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"hash/crc32"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/minio/crc64nvme"
	"github.com/zeebo/xxh3"
)

// The algorithms.
const (
	CRC32     = "CRC32"
	CRC32C    = "CRC32C"
	CRC64NVME = "CRC64NVME"
	SHA1      = "SHA1"
	SHA256    = "SHA256"
	SHA512    = "SHA512"
	MD5       = "MD5"
	XXHASH64  = "XXHASH64"
	XXHASH3   = "XXHASH3"   // Of 64 bits.
	XXHASH128 = "XXHASH128" // XXH3 of 128 bits.
)

// HeaderPrefix begins the name of every header and trailer that carries a value.
const HeaderPrefix = "x-amz-checksum-"

// Algorithms returns the names of all algorithms, in S3's order.
func Algorithms() []string {
	return []string{CRC32, CRC32C, CRC64NVME, SHA1, SHA256, SHA512, MD5, XXHASH64, XXHASH3, XXHASH128}
}

// New returns a new hash of the algorithm; nil if there is no such algorithm.
func New(algorithm string) hash.Hash {
	switch algorithm {
	case CRC32:
		return crc32.NewIEEE()
	case CRC32C:
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case CRC64NVME:
		return crc64nvme.New()
	case SHA1:
		return sha1.New()
	case SHA256:
		return sha256.New()
	case SHA512:
		return sha512.New()
	case MD5:
		return md5.New()
	case XXHASH64:
		return xxhash.New()
	case XXHASH3:
		return xxh3.New()
	case XXHASH128:
		return xxh128{xxh3.New()}
	}
	return nil
}

// Size returns the length of the algorithm's values in bytes; 0 if there is no
// such algorithm.
func Size(algorithm string) int {
	switch algorithm {
	case CRC32, CRC32C:
		return crc32.Size
	case CRC64NVME:
		return crc64nvme.Size
	case SHA1:
		return sha1.Size
	case SHA256:
		return sha256.Size
	case SHA512:
		return sha512.Size
	case MD5:
		return md5.Size
	case XXHASH64, XXHASH3:
		return xxh64Bytes
	case XXHASH128:
		return xxh128Bytes
	}
	return 0
}

// Composes reports whether Composite can sum up parts of this algorithm.
func Composes(algorithm string) bool { return Size(algorithm) > 0 && algorithm != CRC64NVME }

// Combines reports whether Combine can sum up parts of this algorithm.
func Combines(algorithm string) bool {
	return algorithm == CRC32 || algorithm == CRC32C || algorithm == CRC64NVME
}

// Header returns the name of the header or trailer that carries a value of the
// algorithm, in lower case.
func Header(algorithm string) string {
	return HeaderPrefix + strings.ToLower(algorithm)
}

// FromHeader returns the algorithm whose values a header or trailer of this name
// (in any case) carries.
func FromHeader(name string) (algorithm string, ok bool) {
	if len(name) <= len(HeaderPrefix) || !strings.EqualFold(name[:len(HeaderPrefix)], HeaderPrefix) {
		return "", false
	}
	return Named(name[len(HeaderPrefix):])
}

// Named returns the algorithm of that name in any case.
func Named(name string) (algorithm string, ok bool) {
	for _, a := range Algorithms() {
		if strings.EqualFold(name, a) {
			return a, true
		}
	}
	return "", false
}

// Parse decodes a value as S3 writes it: base64 of exactly the algorithm's size.
func Parse(algorithm, text string) ([]byte, error) {
	size := Size(algorithm)
	if size == 0 {
		return nil, fmt.Errorf("checksum: unknown algorithm")
	}
	if len(text) != base64.StdEncoding.EncodedLen(size) {
		return nil, fmt.Errorf("checksum: a %s value has %d characters of base64, not %d",
			algorithm, base64.StdEncoding.EncodedLen(size), len(text))
	}
	value, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("checksum: a %s value is not base64", algorithm)
	}
	if len(value) != size {
		return nil, fmt.Errorf("checksum: a %s value has %d bytes, not %d", algorithm, size, len(value))
	}
	return value, nil
}

// Format encodes a value as S3 writes it.
func Format(value []byte) string { return base64.StdEncoding.EncodeToString(value) }

// Composite returns the checksum of the parts' checksums, in order; nil if the
// algorithm does not compose. S3 writes it as Format, a dash, and the number of
// parts.
func Composite(algorithm string, values [][]byte) []byte {
	if !Composes(algorithm) {
		return nil
	}
	h := New(algorithm)
	for _, v := range values {
		h.Write(v)
	}
	return h.Sum(nil)
}
