package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tree writes files below a new directory.
func tree(t *testing.T, files map[string]string) (root string) {
	root = t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return root
}

func TestLongLines(t *testing.T) {
	l := laws[0]
	long := "\t" + strings.Repeat("ü", lineMax) + "\n"
	root := tree(t, map[string]string{
		"a.go":     "short\n" + strings.Repeat("ü", lineMax+1) + "\n" + strings.Repeat("ü", lineMax) + "\n",
		"b.go":     long + long,
		"c.go":     long,
		"d.pb.go":  long,
		"notes.md": long,
		l.list:     "1 b.go\n1 c.go\n1 gone.go\n",
	})
	breaches, err := l.check(root, false)
	require.NoError(t, err)
	require.Equal(t, []string{
		"a.go: 1 lines of more than 120 characters, 0 are let through (tools/lint/longlines.txt): break them" +
			"\n\ta.go:2",
		"b.go: 2 lines of more than 120 characters, 1 are let through (tools/lint/longlines.txt): break them" +
			"\n\tb.go:1\n\tb.go:2",
	}, breaches)

	_, err = l.check(root, true)
	require.NoError(t, err)
	shrunk, err := os.ReadFile(filepath.Join(root, l.list))
	require.NoError(t, err)
	require.Equal(t, "1 b.go\n1 c.go\n", string(shrunk), "the list lets through nothing new")
}

func TestMovedIsNoBreach(t *testing.T) {
	require.Empty(t, grown(map[string]int{"new.go": 2, "b.go": 1}, map[string]int{"old.go": 2, "b.go": 1}), "moved")
	require.Len(t, grown(map[string]int{"new.go": 3, "b.go": 1}, map[string]int{"old.go": 2, "b.go": 1}), 1)
	require.Equal(t, "1 b.go\n2 new.go\n",
		string(shrunk(map[string]int{"new.go": 2, "b.go": 1}, map[string]int{"old.go": 2, "b.go": 3})))
}
