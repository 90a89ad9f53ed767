// Package etag makes the ETags of objects and parts, without quotes. An ETag that is not the MD5 of
// the bytes has a dash, so that no client takes it for an MD5.
//
//	32 hex digits                  the MD5 of the bytes
//	32 hex digits "-1"             opaque: it says nothing about the bytes
//	32 hex digits "-" parts        of a multipart object: the MD5 of its parts' MD5s, and their number
package etag

import (
	"crypto/md5"
	"encoding/hex"
	"strconv"

	"github.com/cairnstore/cairn/meta/metapb"
)

// OfMD5 returns the ETag for an MD5.
func OfMD5(sum []byte) string { return hex.EncodeToString(sum) }

// Opaque returns an ETag that is not an MD5. It is made of the first 16 bytes of id, which must
// have as many.
func Opaque(id []byte) string { return hex.EncodeToString(id[:md5.Size]) + "-1" }

// IsMD5 reports whether an ETag has the form of an MD5.
func IsMD5(tag string) bool {
	if len(tag) != 2*md5.Size {
		return false
	}
	_, err := hex.DecodeString(tag)
	return err == nil
}

// OfParts returns the ETag of a multipart object. A part with an opaque ETag contributes the 16
// bytes in that.
func OfParts(parts []*metapb.Part) string {
	h := md5.New()
	for _, p := range parts {
		h.Write(bytesOf(p.Etag))
	}
	return hex.EncodeToString(h.Sum(nil)) + "-" + strconv.Itoa(len(parts))
}

// bytesOf returns the 16 bytes with which an ETag begins. For an ETag of another form, which
// nothing here makes, it returns the MD5 of the ETag.
func bytesOf(tag string) []byte {
	if len(tag) >= 2*md5.Size {
		if b, err := hex.DecodeString(tag[:2*md5.Size]); err == nil {
			return b
		}
	}
	sum := md5.Sum([]byte(tag))
	return sum[:]
}
