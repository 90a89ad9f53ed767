package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// lineMax is how many characters a line of Go may have; a tab is one.
const lineMax = 120

// longLines finds the lines above lineMax of each Go file that is not generated.
func longLines(root string) (map[string][]place, error) {
	found := map[string][]place{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && path != root && (name == "bin" || name == "data" || name[0] == '.'):
			return filepath.SkipDir
		case filepath.Ext(name) != ".go" || strings.HasSuffix(name, ".pb.go") || strings.HasSuffix(name, ".connect.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		number := 0
		for line := range bytes.Lines(text) {
			number++
			if utf8.RuneCount(bytes.TrimSuffix(line, []byte("\n"))) > lineMax {
				found[filepath.ToSlash(name)] = append(found[filepath.ToSlash(name)], place{line: number})
			}
		}
		return err
	})
	return found, err
}
