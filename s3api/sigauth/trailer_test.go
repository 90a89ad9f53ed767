package sigauth

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/checksum"
)

// TestTrailerNames: a trailer is declared for any algorithm there is, a refusal names all of them, and
// says so where there are only too many.
func TestTrailerNames(t *testing.T) {
	var refused payload
	err := refused.takeTrailerNames([]string{"x-amz-checksum-none"})
	require.ErrorContains(t, err, "not supported")
	for _, a := range checksum.Algorithms() {
		var p payload
		require.NoError(t, p.takeTrailerNames([]string{strings.ToUpper(checksum.Header(a))}), a)
		require.Equal(t, []string{checksum.Header(a)}, p.names)
		require.Regexp(t, `\b`+a+`\b`, err.Error())
	}
	names := strings.Repeat(checksum.Header(checksum.CRC32)+", ", maxTrailers)
	var p payload
	require.NoError(t, p.takeTrailerNames([]string{strings.TrimSuffix(names, ", ")}))
	err = p.takeTrailerNames([]string{checksum.Header(checksum.CRC32)})
	require.ErrorContains(t, err, "8 trailers at most")
}
