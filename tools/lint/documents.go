package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// namedTests finds tests that documents name and the tree does not have. A checklist that names one has
// a step that no test enforces any more.
func namedTests(root string) (breaches []string, err error) {
	have := map[string]bool{}
	docs := map[string]string{}
	err = eachFile(root, func(path string, text []byte) error {
		if filepath.Ext(path) == ".md" {
			docs[path] = string(text)
		}
		for _, m := range testFunc.FindAllSubmatch(text, -1) {
			have[string(m[1])] = true
		}
		return nil
	}, ".md", "_test.go")
	for _, path := range slices.Sorted(maps.Keys(docs)) {
		for i, line := range strings.Split(docs[path], "\n") {
			for _, m := range testName.FindAllStringSubmatch(line, -1) {
				if !have[m[1]] {
					breaches = append(breaches, fmt.Sprintf("%s:%d: there is no test %s", path, i+1, m[1]))
				}
			}
		}
	}
	return breaches, err
}

var (
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z]\w*)\(`)
	testName = regexp.MustCompile(`(?:^|[^\w:])((?:Test|Fuzz)[A-Z]\w*)`) // No event of S3: s3:TestEvent.
)

// changelog proves that the changelog's first section is that for what is not released yet.
func changelog(root string) (breaches []string, err error) {
	text, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "## ") {
			if line != "## Unreleased\n" {
				return []string{"CHANGELOG.md: its first section is not \"Unreleased\""}, nil
			}
			return nil, nil
		}
	}
	return []string{"CHANGELOG.md: there are no sections"}, nil
}

// roomsOf returns the rooms in the code block below a document's heading "Rooms".
func roomsOf(document string) (out []string) {
	_, rest, _ := strings.Cut(document, "\n## Rooms\n")
	_, rest, _ = strings.Cut(rest, "\n```\n")
	block, _, _ := strings.Cut(rest, "\n```\n")
	for line := range strings.Lines(block) {
		if fields := strings.Fields(line); len(fields) > 0 {
			out = append(out, fields[0])
		}
	}
	return out
}

// documentedRooms proves that docs/architecture.md lists the rooms in the order that this command goes
// by. It need not list generated clients, which go with their messages.
func documentedRooms(root string) (breaches []string, err error) {
	const path = "docs/architecture.md"
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		return nil, err
	}
	told := roomsOf(string(text))
	want := slices.DeleteFunc(slices.Clone(rooms), func(r string) bool { return strings.HasSuffix(r, "connect") })
	for i, room := range want {
		switch {
		case !slices.Contains(told, room):
			breaches = append(breaches, fmt.Sprintf("%s: the list below \"Rooms\" lacks %s: say what it is, where tools/lint has it",
				path, room))
		case i > 0 && slices.Contains(told, want[i-1]) && slices.Index(told, room) < slices.Index(told, want[i-1]):
			breaches = append(breaches, fmt.Sprintf("%s: %s stands before %s, in tools/lint behind it", path, room, want[i-1]))
		}
	}
	for _, room := range told {
		if !slices.Contains(want, room) {
			breaches = append(breaches, fmt.Sprintf("%s: the list below \"Rooms\" has %s, which is no room", path, room))
		}
	}
	return breaches, nil
}
