package upkeep

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestJobsAreDocumented proves that the operator's manual says of every job what it does
// and where it runs, in the table of its section "Jobs", and names no other.
func TestJobsAreDocumented(t *testing.T) {
	documented := documentedJobs(t)
	made := madeJobs(t)
	require.Greater(t, len(made), 15)
	for name := range made {
		assert.True(t, documented[name], "the table of jobs in the operator's manual does not have %q", name)
	}
	for name := range documented {
		assert.True(t, made[name], "the operator's manual tells of a job %q, which nobody makes", name)
	}
}

// documentedJobs returns the first column of the manual's table of jobs.
func documentedJobs(t *testing.T) map[string]bool {
	pages, err := filepath.Glob("../../docs/operations/*.md")
	require.NoError(t, err)
	out := map[string]bool{}
	for _, page := range append(pages, "../../docs/operations.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		_, table, found := strings.Cut(string(text), "| job | on | what it does |\n")
		if !found {
			continue
		}
		table, _, _ = strings.Cut(table, "\n\n")
		for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| [^|]+ \\| [^|]+ \\|$").FindAllStringSubmatch(table, -1) {
			out[m[1]] = true
		}
	}
	return out
}

// madeJobs returns the names of jobs in the source: what a job is called, and what is
// tracked.
func madeJobs(t *testing.T) map[string]bool {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	consts, names := map[string]string{}, map[string]bool{}
	var found []ast.Expr
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, v := range n.Values {
					if lit, ok := v.(*ast.BasicLit); ok && lit.Kind == token.STRING {
						consts[n.Names[i].Name], _ = strconv.Unquote(lit.Value)
					}
				}
			case *ast.CompositeLit:
				found = append(found, jobNames(n)...)
			case *ast.CallExpr:
				if sel, ok := n.Fun.(*ast.SelectorExpr); ok && (sel.Sel.Name == "of" && len(n.Args) == 1 ||
					sel.Sel.Name == "ofDrive") {
					found = append(found, n.Args[0])
				}
			}
			return true
		})
	}
	for _, e := range found {
		switch e := e.(type) {
		case *ast.BasicLit:
			name, err := strconv.Unquote(e.Value)
			require.NoError(t, err)
			names[name] = true
		case *ast.Ident:
			if name, ok := consts[e.Name]; ok {
				names[name] = true
			}
		}
	}
	return names
}

// jobNames returns what the jobs of a literal are called: of one job, or of a list.
func jobNames(lit *ast.CompositeLit) (names []ast.Expr) {
	switch typ := lit.Type.(type) {
	case *ast.Ident:
		if typ.Name == "job" && len(lit.Elts) > 0 {
			return lit.Elts[:1]
		}
	case *ast.ArrayType:
		if elem, ok := typ.Elt.(*ast.Ident); ok && elem.Name == "job" {
			for _, e := range lit.Elts {
				names = append(names, e.(*ast.CompositeLit).Elts[0])
			}
		}
	}
	return names
}
