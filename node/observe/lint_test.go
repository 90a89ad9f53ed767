package observe

import (
	"io"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// metric is what a metric's description says.
type metric struct {
	labels []string
	help   string
}

// describe returns every metric that a node exports, by its name.
func describe(t *testing.T) map[string]metric {
	t.Helper()
	o := New(slog.New(slog.NewTextHandler(io.Discard, nil)))
	o.Watch(Sources{})
	ch := make(chan *prometheus.Desc)
	go func() {
		o.registry.Describe(ch)
		close(ch)
	}()
	form := regexp.MustCompile(`fqName: "([^"]+)", help: "((?:[^"\\]|\\.)*)", (?:unit: "[^"]*", )?` +
		`constLabels: \{[^}]*\}, variableLabels: \{([^}]*)\}`)
	out := map[string]metric{}
	for d := range ch {
		m := form.FindStringSubmatch(d.String())
		require.NotNil(t, m, d.String())
		require.NotEmpty(t, m[2], "%s has no help", m[1])
		help, err := strconv.Unquote(`"` + m[2] + `"`)
		require.NoError(t, err, d.String())
		out[m[1]] = metric{strings.FieldsFunc(m[3], func(r rune) bool { return r == ',' }), help}
	}
	return out
}

// exported returns the labels of every metric that a node exports, by its name.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for name, m := range describe(t) {
		out[name] = m.labels
	}
	return out
}

// TestNames proves that names follow Prometheus' conventions: base units, _total only at the end,
// and no suffixes that Prometheus itself adds.
func TestNames(t *testing.T) {
	name := regexp.MustCompile(`^cairn_[a-z][a-z0-9_]*[a-z]$`)
	for n, labels := range exported(t) {
		if !strings.HasPrefix(n, "cairn_") {
			continue // Of the process and of Go.
		}
		require.Regexp(t, name, n)
		for _, unit := range []string{"_ms", "_millis", "_milliseconds", "_minutes", "_mb", "_kb", "_kib", "_mib", "_percent", "_count", "_sum", "_bucket"} {
			require.False(t, strings.HasSuffix(strings.TrimSuffix(n, "_total"), unit), "%s: not a base unit", n)
		}
		require.False(t, strings.Contains(strings.TrimSuffix(n, "_total"), "_total"), n)
		for _, l := range labels {
			require.NotContains(t, []string{"le", "quantile", "job", "instance", "bucket", "key", "object"}, l, "%s: a label that is taken or has no bound", n)
		}
	}
}
