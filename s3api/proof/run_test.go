package proof

import (
	"strings"
	"testing"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/shard/stripe"
	"github.com/stretchr/testify/require"
)

// TestExtentsWithoutCRC32: if an extent's record has only the CRC-64, the other CRCs are not known.
func TestExtentsWithoutCRC32(t *testing.T) {
	p := []byte(strings.Repeat("a run of plaintext. ", 50))
	s := stripe.SumsOf(p)
	old := &metapb.Piece{Ref: &metapb.ExtentRef{Length: 1000}, Extent: &metapb.Extent{PlainBytes: 1000, Crc64: s.CRC64}}
	runs := []Run{OfPiece(old), Computed(1000, s)}
	require.NotNil(t, CRC(checksum.CRC64NVME, runs))
	require.Nil(t, CRC(checksum.CRC32, runs))
	require.Nil(t, CRC(checksum.SHA256, runs))
	old.Ref.Offset, old.Ref.Length = 1, 999
	require.False(t, (&Run{}).Knows(checksum.CRC64NVME))
	require.Nil(t, CRC(checksum.CRC64NVME, []Run{OfPiece(old)}))
}
