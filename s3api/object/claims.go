package object

import (
	"bytes"
	"strconv"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// Types of the checksum of a whole object, as a Complete names them.
const (
	typeComposite  = "COMPOSITE"
	typeFullObject = "FULL_OBJECT"
)

// checkClaims compares what the client claims of the whole object with what it is: its size, and
// its checksums, of which sums are known. A claim that cannot be checked is refused, because
// accepting it would confirm it.
func checkClaims(in *CompleteInput, u *metapb.Upload, size uint64, sums []*metapb.Checksum) error {
	if in.ObjectSize != nil && *in.ObjectSize != size {
		return s3err.InvalidRequest.Say("The provided 'x-amz-mp-object-size' header value " +
			strconv.FormatUint(*in.ObjectSize, 10) + " does not match the size that was computed: " + strconv.FormatUint(size, 10))
	}
	if kind := checksumTypeOf(u); in.ChecksumType != "" && in.ChecksumType != kind {
		return wrongChecksumType(kind)
	}
	for _, claim := range in.Checksums {
		if err := checkClaim(claim, u, sums); err != nil {
			return err
		}
	}
	return nil
}

// checkClaim compares one claimed checksum with that of the whole object, which is of the upload's
// algorithm. sums is empty if it is not known.
func checkClaim(claim *metapb.Checksum, u *metapb.Upload, sums []*metapb.Checksum) error {
	if want := algorithmOf(u); claim.Algorithm != want {
		return s3err.InvalidRequest.Say("Checksum Type mismatch occurred, expected checksum Type: " + want +
			", actual checksum Type: " + claim.Algorithm)
	}
	switch {
	case len(sums) == 0:
		return s3err.InvalidRequest.Say("The checksum cannot be verified, as the upload has copied parts and names no algorithm: create it with x-amz-checksum-algorithm.")
	case claim.Composite && checksumTypeOf(u) != typeComposite:
		return wrongChecksumType(checksumTypeOf(u))
	case !bytes.Equal(sums[0].Value, claim.Value):
		return s3err.BadDigest.Say("The " + claim.Algorithm + " you specified did not match the calculated checksum.")
	}
	return nil
}

func wrongChecksumType(want string) error {
	return s3err.InvalidRequest.Say("The upload was created using the " + want +
		" checksum mode. The complete request must use the same checksum mode.")
}

// algorithmOf returns the algorithm of the checksum of an upload's whole object.
func algorithmOf(u *metapb.Upload) string {
	if u.ChecksumAlgorithm == "" {
		return checksum.CRC64NVME
	}
	return u.ChecksumAlgorithm
}

// checksumTypeOf returns the type of the checksum of an upload's whole object.
func checksumTypeOf(u *metapb.Upload) string {
	if u.ChecksumAlgorithm == "" || u.ChecksumFullObject {
		return typeFullObject
	}
	return typeComposite
}

// sameChecksums reports whether all checksums that a client claims of a part are those of the part.
func sameChecksums(claimed, have []*metapb.Checksum) bool {
	for _, c := range claimed {
		if !bytes.Equal(valueOf(have, c.Algorithm), c.Value) {
			return false
		}
	}
	return true
}
