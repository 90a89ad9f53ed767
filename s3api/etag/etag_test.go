package etag

import (
	"crypto/md5"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
)

// TestForms: which ETags count as an MD5, and what parts contribute to the ETag of the whole.
func TestForms(t *testing.T) {
	sum, id := md5.Sum([]byte("a")), []byte("0123456789abcdef and more")
	of, opaque := OfMD5(sum[:]), Opaque(id)
	require.True(t, IsMD5(of))
	for _, tag := range []string{"", opaque, of[1:], "x" + of[1:], of + "00"} {
		require.False(t, IsMD5(tag), tag)
	}
	other := md5.Sum([]byte("of another form"))
	whole := md5.Sum(append(append(sum[:], id[:16]...), other[:]...))
	require.Equal(t, hex.EncodeToString(whole[:])+"-3",
		OfParts([]*metapb.Part{{Etag: of}, {Etag: opaque}, {Etag: "of another form"}}))
}
