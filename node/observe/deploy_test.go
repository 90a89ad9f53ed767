package observe

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
)

const deployDir = "../../deploy/"

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
			for _, selectors := range parser.ExtractSelectors(x.Expr) {
				for _, m := range selectors {
					if m.Name != "__name__" {
						continue
					}
					for _, g := range x.Grouping {
						require.Contains(t, labelsOf(known, m.Value), g, "%s: grouped by what %s does not have: %s", what, m.Value, query)
					}
				}
			}
		}
		return nil
	})
}

// labelsOf returns the labels of a metric as a query sees it, those that Prometheus
// adds among them; nil where there is none.
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
		Name  string `yaml:"name"`
		Rules []struct {
			Alert       string            `yaml:"alert"`
			Expr        string            `yaml:"expr"`
			For         string            `yaml:"for"`
			Labels      map[string]string `yaml:"labels"`
			Annotations map[string]string `yaml:"annotations"`
		} `yaml:"rules"`
	} `yaml:"groups"`
}

// TestAlerts proves that each alert asks for what nodes export, says how urgent it is,
// and is explained in the operator's manual.
func TestAlerts(t *testing.T) {
	text, err := os.ReadFile(deployDir + "prometheus/alerts.yml")
	require.NoError(t, err)
	manual, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	var f alertFile
	require.NoError(t, yaml.UnmarshalWithOptions(text, &f, yaml.Strict()))
	known, seen := exported(t), map[string]bool{}
	for _, g := range f.Groups {
		for _, r := range g.Rules {
			require.False(t, seen[r.Alert], r.Alert)
			seen[r.Alert] = true
			checkQuery(t, known, r.Alert, r.Expr)
			require.Contains(t, []string{"warning", "critical"}, r.Labels["severity"], r.Alert)
			require.NotEmpty(t, r.Annotations["summary"], r.Alert)
			require.Contains(t, string(manual), "| `"+r.Alert+"` |", "docs/operations.md does not say what to do")
		}
	}
	require.Greater(t, len(seen), 10)
	for line := range strings.Lines(string(manual)) {
		if name, ok := strings.CutPrefix(line, "| `Cairn"); ok {
			name, _, _ = strings.Cut("Cairn"+name, "`")
			require.True(t, seen[name], "docs/operations.md explains %s, which is no alert", name)
		}
	}
}

type dashboard struct {
	Title  string
	Panels []struct {
		Title, Type string
		Targets     []struct{ Expr string }
	}
	Templating struct {
		List []struct {
			Name  string
			Query any
		}
	}
}

// TestDashboard proves that every panel asks for what nodes export.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(deployDir + "grafana/cairn.json")
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

// TestManual proves that every metric that the manual names is exported.
func TestManual(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	known := exported(t)
	for word := range strings.FieldsFuncSeq(string(text), func(r rune) bool {
		return r != '_' && r != '…' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}) {
		if strings.HasPrefix(word, "cairn_") && !strings.HasSuffix(word, "…") {
			require.NotNil(t, labelsOf(known, word), "docs/operations.md names %s, which no node exports", word)
		}
	}
}
