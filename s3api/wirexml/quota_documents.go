package wirexml

import (
	"strconv"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// Quota is the document that says how many bytes a bucket may hold; 0 means any number.
type Quota struct{ Bytes uint64 }

// AppendXML implements Document.
func (d *Quota) AppendXML(dst []byte, ns string) []byte {
	dst = appendRoot(dst, "Quota", ns)
	dst = appendUint(dst, "StorageQuota", d.Bytes)
	return append(dst, "</Quota>"...)
}

// ParseQuota parses a Quota and returns the bytes.
func ParseQuota(body []byte) (uint64, error) {
	s, got := newScanner(body), leaves{}
	err := s.document("Quota", func(name string) error { return s.leaf(got, name, "StorageQuota") })
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(got.word("StorageQuota"), 10, 64)
	if err != nil || n < 0 {
		return 0, s3err.MalformedQuotaError.Say("StorageQuota must be a number of bytes between 0, which is no quota, and 9223372036854775807.")
	}
	return uint64(n), nil
}

// StorageInfo is the document that says how much a bucket holds.
type StorageInfo struct{ Bytes, Objects uint64 }

// AppendXML implements Document.
func (d *StorageInfo) AppendXML(dst []byte, ns string) []byte {
	dst = appendRoot(dst, "GetBucketStorageInfoResult", ns)
	dst = appendUint(dst, "Size", d.Bytes)
	dst = appendUint(dst, "ObjectNumber", d.Objects)
	return append(dst, "</GetBucketStorageInfoResult>"...)
}
