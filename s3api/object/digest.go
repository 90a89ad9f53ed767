package object

import (
	"bytes"
	"crypto/md5"
	"hash"
	"strings"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// digests are computed of plaintext while it is written. CRCs are not among them: the data path
// computes those of every extent.
type digests struct {
	md5       hash.Hash // Nil: not wanted.
	sum       hash.Hash // Nil: not wanted, or a CRC.
	algorithm string    // Of the checksum that is wanted; empty: the client names none.
}

// newDigests returns the digests for a body: an MD5 if withMD5 is set, and a checksum of algorithm,
// which may be empty. It returns an error for an algorithm that S3 does not know.
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

// write returns the function that takes the plaintext, or nil if it has nothing to compute.
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

// checksums returns the checksum to record of the plaintext: the one asked for, or CRC64NVME, which
// S3 stores where the client names none.
func (d *digests) checksums(st *stored) []*metapb.Checksum {
	if d.sum != nil {
		return []*metapb.Checksum{{Algorithm: d.algorithm, Value: d.sum.Sum(nil)}}
	}
	return []*metapb.Checksum{st.crc(d.algorithm)}
}

// verify compares what was computed with what the client claims of the body.
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

// valueOf returns the value of an algorithm's checksum, or nil if sums has none. A composite
// checksum is one of parts, and not meant.
func valueOf(sums []*metapb.Checksum, algorithm string) []byte {
	for _, c := range sums {
		if c.Algorithm == algorithm && !c.Composite {
			return c.Value
		}
	}
	return nil
}
