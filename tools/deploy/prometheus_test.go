package deploy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// exported reads from docs/metrics.md which metrics nodes export, with their labels.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	row := regexp.MustCompile("(?m)^\\| `([a-z][a-z0-9_]+)(?:\\{([a-z_,]*)\\})?` \\|")
	out := map[string][]string{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		out[m[1]] = strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' })
	}
	require.Greater(t, len(out), 100, "docs/metrics.md has no rows as they are read here")
	return out
}

// manual returns the whole text of the operator's manual.
func manual(t *testing.T) string {
	t.Helper()
	pages, err := filepath.Glob("../../docs/operations/*.md")
	require.NoError(t, err)
	var b strings.Builder
	for _, p := range append(pages, "../../docs/operations.md") {
		text, err := os.ReadFile(p)
		require.NoError(t, err)
		b.Write(text)
	}
	return b.String()
}

// checkQuery proves that a query parses and that every metric and label in it is
// exported.
func checkQuery(t *testing.T, known map[string][]string, what, query string) {
	t.Helper()
	expr, err := parser.ParseExpr(query)
	require.NoError(t, err, "%s: %s", what, query)
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		switch x := n.(type) {
		case *parser.VectorSelector:
			labels := labelsOf(known, x.Name)
			require.NotNil(t, labels, "%s: no metric is called %s: %s", what, x.Name, query)
			for _, m := range x.LabelMatchers {
				require.Contains(t, append(labels, "__name__"), m.Name, "%s: %s has no such label: %s", what, x.Name, query)
			}
		case *parser.AggregateExpr:
			checkGrouping(t, known, x, what, query)
		}
		return nil
	})
}

func checkGrouping(t *testing.T, known map[string][]string, x *parser.AggregateExpr, what, query string) {
	t.Helper()
	for _, selectors := range parser.ExtractSelectors(x.Expr) {
		for _, m := range selectors {
			if m.Name != "__name__" {
				continue
			}
			labels := labelsOf(known, m.Value)
			for _, g := range x.Grouping {
				require.Contains(t, labels, g, "%s: grouped by what %s does not have: %s", what, m.Value, query)
			}
		}
	}
}

// labelsOf returns the labels of a metric as a query sees them, with those that Prometheus adds; nil if
// there is no such metric.
func labelsOf(known map[string][]string, name string) []string {
	added := []string{"job", "instance"}
	if name == "up" {
		return added
	}
	if l, ok := known[name]; ok {
		return append(added, l...)
	}
	for suffix, more := range map[string][]string{"_bucket": {"le"}, "_sum": nil, "_count": nil} {
		base, ok := strings.CutSuffix(name, suffix)
		if l, is := known[base]; ok && is && strings.HasSuffix(base, "_seconds") {
			return slices.Concat(added, l, more)
		}
	}
	return nil
}

type alertFile struct {
	Groups []struct {
		Name  string `json:"name"`
		Rules []struct {
			Alert       string            `json:"alert"`
			Expr        string            `json:"expr"`
			For         string            `json:"for"`
			Labels      map[string]string `json:"labels"`
			Annotations map[string]string `json:"annotations"`
		} `json:"rules"`
	} `json:"groups"`
}

// TestAlerts proves that each alert asks for what nodes export, says how urgent it is,
// and is explained in the operator's manual.
func TestAlerts(t *testing.T) {
	text, err := os.ReadFile("../../deploy/prometheus/alerts.yml")
	require.NoError(t, err)
	manual := manual(t)
	var f alertFile
	require.NoError(t, yaml.UnmarshalStrict(text, &f))
	known, seen := exported(t), map[string]bool{}
	for _, g := range f.Groups {
		for _, r := range g.Rules {
			require.False(t, seen[r.Alert], "two alerts are called %s", r.Alert)
			seen[r.Alert] = true
			checkQuery(t, known, r.Alert, r.Expr)
			require.Contains(t, []string{"warning", "critical"}, r.Labels["severity"], r.Alert)
			require.NotEmpty(t, r.Annotations["summary"], r.Alert)
			require.Contains(t, manual, "| `"+r.Alert+"` |", "the manual (docs/operations) does not say what to do")
		}
	}
	require.Greater(t, len(seen), 10)
	for line := range strings.Lines(manual) {
		if name, ok := strings.CutPrefix(line, "| `Cairn"); ok {
			name, _, _ = strings.Cut("Cairn"+name, "`")
			require.True(t, seen[name], "the manual explains %s, which is no alert", name)
		}
	}
}

type dashboard struct {
	Panels []struct {
		Title, Type string
		Targets     []struct{ Expr string }
	}
}

// TestDashboard proves that every panel asks for what nodes export.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile("../../deploy/grafana/cairn.json")
	require.NoError(t, err)
	var d dashboard
	require.NoError(t, json.Unmarshal(text, &d))
	known := exported(t)
	variables := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*")
	rows := 0
	for _, p := range d.Panels {
		if p.Type == "row" {
			rows++
			continue
		}
		require.NotEmpty(t, p.Targets, p.Title)
		for _, target := range p.Targets {
			checkQuery(t, known, p.Title, variables.Replace(target.Expr))
		}
	}
	require.GreaterOrEqual(t, rows, 6)
}
