package s3api

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// TestClaimedChecksums reads what a Complete of two parts claims of the whole.
func TestClaimedChecksums(t *testing.T) {
	for name, c := range map[string]struct {
		headers   map[string]string
		code      s3err.Code
		composite bool
		kind      string
	}{
		"none":              {nil, "", false, ""},
		"bare":              {map[string]string{"X-Amz-Checksum-Crc32": "AAAAAA=="}, "", false, ""},
		"number of parts":   {map[string]string{"X-Amz-Checksum-Crc32": "AAAAAA==-2"}, "", true, ""},
		"other number":      {map[string]string{"X-Amz-Checksum-Crc32": "AAAAAA==-3"}, s3err.BadDigest, false, ""},
		"not a number":      {map[string]string{"X-Amz-Checksum-Crc32": "AAAAAA==-x"}, s3err.BadDigest, false, ""},
		"no number":         {map[string]string{"X-Amz-Checksum-Crc32": "AAAAAA==-"}, s3err.BadDigest, false, ""},
		"type":              {map[string]string{"X-Amz-Checksum-Crc32": "AAAAAA==", "X-Amz-Checksum-Type": "COMPOSITE"}, "", true, "COMPOSITE"},
		"type alone":        {map[string]string{"X-Amz-Checksum-Type": "FULL_OBJECT"}, "", false, "FULL_OBJECT"},
		"unknown type":      {map[string]string{"X-Amz-Checksum-Type": "BOTH"}, s3err.InvalidRequest, false, ""},
		"not base64":        {map[string]string{"X-Amz-Checksum-Crc32": "?"}, s3err.InvalidRequest, false, ""},
		"of another length": {map[string]string{"X-Amz-Checksum-Crc32": "AAAA"}, s3err.InvalidRequest, false, ""},
		"two":               {map[string]string{"X-Amz-Checksum-Crc32": "AAAAAA==", "X-Amz-Checksum-Crc32c": "AAAAAA=="}, s3err.InvalidRequest, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			for name, value := range c.headers {
				h.Set(name, value)
			}
			sums, kind, err := claimedChecksums(h, 2)
			if c.code != "" {
				var s3 *s3err.Error
				require.ErrorAs(t, err, &s3)
				require.Equal(t, c.code, s3.Code)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.kind, kind)
			if len(sums) > 0 {
				require.Equal(t, c.composite, sums[0].Composite)
			}
		})
	}
}
