package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLongLines(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	long := "\t" + strings.Repeat("ü", lineMax) + "\n"
	write("a.go", "short\n"+strings.Repeat("ü", lineMax+1)+"\n"+strings.Repeat("ü", lineMax)+"\n")
	write("b.go", long+long)
	write("c.go", long)
	write("d.pb.go", long)
	write("notes.md", long)
	write(longListed, "1 b.go\n1 c.go\n1 gone.go\n")
	breaches, err := checkLong(root, false)
	require.NoError(t, err)
	require.Equal(t, []string{
		"a.go: 1 lines of more than 120 characters, 0 are let through (tools/lint/longlines.txt): break them",
		"b.go: 2 lines of more than 120 characters, 1 are let through (tools/lint/longlines.txt): break them",
	}, breaches)

	require.Empty(t, tooLong(map[string]int{"new.go": 2, "b.go": 1}, map[string]int{"old.go": 2, "b.go": 1}), "moved")
	require.Len(t, tooLong(map[string]int{"new.go": 3, "b.go": 1}, map[string]int{"old.go": 2, "b.go": 1}), 1)
	require.Equal(t, "1 b.go\n2 new.go\n",
		string(shrunk(map[string]int{"new.go": 2, "b.go": 1}, map[string]int{"old.go": 2, "b.go": 3})))

	_, err = checkLong(root, true)
	require.NoError(t, err)
	shrunk, err := os.ReadFile(filepath.Join(root, longListed))
	require.NoError(t, err)
	require.Equal(t, "1 b.go\n1 c.go\n", string(shrunk), "the list lets through nothing new")
}
