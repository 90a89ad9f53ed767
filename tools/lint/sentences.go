package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
)

// sentenceMax is how many words a sentence of a document may have. A sentence should be understood at
// one reading, and a longer one holds two thoughts.
const sentenceMax = 30

// longSentences finds the sentences of each document that are longer than sentenceMax. It looks at
// paragraphs and items of lists, and not at code, tables and headings.
func longSentences(root string) (map[string][]place, error) {
	found := map[string][]place{}
	err := eachFile(root, func(path string, text []byte) error {
		name, err := filepath.Rel(root, path)
		for _, s := range sentences(string(text)) {
			if n := words(s.what); n > sentenceMax {
				start := string([]rune(s.what)[:min(60, len([]rune(s.what)))])
				found[filepath.ToSlash(name)] = append(found[filepath.ToSlash(name)],
					place{s.line, fmt.Sprintf(": %d words: %s…", n, start)})
			}
		}
		return err
	}, ".md")
	return found, err
}

var (
	item       = regexp.MustCompile(`^\s*(?:[-*+]|\d+\.)\s+`)
	codeSpan   = regexp.MustCompile("``[^`].*?``|`[^`]+`")
	linkTarget = regexp.MustCompile(`\]\([^)\s]*\)`)
	// sentenceEnd is the mark that ends a sentence, with quotes and brackets that close after it, and a
	// space.
	sentenceEnd = regexp.MustCompile(`[.!?]["'”’)\]*_]*\s+`)
)

// sentences returns the sentences of a Markdown text, each with the number of its first line. A span of
// code counts as one word, and a link as the words that it shows. After a full stop the sentence goes
// on if the next word is in lower case.
func sentences(text string) (out []place) {
	var block string
	var first int
	end := func() {
		plain := linkTarget.ReplaceAllString(codeSpan.ReplaceAllString(block, "Code"), "]")
		at := first
		for from := 0; from < len(plain); {
			to := len(plain)
			for _, m := range sentenceEnd.FindAllStringIndex(plain[from:], -1) {
				next := strings.TrimLeft(plain[from+m[1]:], "\"'“‘([*_")
				if next != "" && !unicode.IsLower([]rune(next)[0]) {
					to = from + m[1]
					break
				}
			}
			sentence := plain[from:to]
			out = append(out, place{at, strings.Join(strings.Fields(sentence), " ")})
			at += strings.Count(sentence, "\n")
			from = to
		}
		block = ""
	}
	for i, line := range lines(text) {
		trimmed := strings.TrimSpace(line)
		mark := item.FindString(line)
		if trimmed == "" || mark != "" || trimmed[0] == '|' || trimmed[0] == '#' {
			end()
		}
		if trimmed == "" || trimmed[0] == '|' || trimmed[0] == '#' {
			continue
		}
		if block == "" {
			first = i + 1
		}
		block += line[len(mark):] + "\n"
	}
	end()
	return out
}

// words counts the words of a sentence. What has neither a letter nor a digit, such as a dash, is no
// word.
func words(sentence string) (n int) {
	for _, w := range strings.Fields(sentence) {
		if strings.ContainsFunc(w, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
			n++
		}
	}
	return n
}
