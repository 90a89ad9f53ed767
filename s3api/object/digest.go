package object

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"hash"
	"strings"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// digests are what is computed of plaintext on its way into the store. CRCs are not
// among them: the data path computes them of every extent.
type digests struct {
	md5       hash.Hash // Nil: not wanted.
	sum       hash.Hash // Nil: not wanted, or a CRC.
	algorithm string    // Of the checksum wanted; empty: none is named.
}

// newDigests returns the digests for a body: the MD5 if wanted, and an algorithm,
// which may be empty.
func newDigests(withMD5 bool, algorithm string) (*digests, error) {
	d := &digests{algorithm: algorithm}
	if withMD5 {
		d.md5 = md5.New()
	}
	if algorithm != "" && !checksum.Combines(algorithm) {
		if d.sum = checksum.New(algorithm); d.sum == nil {
			return nil, errUnknownAlgorithm()
		}
	}
	return d, nil
}

func errUnknownAlgorithm() error {
	return s3err.InvalidRequest.Say("The checksum algorithm is not one of " + strings.Join(checksum.Algorithms(), ", ") + ".")
}

// write returns what to call with the plaintext; nil where nothing is computed.
func (d *digests) write() func([]byte) {
	if d.md5 == nil && d.sum == nil {
		return nil
	}
	return d.add
}

func (d *digests) add(p []byte) {
	if d.md5 != nil {
		d.md5.Write(p)
	}
	if d.sum != nil {
		d.sum.Write(p)
	}
}

// checksums returns the checksums of the plaintext, which was stored: the one asked
// for, or CRC64NVME, which S3 stores where the client names none.
func (d *digests) checksums(st *stored) []*metapb.Checksum {
	if d.sum != nil {
		return []*metapb.Checksum{{Algorithm: d.algorithm, Value: d.sum.Sum(nil)}}
	}
	return []*metapb.Checksum{st.crc(d.algorithm)}
}

// verify compares what was computed with what the client claims.
func (d *digests) verify(b *Body, sums []*metapb.Checksum) error {
	if b.ContentMD5 != nil && !bytes.Equal(b.ContentMD5, d.md5.Sum(nil)) {
		return s3err.BadDigest.Say("The Content-MD5 you specified did not match what we received.")
	}
	if b.Digest.Value == nil {
		return nil
	}
	claimed, err := b.Digest.Value()
	if err != nil {
		return err
	}
	if claimed != nil && !bytes.Equal(claimed, valueOf(sums, b.Digest.Algorithm)) {
		return s3err.BadDigest.Say("The " + b.Digest.Algorithm + " you specified did not match the calculated checksum.")
	}
	return nil
}

// valueOf returns the value of an algorithm, over bytes and not over parts; nil
// where there is none.
func valueOf(sums []*metapb.Checksum, algorithm string) []byte {
	for _, c := range sums {
		if c.Algorithm == algorithm && !c.Composite {
			return c.Value
		}
	}
	return nil
}

// ETags. One that is not the MD5 of the bytes holds a dash, so that no client
// takes it for one.

// etagOf returns the ETag of an MD5.
func etagOf(md5sum []byte) string { return hex.EncodeToString(md5sum) }

// opaqueETag returns an ETag of 16 bytes that are not an MD5.
func opaqueETag(id []byte) string { return hex.EncodeToString(id[:md5.Size]) + "-1" }

// isMD5 reports whether an ETag is the MD5 of the bytes.
func isMD5(etag string) bool {
	if len(etag) != 2*md5.Size {
		return false
	}
	_, err := hex.DecodeString(etag)
	return err == nil
}

// etagBytes returns what an ETag contributes to that of a multipart object: its
// MD5, or the 16 bytes of an opaque one.
func etagBytes(etag string) []byte {
	if len(etag) >= 2*md5.Size {
		if b, err := hex.DecodeString(etag[:2*md5.Size]); err == nil {
			return b
		}
	}
	sum := md5.Sum([]byte(etag))
	return sum[:]
}
