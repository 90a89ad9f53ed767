package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
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

func TestDocumentedRooms(t *testing.T) {
	document := func(rooms ...string) string {
		return "# Architecture\n\n## Words\n\n```\nno/room\n```\n\n## Rooms\n\nIn order.\n\n```\n" +
			strings.Join(rooms, "  what it is\n\n") + "\n```\n\n## After\n"
	}
	var whole []string
	for _, r := range rooms {
		if !strings.HasSuffix(r, "connect") {
			whole = append(whole, r)
		}
	}
	last := len(whole) - 1
	swapped := slices.Clone(whole)
	swapped[3], swapped[4] = swapped[4], swapped[3]
	for name, c := range map[string]struct {
		rooms []string
		want  []string
	}{
		"whole":     {whole, nil},
		"lacks one": {whole[:last], []string{`the list below "Rooms" lacks ` + whole[last] + ": say what it is, where tools/lint has it"}},
		"swapped":   {swapped, []string{whole[4] + " stands before " + whole[3] + ", in tools/lint behind it"}},
		"has a cellar": {append(slices.Clone(whole), "node/cellar"),
			[]string{`the list below "Rooms" has node/cellar, which is no room`}},
	} {
		breaches, err := documentedRooms(tree(t, map[string]string{"docs/architecture.md": document(c.rooms...)}))
		require.NoError(t, err)
		require.Len(t, breaches, len(c.want), name)
		for i := range c.want {
			require.Equal(t, "docs/architecture.md: "+c.want[i], breaches[i], name)
		}
	}
}
