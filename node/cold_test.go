package node

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/shard"
)

func TestParseScheme(t *testing.T) {
	for text, want := range map[string]shard.Scheme{"auto": {}, "8+4": {K: 8, M: 4}, "10+22": {K: 10, M: 22}, "1+1": {K: 1, M: 1}} {
		got, err := parseScheme(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"", "8", "8+", "+4", "8+4 ", "8+4+2", "08+4", "8+0", "0+4", "11+2", "10+23", "264+4", "-1+4", "8-4", "Auto"} {
		_, err := parseScheme(text)
		require.ErrorContains(t, err, "DATA+PARITY", text)
	}
}
