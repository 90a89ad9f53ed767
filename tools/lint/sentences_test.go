package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSentences(t *testing.T) {
	text := strings.Join([]string{
		"# A heading. Of two.",
		"",
		"One goes on",
		"over a line. **Two is bold.** Three names `a file. Of code` and a [link of words](to/it.md).",
		"It ends!",
		"- an item, version 1.2 of it",
		"- \"another.\" (And more.)",
		"  Of the same.",
		"1. counted, cf. this",
		"",
		"| a cell. | Another. |",
		"```",
		"code. Code.",
		"```",
		"The last",
	}, "\n")
	require.Equal(t, []place{
		{3, "One goes on over a line."},
		{4, "**Two is bold.**"},
		{4, "Three names Code and a [link of words]."},
		{5, "It ends!"},
		{6, "an item, version 1.2 of it"},
		{7, "\"another.\""},
		{7, "(And more.)"},
		{8, "Of the same."},
		{9, "counted, cf. this"},
		{15, "The last"},
	}, sentences(text))
	require.Equal(t, 8, words("Three names Code and a [link of words]. — …"))
}

func TestLongSentences(t *testing.T) {
	l := laws[1]
	long := "Word " + strings.Repeat("word ", sentenceMax-1) + "word."
	root := tree(t, map[string]string{
		"a.md":      "Short.\n\n- " + strings.Repeat("word ", sentenceMax-1) + "`two words` — …\n",
		"docs/b.md": "Short. " + long + "\n" + long + "\n\n| " + long + " |\n",
		"d.md":      long,
		"e.go":      long,
		l.list:      "1 d.md\n1 gone.md\n",
	})
	breaches, err := l.check(root, false)
	require.NoError(t, err)
	require.Len(t, breaches, 1)
	require.Contains(t, breaches[0], "docs/b.md: 2 sentences of more than 30 words, 0 are let through")
	require.Contains(t, breaches[0], "\n\tdocs/b.md:1: 31 words: Word word")
	require.Contains(t, breaches[0], "\n\tdocs/b.md:2: 31 words: Word word")
}
