package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
)

// docLinks finds links of Markdown files to files or headings that are not in the tree. It does not
// follow links to other hosts.
func docLinks(root string) (breaches []string, err error) {
	docs := make(map[string]string)
	err = eachFile(root, func(path string, text []byte) error {
		docs[path] = string(text)
		return nil
	}, ".md")
	if err != nil {
		return nil, err
	}
	for path, text := range docs {
		for number, line := range lines(text) {
			for _, m := range link.FindAllStringSubmatch(line, -1) {
				if why := broken(root, path, m[1], docs); why != "" {
					breaches = append(breaches, fmt.Sprintf("%s:%d: link %s: %s", path, number+1, m[1], why))
				}
			}
		}
	}
	return breaches, nil
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// lines returns the lines of a Markdown text. Those of code blocks are returned empty.
func lines(text string) []string {
	out := strings.Split(text, "\n")
	code := false
	for i, l := range out {
		fence := strings.HasPrefix(strings.TrimSpace(l), "```")
		if fence || code {
			out[i] = ""
		}
		if fence {
			code = !code
		}
	}
	return out
}

// broken says why a link of the document at path leads nowhere; "" if it leads somewhere.
func broken(root, path, to string, docs map[string]string) string {
	u, err := url.Parse(to)
	if err != nil {
		return err.Error()
	}
	if u.Scheme != "" || u.Host != "" {
		return ""
	}
	target := path
	if u.Path != "" {
		target = filepath.Join(filepath.Dir(path), u.Path)
		if strings.HasPrefix(u.Path, "/") {
			target = filepath.Join(root, u.Path)
		}
		if _, err := os.Stat(target); err != nil {
			return "no such file"
		}
	}
	if text, ok := docs[target]; ok && u.Fragment != "" && !hasHeading(text, u.Fragment) {
		return "no such heading"
	}
	return ""
}

func hasHeading(text, anchor string) bool {
	for _, l := range lines(text) {
		if title := strings.TrimLeft(l, "#"); title != l && strings.HasPrefix(title, " ") && slug(title) == anchor {
			return true
		}
	}
	return false
}

// slug returns the anchor that code hosts give a heading: it is in lower case, with hyphens for spaces
// and no other punctuation.
func slug(title string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(title)) {
		switch {
		case unicode.IsLetter(r), unicode.IsNumber(r), r == '-', r == '_':
			b.WriteRune(r)
		case r == ' ':
			b.WriteByte('-')
		}
	}
	return b.String()
}
