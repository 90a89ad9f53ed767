package observe

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite docs/metrics.md")

const docPath = "../../docs/metrics.md"

const docIntro = "# Metrics\n\n" +
	"Every metric of a node, with its labels. Which of them to watch, and what to do then, is said in the operator's manual " +
	"([docs/operations.md](operations.md)).\n\n" +
	"Generated from node/observe by `make docs`; do not edit.\n\n" +
	"| metric | meaning |\n| --- | --- |\n"

const docRuntime = "\nOf the process and of Go, as every program has them that uses Prometheus' library:\n\n| metric |\n| --- |\n"

// TestMetricsDoc proves that docs/metrics.md has every metric with its labels and its help.
// tools/deploy checks the queries of alerts and dashboard against that page.
func TestMetricsDoc(t *testing.T) {
	var own, others bytes.Buffer
	known := describe(t)
	for _, name := range slices.Sorted(maps.Keys(known)) {
		m := known[name]
		full := name
		if len(m.labels) > 0 {
			full += "{" + strings.Join(m.labels, ",") + "}"
		}
		if strings.HasPrefix(name, "cairn_") {
			fmt.Fprintf(&own, "| `%s` | %s |\n", full, strings.ReplaceAll(m.help, "|", "\\|"))
		} else {
			fmt.Fprintf(&others, "| `%s` |\n", full)
		}
	}
	want := docIntro + own.String() + docRuntime + others.String()
	if *update {
		require.NoError(t, os.WriteFile(docPath, []byte(want), 0o644))
	}
	have, err := os.ReadFile(docPath)
	require.NoError(t, err)
	require.True(t, want == string(have),
		"docs/metrics.md is not what nodes export: run make docs and look at the difference")
}

// TestManual proves that every metric that the manual names is exported.
func TestManual(t *testing.T) {
	known := exported(t)
	pages, err := filepath.Glob("../../docs/operations/*.md")
	require.NoError(t, err)
	word := regexp.MustCompile(`\bcairn_[a-z0-9_]+…?`)
	for _, page := range append(pages, "../../docs/operations.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, name := range word.FindAllString(string(text), -1) {
			if !strings.HasSuffix(name, "…") {
				require.True(t, isSeries(known, name), "%s names %s, which no node exports", page, name)
			}
		}
	}
}

// isSeries reports whether a node exports a series with this name: a metric, or one of the series
// of a histogram.
func isSeries(known map[string][]string, name string) bool {
	for _, suffix := range []string{"", "_bucket", "_sum", "_count"} {
		base, ok := strings.CutSuffix(name, suffix)
		if _, is := known[base]; ok && is && (suffix == "" || strings.HasSuffix(base, "_seconds")) {
			return true
		}
	}
	return false
}
