// Package etag makes the ETags of objects and parts, without quotes. An ETag that is not the MD5 of
// the bytes holds a dash, so that no client takes it for one.
//
//	32 hex digits                  the MD5 of the bytes
//	32 hex digits "-1"             opaque: it tells nothing of the bytes
//	32 hex digits "-" parts        of a multipart object: the MD5 of its parts' MD5s, and their number
package etag

import (
	"crypto/md5"
	"encoding/hex"
	"strconv"

	"github.com/cairnstore/cairn/meta/metapb"
)

// OfMD5 returns the ETag that is an MD5.
func OfMD5(sum []byte) string { return hex.EncodeToString(sum) }

// Opaque returns an ETag that is not an MD5, made of the first 16 bytes of id.
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
// bytes of that.
func OfParts(parts []*metapb.Part) string {
	h := md5.New()
	for _, p := range parts {
		h.Write(bytesOf(p.Etag))
	}
	return hex.EncodeToString(h.Sum(nil)) + "-" + strconv.Itoa(len(parts))
}

// bytesOf returns the 16 bytes that an ETag begins with. One of another form, which nothing here
// makes, stands for its MD5.
func bytesOf(tag string) []byte {
	if len(tag) >= 2*md5.Size {
		if b, err := hex.DecodeString(tag[:2*md5.Size]); err == nil {
			return b
		}
	}
	sum := md5.Sum([]byte(tag))
	return sum[:]
}
