package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLarge(t *testing.T) {
	dir := t.TempDir()
	git := func(args ...string) {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	git("init", "-q")
	for name, size := range map[string]int{"small": 1, "limit": maxFileBytes, "a program": maxFileBytes + 1,
		"untracked": 2 * maxFileBytes} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600))
	}
	git("add", "small", "limit", "a program")
	found, err := large(dir)
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Contains(t, found[0], "a program: 1048577 bytes")
}
