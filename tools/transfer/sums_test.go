package transfer

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

// Checksums and ETags of objects that were made of parts are those of the parts' sums.
func TestSumsOfParts(t *testing.T) {
	parts := []string{"first part", "", "the second one", "3"}
	whole, shas, md5s := "", "", ""
	var sizes []int64
	for _, p := range parts {
		sha, sum := sha256.Sum256([]byte(p)), md5.Sum([]byte(p))
		whole, shas, md5s = whole+p, shas+string(sha[:]), md5s+string(sum[:])
		sizes = append(sizes, int64(len(p)))
	}
	sha, sum := sha256.Sum256([]byte(shas)), md5.Sum([]byte(md5s))
	for _, want := range []sums{
		{algorithm: "SHA256", value: base64.StdEncoding.EncodeToString(sha[:]), parts: sizes},
		{md5: hex.EncodeToString(sum[:]), md5Parts: len(parts), parts: sizes},
	} {
		for step := range len(whole) {
			s := want.summer()
			for i := 0; i < len(whole); i += step + 1 {
				_, _ = s.Write([]byte(whole[i:min(i+step+1, len(whole))]))
			}
			require.NoError(t, s.check(int64(len(whole))))
			require.Error(t, s.check(int64(len(whole))+1))
		}
		s := want.summer()
		_, _ = s.Write([]byte("F" + whole[1:]))
		require.ErrorIs(t, s.check(int64(len(whole))), errMismatch)
	}
}

func TestSplitETag(t *testing.T) {
	const sum = "d41d8cd98f00b204e9800998ecf8427e"
	for etag, want := range map[string]struct {
		sum   string
		parts int
	}{sum: {sum, 0}, sum + "-3": {sum, 3}, sum + "-0": {}, sum + "-x": {}, "abc": {}, "": {}, "z" + sum[1:]: {}} {
		got, parts := splitETag(etag)
		require.Equal(t, want.sum, got, etag)
		require.Equal(t, want.parts, parts, etag)
	}
}
