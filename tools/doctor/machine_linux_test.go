package doctor

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A drive is tried with a file that is gone afterwards; what is not there, or not writable, is told.
func TestMachine(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	states := map[string]State{}
	for _, f := range Machine([]string{dir, filepath.Join(dir, "absent"), file}) {
		states[f.Where+" "+f.What] = f.State
	}
	require.Contains(t, states, "machine kernel")
	require.Contains(t, states, "machine memory")
	require.Contains(t, states, dir+" file system")
	require.NotEqual(t, Unknown, states[dir+" sync"])
	require.Equal(t, Warning, states[filepath.Join(dir, "absent")+" directory"])
	require.Equal(t, Warning, states[file+" sync"], "a file is no directory")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1)
	require.EqualValues(t, 3<<10, meminfo("MemFree: 1 kB\nMemTotal:     3 kB\n", "MemTotal"))
	require.Zero(t, meminfo("", "MemTotal"))
}
