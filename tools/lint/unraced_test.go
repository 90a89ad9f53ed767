package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUnraced(t *testing.T) {
	root := t.TempDir()
	put := func(name, text string) {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	const importing = "package a\n\nimport (\n\t\"" + module + "cluster/effort\"\n)\n"
	put("Makefile", "PKGS := ./...\nUNRACED := ./listed ./same\n")
	put("listed/a_test.go", importing)
	put("same/a_test.go", "package a\n")
	put("forgotten/a_test.go", importing)
	put("forgotten/b_test.go", importing)
	breaches, err := unraced(root)
	require.NoError(t, err)
	require.Equal(t, []string{
		"forgotten does less under the race detector: add it to UNRACED in the Makefile",
		"same does the same under the race detector: take it out of UNRACED in the Makefile",
	}, breaches)
}
