package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDocLinks(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o600))
	}
	write("docs/b.md", "# What survives what\n\n## `a` and b, once\n")
	write("README.md", "# Cairn\n"+
		"[a](docs/b.md) [b](docs/b.md#what-survives-what) [c](#cairn) [d](https://example.com/x) [e](docs/b.md#a-and-b-once)\n"+
		"```\n[not a link](nowhere.md)\n```\n"+
		"[f](docs/c.md)\n[g](docs/b.md#what-survives)\n[h](#other)\n")
	got, err := docLinks(root)
	require.NoError(t, err)
	readme := filepath.Join(root, "README.md")
	require.Equal(t, []string{
		readme + ":6: link docs/c.md: no such file",
		readme + ":7: link docs/b.md#what-survives: no such heading",
		readme + ":8: link #other: no such heading",
	}, got)
}
