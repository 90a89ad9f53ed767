package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// lineMax is how many characters a line of Go may have; a tab is one.
const lineMax = 120

// longLines finds the lines above lineMax of each Go file that is not generated.
func longLines(root string) (map[string][]place, error) {
	found := map[string][]place{}
	err := eachFile(root, func(path string, text []byte) error {
		if strings.HasSuffix(path, ".pb.go") || strings.HasSuffix(path, ".connect.go") {
			return nil
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
	}, ".go")
	return found, err
}
