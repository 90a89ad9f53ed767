package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"time"
)

// leastPatience is the shortest deadline that a test may write into a call of Eventually. A deadline is
// there to end a test that hangs. On a busy machine, under the race detector, what takes a second may
// take a minute, and a test that fails by that has judged the machine. A deadline that has a name, with
// a comment that says why, may be shorter.
const leastPatience = 2 * time.Minute

// hasty finds the calls of Eventually in tests that give up before leastPatience.
func hasty(root string) (breaches []string, err error) {
	err = eachFile(root, func(path string, text []byte) error {
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, path, text, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 4 {
				return true
			}
			if s, ok := call.Fun.(*ast.SelectorExpr); !ok || !strings.HasPrefix(s.Sel.Name, "Eventually") {
				return true
			}
			if limit, ok := written(call.Args[2]); ok && limit < leastPatience {
				at := files.Position(call.Args[2].Pos())
				breaches = append(breaches, fmt.Sprintf("%s:%d: gives up after %v: a test waits for what it means, at least %v "+
					"(or a named constant that says why it is shorter)", at.Filename, at.Line, limit, leastPatience))
			}
			return true
		})
		return nil
	}, "_test.go")
	return breaches, err
}

// written evaluates time.Unit and N*time.Unit. It knows no other form.
func written(e ast.Expr) (time.Duration, bool) {
	factor := int64(1)
	if product, ok := e.(*ast.BinaryExpr); ok && product.Op == token.MUL {
		number, ok := product.X.(*ast.BasicLit)
		if !ok {
			return 0, false
		}
		n, err := strconv.ParseInt(number.Value, 0, 64)
		if err != nil {
			return 0, false
		}
		factor, e = n, product.Y
	}
	unit, ok := e.(*ast.SelectorExpr)
	if !ok {
		return 0, false
	}
	size, ok := map[string]time.Duration{"Millisecond": time.Millisecond, "Second": time.Second,
		"Minute": time.Minute, "Hour": time.Hour}[unit.Sel.Name]
	return time.Duration(factor) * size, ok
}
