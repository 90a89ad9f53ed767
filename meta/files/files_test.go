package files

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"
)

// TestReplacePowerCut cuts the power before each write of Replace: the file is the old
// one or the new one, and the new one once Replace has returned.
func TestReplacePowerCut(t *testing.T) {
	before, after := []byte("before"), []byte("afterwards")
	mem := vfs.NewCrashableMem()
	rng := rand.New(rand.NewPCG(1, 2))
	cuts := 0
	watch := false
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if watch && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			cuts++
			got, err := Read(mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng}), "d/f")
			require.NoError(t, err)
			require.Contains(t, []string{string(before), string(after)}, string(got))
		}
		return nil
	}))
	require.NoError(t, MkdirSynced(fs, "d"))
	require.NoError(t, Replace(fs, "d", "f", before))
	watch = true
	require.NoError(t, Replace(fs, "d", "f", after))
	require.Greater(t, cuts, 3)
	got, err := Read(mem.CrashClone(vfs.CrashCloneCfg{}), "d/f")
	require.NoError(t, err)
	require.Equal(t, after, got)
}

// TestSum spoils each byte of a file with a checksum, and cuts it at each: it is refused.
func TestSum(t *testing.T) {
	for _, body := range []string{"", "\n", `{"Number":1}`} {
		file := WithSum([]byte(body))
		got, ok := CutSum(file)
		require.True(t, ok)
		require.Equal(t, body, string(got))
		for i := range file {
			bad := bytes.Clone(file)
			bad[i] ^= 1
			_, ok = CutSum(bad)
			require.False(t, ok, "byte %d of %q", i, body)
			_, ok = CutSum(file[:i])
			require.False(t, ok, "%q, cut at byte %d", body, i)
		}
	}
}
