package node

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCacheBytes(t *testing.T) {
	for name, tc := range map[string]struct {
		setting Bytes
		memory  uint64
		err     error
		want    int64
	}{
		"a small machine":  {memory: 2 << 30, want: 64 << 20},
		"a common one":     {memory: 32 << 30, want: 256 << 20},
		"a large one":      {memory: 1 << 40, want: 1 << 30},
		"as set":           {setting: 8 << 20, memory: 32 << 30, want: 8 << 20},
		"an unknown one":   {err: errors.New("no such file"), want: 64 << 20},
		"more than is set": {setting: 4 << 30, memory: 2 << 30, want: 4 << 30},
	} {
		c := Config{MetadataCache: tc.setting}
		require.Equal(t, tc.want, c.cacheBytes(func() (uint64, error) { return tc.memory, tc.err }), name)
	}
	total, err := memory()
	require.NoError(t, err)
	require.Greater(t, total, uint64(64<<20), "of this machine")
}
