package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNamedTests(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
	write("a_test.go", "package a\n\nfunc TestThere(t *testing.T) {}\n\nfunc FuzzThere(f *testing.F) {}\n")
	write("a.md", "TestThere and FuzzThere\nare, TestGone is not, and Testing and Tests are words.\n")
	breaches, err := namedTests(root)
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(root, "a.md") + ":2: there is no test TestGone"}, breaches)
}

func TestChangelog(t *testing.T) {
	root := t.TempDir()
	for text, want := range map[string]int{
		"# Changes\n\n## Unreleased\n\n## 1.0\n": 0,
		"# Changes\n\n## 1.0\n":                  1,
		"# Changes\n":                            1,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(root, "CHANGELOG.md"), []byte(text), 0o644))
		breaches, err := changelog(root)
		require.NoError(t, err)
		require.Len(t, breaches, want, text)
	}
}
