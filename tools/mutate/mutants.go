package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A mutant is one replacement of bytes [from, to) of a file.
type mutant struct {
	file     string // Relative to the root of the module.
	source   string // Hash of the file.
	line     int
	column   int
	loose    bool   // It stands between blocks of statements: in the values of a case.
	function string // The function that it lies in, "Type.name" for a method.
	around   [2]int // The first and the last line of that function.
	from, to int
	old, new string
	why      string // What was done, in words: "condition is never true".
}

func (m mutant) String() string {
	return fmt.Sprintf("%s:%d: %s: %s: %q", m.file, m.line, m.function, m.why, oneLine(m.old))
}

// key names the mutant even if its line has moved: by file, function, kind and old text.
func (m mutant) key() string {
	return strings.Join([]string{m.file, m.function, m.why, oneLine(m.old)}, " | ")
}

// id names this mutant and no other, as long as its file does not change.
func (m mutant) id() string {
	return fmt.Sprintf("%s@%s:%d-%d=%s", m.file, m.source, m.from, m.to, m.new)
}

// oneLine cuts text to what fits on a line of a report.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	const longest = 90
	if len(text) > longest {
		text = text[:longest] + "…"
	}
	return text
}

// mutantsIn finds the mutants of a file, or of all files of a folder that are neither tests nor
// generated.
func mutantsIn(path string) ([]mutant, error) {
	files := []string{path}
	if !strings.HasSuffix(path, ".go") {
		var err error
		if files, err = filepath.Glob(filepath.Join(path, "*.go")); err != nil {
			return nil, err
		}
	}
	var out []mutant
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || strings.HasSuffix(file, ".pb.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		found, err := mutantsOf(file, source)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s has nothing to break", path)
	}
	return out, nil
}

// mutantsOf finds the mutants of the functions of one file.
func mutantsOf(file string, source []byte) ([]mutant, error) {
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(source)
	f := finder{set: set, file: file, source: source, sum: hex.EncodeToString(sum[:8])}
	for _, d := range tree.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
			f.function = functionName(fn)
			f.around = [2]int{set.Position(fn.Pos()).Line, set.Position(fn.End()).Line}
			ast.Inspect(fn.Body, f.visit)
		}
	}
	return f.found, nil
}

func functionName(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return fn.Name.Name
	}
	t := fn.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if generic, ok := t.(*ast.IndexExpr); ok {
		t = generic.X
	}
	if name, ok := t.(*ast.Ident); ok {
		return name.Name + "." + fn.Name.Name
	}
	return fn.Name.Name
}

// A finder walks over one file and gathers its mutants.
type finder struct {
	set      *token.FileSet
	file     string
	source   []byte
	sum      string
	loose    bool
	function string
	around   [2]int
	found    []mutant
}

// swapped says which operator takes the place of another. An order moves its border, and an equality
// turns round. Operators that are not here would not compile or would make no difference.
var swapped = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD,
}

// visit adds the mutants of one node of the tree.
func (f *finder) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IfStmt:
		f.condition(n.Cond)
	case *ast.BinaryExpr:
		if other, ok := swapped[n.Op]; ok {
			at := f.offset(n.OpPos)
			f.add(n.OpPos, at, at+len(n.Op.String()), other.String(), n.Op.String()+" becomes "+other.String()+" in "+
				oneLine(f.text(n.Pos(), n.End())))
		}
	case *ast.BlockStmt:
		f.statements(n.List)
	case *ast.CaseClause:
		f.loose = true
		for _, value := range n.List {
			ast.Inspect(value, f.visit)
		}
		f.loose = false
		f.statements(n.Body)
		for _, s := range n.Body {
			ast.Inspect(s, f.visit)
		}
		return false
	case *ast.CommClause:
		f.statements(n.Body)
	case *ast.ReturnStmt:
		return f.results(n)
	case *ast.BasicLit:
		f.literal(n)
	}
	return true
}

// condition makes a guard never true, and always true. The check of an error is only made never true:
// every test would notice one that is always true.
func (f *finder) condition(cond ast.Expr) {
	text := f.text(cond.Pos(), cond.End())
	f.replace(cond, "("+text+") && false", "condition is never true")
	if !strings.HasSuffix(text, "err != nil") {
		f.replace(cond, "("+text+") || true", "condition is always true")
	}
}

// statements leaves out one statement at a time: a call, an assignment to a variable that exists
// already, an increment, or a jump.
func (f *finder) statements(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.ExprStmt:
			f.replace(s, "", "statement is left out")
		case *ast.IncDecStmt:
			f.replace(s, "", "statement is left out")
		case *ast.BranchStmt:
			f.replace(s, "", "statement is left out")
		case *ast.AssignStmt:
			if s.Tok != token.DEFINE {
				f.replace(s, "", "statement is left out")
			}
		}
	}
}

// results visits what is returned beside an error or a false, but leaves numbers there alone, because
// no caller looks at them. It reports whether the whole statement is still to be visited.
func (f *finder) results(r *ast.ReturnStmt) bool {
	n := len(r.Results)
	if n < 2 {
		return true
	}
	if last, ok := r.Results[n-1].(*ast.Ident); ok && (last.Name == "nil" || last.Name == "true") {
		return true
	}
	for _, e := range r.Results {
		if _, number := e.(*ast.BasicLit); !number {
			ast.Inspect(e, f.visit)
		}
	}
	return false
}

// literal adds one to a whole number.
func (f *finder) literal(lit *ast.BasicLit) {
	if lit.Kind != token.INT {
		return
	}
	if n, err := strconv.ParseInt(lit.Value, 0, 64); err == nil {
		f.replace(lit, strconv.FormatInt(n+1, 10), "number is one more in "+f.lineOf(lit.Pos()))
	}
}

// lineOf returns the line of the source that a place is on.
func (f *finder) lineOf(pos token.Pos) string {
	at := f.offset(pos)
	from := bytes.LastIndexByte(f.source[:at], '\n') + 1
	line, _, _ := bytes.Cut(f.source[from:], []byte{'\n'})
	return oneLine(string(line))
}

func (f *finder) replace(n ast.Node, text, why string) {
	f.add(n.Pos(), f.offset(n.Pos()), f.offset(n.End()), text, why)
}

func (f *finder) add(pos token.Pos, from, to int, text, why string) {
	at := f.set.Position(pos)
	f.found = append(f.found, mutant{
		file: f.file, source: f.sum, line: at.Line, column: at.Column, loose: f.loose, function: f.function, around: f.around,
		from: from, to: to, old: string(f.source[from:to]), new: text, why: why,
	})
}

func (f *finder) offset(pos token.Pos) int { return f.set.Position(pos).Offset }

func (f *finder) text(from, to token.Pos) string {
	return string(f.source[f.offset(from):f.offset(to)])
}
