package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// unracedLine is the line of the Makefile that says which packages `make test-unraced` runs.
var unracedLine = regexp.MustCompile(`(?m)^UNRACED := (.*)$`)

// unraced proves that `make test-unraced` runs every package whose tests do less under the race
// detector. These are the packages that import cluster/effort.
func unraced(root string) (breaches []string, err error) {
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		return nil, err
	}
	line := unracedLine.FindSubmatch(text)
	if line == nil {
		return nil, errors.New("the Makefile has no line that begins with UNRACED")
	}
	listed := map[string]bool{}
	for _, room := range strings.Fields(string(line[1])) {
		listed[path.Clean(room)] = false
	}
	importing := fmt.Sprintf("%q", module+"cluster/effort")
	err = eachFile(root, func(file string, text []byte) error {
		if !strings.Contains(string(text), "\t"+importing) {
			return nil
		}
		dir, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		room := filepath.ToSlash(dir)
		if seen, ok := listed[room]; !ok {
			breaches = append(breaches, room+" does less under the race detector: add it to UNRACED in the Makefile")
			listed[room] = true
		} else if !seen {
			listed[room] = true
		}
		return nil
	}, "_test.go")
	for room, seen := range listed {
		if !seen {
			breaches = append(breaches, room+" does the same under the race detector: take it out of UNRACED in the Makefile")
		}
	}
	return breaches, err
}
