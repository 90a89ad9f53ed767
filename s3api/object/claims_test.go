package object

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// TestClaimsOfWhole completes uploads of every algorithm and type with what a
// client may claim of the whole. No claim may pass unchecked.
func TestClaimsOfWhole(t *testing.T) {
	w := newWorld(t, setup{})
	for _, u := range []struct {
		algorithm string
		full      bool
	}{
		{"", true}, {checksum.CRC32, false}, {checksum.CRC32, true}, {checksum.CRC32C, false},
		{checksum.CRC64NVME, true}, {checksum.SHA1, false}, {checksum.SHA256, false},
	} {
		t.Run(u.algorithm+checksumTypeOf(&metapb.Upload{ChecksumAlgorithm: u.algorithm, ChecksumFullObject: u.full}), func(t *testing.T) {
			id := w.upload("k", nil, u.algorithm, u.full && u.algorithm != "")
			part := w.part("k", id, 1, []byte("the whole"), nil)
			stored := &metapb.Upload{ChecksumAlgorithm: u.algorithm, ChecksumFullObject: u.full}
			sums, err := uploadChecksums(stored, []*metapb.Part{part})
			require.NoError(t, err)
			right := sums[0]
			wrong := bytes.Repeat([]byte{7}, len(right.Value))
			other := checksum.SHA1
			if right.Algorithm == other {
				other = checksum.SHA256
			}
			complete := func(kind string, composite bool, algorithm string, value []byte) error {
				_, err := w.Complete(t.Context(), &CompleteInput{Caller: alice, Bucket: testBucket, Key: "k", UploadID: id,
					Parts:        []CompletePart{{1, part.Etag, nil}},
					ChecksumType: kind, Checksums: []*metapb.Checksum{{Algorithm: algorithm, Composite: composite, Value: value}}})
				return err
			}
			kinds := []string{typeComposite, typeFullObject}
			if !right.Composite {
				slices.Reverse(kinds)
			}
			wantCode(t, complete("", false, right.Algorithm, wrong), s3err.BadDigest)
			wantCode(t, complete("", right.Composite, right.Algorithm, wrong), s3err.BadDigest)
			wantCode(t, complete("", false, other, make([]byte, checksum.Size(other))), s3err.InvalidRequest)
			wantCode(t, complete(kinds[1], !right.Composite, right.Algorithm, right.Value), s3err.InvalidRequest)
			if !right.Composite {
				wantCode(t, complete("", true, right.Algorithm, right.Value), s3err.InvalidRequest)
			}
			_, err = w.Complete(t.Context(), &CompleteInput{Caller: alice, Bucket: testBucket, Key: "k", UploadID: id,
				Parts: []CompletePart{{1, part.Etag, []*metapb.Checksum{{Algorithm: other, Value: make([]byte, checksum.Size(other))}}}}})
			wantCode(t, err, s3err.InvalidPart)
			require.NoError(t, complete(kinds[0], right.Composite, right.Algorithm, right.Value))
		})
	}
}

// TestClaimOfUnknown completes an upload whose copied part has no checksum: a
// claim about it is refused, none is not.
func TestClaimOfUnknown(t *testing.T) {
	w := newWorld(t, setup{})
	w.put("src", contentOf(testExtent+10, 1), nil)
	id := w.upload("k", nil, "", false)
	c, err := w.CopyPart(t.Context(), &CopyPartInput{Caller: alice, Bucket: testBucket, Key: "k", UploadID: id, PartNumber: 1,
		Source: CopySource{Bucket: testBucket, Key: "src", Range: &Range{Kind: metapb.RangeKind_RANGE_FIRST_LAST, First: 5, Last: testExtent}}})
	require.NoError(t, err)
	defer c.Close()
	copied, err := c.Run(t.Context())
	require.NoError(t, err)
	in := &CompleteInput{Caller: alice, Bucket: testBucket, Key: "k", UploadID: id, Parts: []CompletePart{{1, copied.ETag, nil}},
		Checksums: []*metapb.Checksum{{Algorithm: checksum.CRC64NVME, Value: make([]byte, 8)}}}
	_, err = w.Complete(t.Context(), in)
	wantCode(t, err, s3err.InvalidRequest)
	in.Checksums = nil
	_, err = w.Complete(t.Context(), in)
	require.NoError(t, err)
}
