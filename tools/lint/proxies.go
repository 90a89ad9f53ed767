package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
)

// serving lists the folders whose code runs in a node.
var serving = []string{"cluster", "shard", "meta", "s3api", "node"}

// byDefault lists what net/http sends by its default transport, which asks the proxy that the
// environment of the process names. cluster/rpc.Outbound makes one that does not.
var byDefault = []string{"DefaultTransport", "DefaultClient", "ProxyFromEnvironment", "Get", "Head", "Post", "PostForm"}

// outbound is the one file that may name the default transport: it takes the proxy out.
const outbound = "cluster/rpc/client.go"

// proxied finds where a node might send something through a proxy that its settings do not name.
func proxied(root string) (breaches []string, err error) {
	err = eachFile(root, func(path string, text []byte) error {
		at, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		top, _, _ := strings.Cut(filepath.ToSlash(at), "/")
		if strings.HasSuffix(at, "_test.go") || !slices.Contains(serving, top) || filepath.ToSlash(at) == outbound {
			return nil
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, path, text, 0)
		if err != nil {
			return err
		}
		breach := func(n ast.Node, what string) {
			breaches = append(breaches, fmt.Sprintf("%s:%d: %s asks the proxy of the environment: use rpc.Outbound",
				path, files.Position(n.Pos()).Line, what))
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if ofHTTP(n, byDefault...) {
					breach(n, "http."+n.Sel.Name)
				}
			case *ast.CompositeLit:
				if ofHTTP(n.Type, "Client") && !slices.ContainsFunc(n.Elts, setsTransport) {
					breach(n, "an http.Client without a Transport")
				}
			}
			return true
		})
		return nil
	}, ".go")
	return breaches, err
}

// ofHTTP reports whether an expression is one of these names of package http.
func ofHTTP(e ast.Expr, names ...string) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	of, ok := s.X.(*ast.Ident)
	return ok && of.Name == "http" && slices.Contains(names, s.Sel.Name)
}

func setsTransport(e ast.Expr) bool {
	pair, ok := e.(*ast.KeyValueExpr)
	if !ok {
		return false
	}
	name, ok := pair.Key.(*ast.Ident)
	return ok && name.Name == "Transport"
}
