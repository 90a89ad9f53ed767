package state

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// These tests prove that a new command or record was taken everywhere where its
// neighbours are. docs/contributing.md has the steps.

// unread are records that Check keeps nothing of, by what they hold and why.
var unread = map[keys.Kind]string{
	keys.KindRemoved: "what is removed is in no other record",
}

// valueless are the kinds whose values are no messages: mostly the key says it all.
var valueless = map[keys.Kind]bool{
	keys.KindUnreferenced: true, keys.KindCompleted: true, keys.KindMissing: true, keys.KindNextBlock: true,
	keys.KindRef: true, keys.KindRestore: true, keys.KindOpenUpload: true, keys.KindVersionID: true,
}

// TestEveryRecordIsTakenCareOf proves of each kind of key that the golden file of
// records has one, that Dump knows its message, and that Check reads it.
func TestEveryRecordIsTakenCareOf(t *testing.T) {
	golden := kindsIn(t, "testdata/records.golden", 0)
	checks := sourceOf(t, "../check/*.go")
	for kind := range kindsIn(t, "../keys/testdata/keys.golden", -1) {
		assert.True(t, golden[kind], "%q: testdata/records.golden has none (TestGolden, -rewrite)", kind)
		message := record.New(kind)
		assert.Equal(t, valueless[kind], message == nil, "%q: name its message in record.New, or it in valueless", kind)
		if message == nil {
			continue
		}
		_, exempt := unread[kind]
		read := strings.Contains(checks, fmt.Sprintf("case *metapb.%s:", message.ProtoReflect().Descriptor().Name()))
		assert.Equal(t, exempt, !read, "%q: Check keeps it (checker.keep), or unread says why not", kind)
	}
}

// kindsIn returns the first bytes of the keys in a golden file: hex, in the given column.
func kindsIn(t *testing.T, path string, column int) map[keys.Kind]bool {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	out := map[keys.Kind]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		at := column
		if at < 0 {
			at += len(fields)
		}
		key, err := hex.DecodeString(fields[at])
		require.NoError(t, err, path)
		out[keys.Kind(key[0])] = true
	}
	require.Greater(t, len(out), 20, path)
	return out
}

// TestEveryCommandIsTakenCareOf proves of each command that Apply, the model and the
// generator of random commands know it.
func TestEveryCommandIsTakenCareOf(t *testing.T) {
	applied, modelled := casesOf(t, "tx", "*.go"), casesOf(t, "model", "*_test.go")
	drawn := drawnCommands(t)
	ops := new(metapb.Command).ProtoReflect().Descriptor().Oneofs().ByName("op").Fields()
	for i := range ops.Len() {
		name := "Command_"
		for word := range strings.SplitSeq(string(ops.Get(i).Name()), "_") {
			name += strings.ToUpper(word[:1]) + word[1:]
		}
		assert.True(t, applied[name], "%s: Apply does not know it (apply.go)", name)
		assert.True(t, modelled[name], "%s: the model does not know it (model_*_test.go)", name)
		assert.True(t, drawn[name], "%s: the generator never draws it (generator.command)", name)
	}
}

// sourceOf returns the text of the files that match a pattern.
func sourceOf(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	var b strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		b.Write(text)
	}
	return b.String()
}

// casesOf returns the commands that methods of a type tell apart.
func casesOf(t *testing.T, receiver, pattern string) map[string]bool {
	out := map[string]bool{}
	inMethods(t, receiver, pattern, func(n ast.Node) {
		if c, ok := n.(*ast.CaseClause); ok {
			for _, e := range c.List {
				if star, ok := e.(*ast.StarExpr); ok {
					if sel, ok := star.X.(*ast.SelectorExpr); ok {
						out[sel.Sel.Name] = true
					}
				}
			}
		}
	})
	require.NotEmpty(t, out, "no method of %s tells commands apart", receiver)
	return out
}

// drawnCommands returns the commands that methods of the generator make.
func drawnCommands(t *testing.T) map[string]bool {
	out := map[string]bool{}
	inMethods(t, "generator", "*_test.go", func(n ast.Node) {
		if lit, ok := n.(*ast.CompositeLit); ok {
			if sel, ok := lit.Type.(*ast.SelectorExpr); ok {
				out[sel.Sel.Name] = true
			}
		}
	})
	return out
}

// inMethods calls look with every node within the methods of a type.
func inMethods(t *testing.T, receiver, pattern string, look func(ast.Node)) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		require.NoError(t, err)
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil {
				continue
			}
			if star, ok := f.Recv.List[0].Type.(*ast.StarExpr); ok && star.X.(*ast.Ident).Name == receiver {
				ast.Inspect(f.Body, func(n ast.Node) bool { look(n); return true })
			}
		}
	}
}
