package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// lineMax is how many characters a line of Go may have; a tab is one.
	lineMax = 120
	// longListed are the files that had longer lines when the rule came, each with how
	// many. The list may only shrink: -shrink takes out what was mended.
	longListed = "tools/lint/longlines.txt"
)

// longLines counts the lines above lineMax of each Go file that is not generated.
func longLines(root string) (map[string]int, error) {
	counts := map[string]int{}
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
		for line := range bytes.Lines(text) {
			if utf8.RuneCount(bytes.TrimSuffix(line, []byte("\n"))) > lineMax {
				counts[filepath.ToSlash(name)]++
			}
		}
		return err
	})
	return counts, err
}

// readLong reads the list of offenders.
func readLong(text []byte) (map[string]int, error) {
	listed := map[string]int{}
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		var path string
		var count int
		if _, err := fmt.Sscanf(s.Text(), "%d %s", &count, &path); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", longListed, s.Text(), err)
		}
		listed[path] = count
	}
	return listed, nil
}

// over returns how many long lines each file has above what the list lets it have, and
// how many the list lets through that are gone.
func over(counts, listed map[string]int) (more map[string]int, gone int) {
	more = map[string]int{}
	for path, n := range counts {
		if n > listed[path] {
			more[path] = n - listed[path]
		}
	}
	for path, n := range listed {
		gone += max(0, n-counts[path])
	}
	return more, gone
}

// tooLong says which files have more long lines than the list lets them have. Lines that
// moved from one file to another are none: as many went elsewhere.
func tooLong(counts, listed map[string]int) (breaches []string) {
	more, gone := over(counts, listed)
	for _, path := range slices.Sorted(maps.Keys(more)) {
		gone -= more[path]
		breaches = append(breaches, fmt.Sprintf(
			"%s: %d lines of more than %d characters, %d are let through (%s): break them", path,
			counts[path], lineMax, listed[path], longListed))
	}
	if gone >= 0 {
		return nil
	}
	return breaches
}

// shrunk is the list without what was mended, and with files under the names that they
// have now. It never lets more lines through than before.
func shrunk(counts, listed map[string]int) []byte {
	if len(tooLong(counts, listed)) > 0 {
		counts = maps.Clone(counts)
		for path := range counts {
			counts[path] = min(counts[path], listed[path])
		}
	}
	var b bytes.Buffer
	for _, path := range slices.Sorted(maps.Keys(counts)) {
		if n := counts[path]; n > 0 {
			fmt.Fprintf(&b, "%d %s\n", n, path)
		}
	}
	return b.Bytes()
}

// checkLong compares the tree with the list, or shrinks the list.
func checkLong(root string, shrink bool) ([]string, error) {
	counts, err := longLines(root)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(root, longListed))
	if err != nil {
		return nil, err
	}
	listed, err := readLong(text)
	if err != nil {
		return nil, err
	}
	if shrink {
		return nil, os.WriteFile(filepath.Join(root, longListed), shrunk(counts, listed), 0o644)
	}
	return tooLong(counts, listed), nil
}
