package main

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// A law is a rule that some files broke already when it was made. A list says how often each of them
// breaks it. The list may only shrink: -shrink takes out what was mended.
type law struct {
	list string // The file with the counts.
	what string // What is counted, in the plural.
	mend string // What to do about it.
	// find returns the places of each file that break the rule.
	find func(root string) (map[string][]place, error)
}

// place is a line of a file that breaks a rule, with what is to be said about it.
type place struct {
	line int
	what string
}

// laws are those of this repository.
var laws = []law{
	{"tools/lint/longlines.txt", fmt.Sprintf("lines of more than %d characters", lineMax), "break them", longLines},
	{"tools/lint/sentences.txt", fmt.Sprintf("sentences of more than %d words", sentenceMax), "divide them", longSentences},
}

// check compares the tree with the list, or shrinks the list.
func (l law) check(root string, shrink bool) ([]string, error) {
	found, err := l.find(root)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(root, l.list))
	if err != nil {
		return nil, err
	}
	listed, err := l.read(text)
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for path, places := range found {
		counts[path] = len(places)
	}
	if shrink {
		return nil, os.WriteFile(filepath.Join(root, l.list), shrunk(counts, listed), 0o644)
	}
	var breaches []string
	for _, path := range grown(counts, listed) {
		breach := fmt.Sprintf("%s: %d %s, %d are let through (%s): %s", path, counts[path], l.what, listed[path], l.list, l.mend)
		for _, p := range found[path] {
			breach += fmt.Sprintf("\n\t%s:%d%s", path, p.line, p.what)
		}
		breaches = append(breaches, breach)
	}
	return breaches, nil
}

// read reads the list.
func (l law) read(text []byte) (map[string]int, error) {
	listed := map[string]int{}
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		var path string
		var count int
		if _, err := fmt.Sscanf(s.Text(), "%d %s", &count, &path); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", l.list, s.Text(), err)
		}
		listed[path] = count
	}
	return listed, nil
}

// over returns how many breaches each file has above those that the list lets it have, and how many
// breaches in the list are gone.
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

// grown names the files that have more breaches than the list lets them have. It names none if as many
// breaches are gone from other files: then they have only moved.
func grown(counts, listed map[string]int) []string {
	more, gone := over(counts, listed)
	for _, n := range more {
		gone -= n
	}
	if gone >= 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(more))
}

// shrunk returns the list without what was mended, and with files under the names that they have now.
// It never lets more breaches through than before.
func shrunk(counts, listed map[string]int) []byte {
	if len(grown(counts, listed)) > 0 {
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
