package s3api

import (
	"math"
	"strings"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
)

// parseRange reads a Range header. As with S3, a header is ignored if it is not well formed, is of
// another unit, or names several ranges. Then ok is false and the whole object is asked for.
func parseRange(header string) (_ object.Range, ok bool) {
	whole := object.Range{Kind: metapb.RangeKind_RANGE_ALL}
	unit, spec, found := strings.Cut(header, "=")
	if !found || !strings.EqualFold(strings.TrimSpace(unit), "bytes") {
		return whole, false
	}
	first, last, found := strings.Cut(strings.TrimSpace(spec), "-")
	if !found {
		return whole, false
	}
	switch {
	case first == "" && isDigits(last):
		return object.Range{Kind: metapb.RangeKind_RANGE_SUFFIX, Last: saturatingUint(last)}, true
	case isDigits(first) && last == "":
		return object.Range{Kind: metapb.RangeKind_RANGE_FROM, First: saturatingUint(first)}, true
	case isDigits(first) && isDigits(last):
		r := object.Range{Kind: metapb.RangeKind_RANGE_FIRST_LAST, First: saturatingUint(first), Last: saturatingUint(last)}
		if r.First > r.Last {
			return whole, false
		}
		return r, true
	}
	return whole, false
}

// resolveRange returns the bytes that r names of an object of size bytes. ok is false if there are
// none. The object service does the same for a GET; a HEAD asks it for no content.
func resolveRange(r object.Range, size uint64) (first, length uint64, ok bool) {
	switch r.Kind {
	case metapb.RangeKind_RANGE_FIRST_LAST:
		if r.First >= size {
			return 0, 0, false
		}
		return r.First, min(r.Last, size-1) - r.First + 1, true
	case metapb.RangeKind_RANGE_FROM:
		if r.First >= size {
			return 0, 0, false
		}
		return r.First, size - r.First, true
	case metapb.RangeKind_RANGE_SUFFIX:
		if r.Last == 0 || size == 0 {
			return 0, 0, false
		}
		n := min(r.Last, size)
		return size - n, n, true
	default:
		return 0, size, true
	}
}

// isDigits reports whether s is one or more decimal digits.
func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// saturatingUint reads digits. A number too large for 64 bits becomes the largest.
func saturatingUint(digits string) uint64 {
	var n uint64
	for i := range len(digits) {
		d := uint64(digits[i] - '0')
		if n > (math.MaxUint64-d)/10 {
			return math.MaxUint64
		}
		n = n*10 + d
	}
	return n
}
