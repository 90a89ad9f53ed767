package s3api

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/s3err"
)

var update = flag.Bool("update", false, "rewrite docs/s3-compatibility.md")

const compatibilityPath = "../docs/s3-compatibility.md"

// absent is why an operation of S3 is not in the table of operations: by design, for
// what it is for does not exist here, or not yet.
var absent = map[string]struct {
	byDesign bool
	remark   string
}{
	"CreateBucketMetadataConfiguration":               {true, "metadata tables are an analytics service of AWS"},
	"CreateBucketMetadataTableConfiguration":          {true, "metadata tables are an analytics service of AWS"},
	"DeleteBucketMetadataConfiguration":               {true, "metadata tables are an analytics service of AWS"},
	"DeleteBucketMetadataTableConfiguration":          {true, "metadata tables are an analytics service of AWS"},
	"GetBucketMetadataConfiguration":                  {true, "metadata tables are an analytics service of AWS"},
	"GetBucketMetadataTableConfiguration":             {true, "metadata tables are an analytics service of AWS"},
	"UpdateBucketMetadataInventoryTableConfiguration": {true, "metadata tables are an analytics service of AWS"},
	"UpdateBucketMetadataJournalTableConfiguration":   {true, "metadata tables are an analytics service of AWS"},
	"CreateSession":                    {true, "directory buckets are AWS's S3 Express"},
	"ListDirectoryBuckets":             {true, "directory buckets are AWS's S3 Express"},
	"RenameObject":                     {true, "directory buckets are AWS's S3 Express"},
	"WriteGetObjectResponse":           {true, "Object Lambda runs functions of AWS"},
	"GetObjectTorrent":                 {true, "AWS has given it up"},
	"SelectObjectContent":              {true, "AWS has closed it to new customers"},
	"PutBucketAccelerateConfiguration": {true, "there are no edge locations to go through"},
	"GetBucketAbac":                    {false, "policies see no tags of buckets"},
	"PutBucketAbac":                    {false, "policies see no tags of buckets"},
	"UpdateObjectEncryption":           {false, "copy the object onto itself under the new key"},
	"PutBucketReplication":             {false, "there is no replication to another cluster"},
	"DeleteBucketReplication":          {false, "there is no replication to another cluster"},
	"GetBucketNotification":            {false, "the form before GetBucketNotificationConfiguration"},
	"PutBucketNotification":            {false, "the form before PutBucketNotificationConfiguration"},
}

// aliases are the older names of operations.
var aliases = map[string]string{
	"GetBucketLifecycle": "GetBucketLifecycleConfiguration", "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
	"GetBucketNotification": "GetBucketNotificationConfiguration", "PutBucketNotification": "PutBucketNotificationConfiguration",
}

// needsID reports whether an operation is about one of several configurations, which the
// model does not say in its path.
func needsID(name string) bool {
	return strings.HasPrefix(name, "Get") && strings.HasSuffix(name, "Configuration") &&
		(strings.Contains(name, "Analytics") || strings.Contains(name, "Inventory") || strings.Contains(name, "Metrics") || strings.Contains(name, "IntelligentTiering"))
}

// reason says why an operation is not there.
func reason(name string) (byDesign bool, remark string) {
	if row, ok := absent[name]; ok {
		return row.byDesign, row.remark
	}
	for _, family := range []string{"Analytics", "Inventory", "Metrics", "IntelligentTiering"} {
		if strings.Contains(name, family) {
			return false, "a configuration that nothing would act on is refused, not kept"
		}
	}
	return false, "not yet: answered 501"
}

// s3Operation is an operation of S3's model.
type s3Operation struct{ name, method, uri string }

// s3Operations reads the list of S3's operations.
func s3Operations(t *testing.T) (list []s3Operation) {
	raw, err := os.ReadFile("testdata/s3-operations.txt")
	require.NoError(t, err)
	for line := range strings.Lines(string(raw)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] != "#" {
			list = append(list, s3Operation{f[0], f[1], f[2]})
		}
	}
	require.Greater(t, len(list), 100)
	return list
}

// routed returns the operation of the table that a request in a test or in S3's model
// stands for; empty for none.
func routed(method, path string) string {
	path, raw, _ := strings.Cut(path, "?")
	q, err := parseQuery(raw)
	if err != nil || !strings.HasPrefix(path, "/") {
		return ""
	}
	t := address{}
	t.bucket, t.key, _ = strings.Cut(path[1:], "/")
	for _, copySource := range []bool{false, true} {
		if op, err := findOperation(method, t.scope(), q, copySource); err == nil {
			return op.name
		}
	}
	return ""
}

// testsByOperation returns, for each operation, the tests of this package that do it:
// a call with a method and a path, or one of an SDK's function of its name.
func testsByOperation(t *testing.T) map[string][]string {
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	found, does := map[string][]string{}, map[string]int{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(f.Name.Name, "Test") || f.Name.Name == "TestFindOperation" || f.Name.Name == "TestRights" {
				continue
			}
			for _, op := range operationsOf(f) {
				found[op] = append(found[op], f.Name.Name)
				does[f.Name.Name]++
			}
		}
	}
	for _, tests := range found { // What does least besides comes first.
		slices.SortFunc(tests, func(a, b string) int { return cmp.Or(cmp.Compare(does[a], does[b]), strings.Compare(a, b)) })
	}
	return found
}

// operationsOf returns the operations that a test function does.
func operationsOf(f *ast.FuncDecl) []string {
	set := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		if e, ok := n.(ast.Expr); ok {
			method, path := cut(literal(e)) // Of a table: "GET /bkt?acl".
			set[routed(method, path)] = true
		}
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if s, ok := call.Fun.(*ast.SelectorExpr); ok {
			set[s.Sel.Name] = true
			if s.Sel.Name == "post" {
				set["PostObject"] = true
			}
		}
		copies := false
		for i := range call.Args {
			copies = copies || strings.Contains(literal(call.Args[i]), "X-Amz-Copy-Source: ")
		}
		for i := 0; i+1 < len(call.Args); i++ {
			method, path := literal(call.Args[i]), literal(call.Args[i+1])
			if strings.HasPrefix(path, "/") {
				op := routed(method, path)
				if copies {
					op = map[string]string{"PutObject": "CopyObject", "UploadPart": "UploadPartCopy", "CopyObject": "CopyObject", "UploadPartCopy": "UploadPartCopy"}[op]
				}
				set[op] = true
			}
		}
		return true
	})
	return slices.Collect(maps.Keys(set))
}

// literal returns the text of an expression as far as it is written out.
func literal(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, _ := strconv.Unquote(e.Value)
		return s
	case *ast.BinaryExpr:
		return literal(e.X) + literal(e.Y)
	}
	return ""
}

// TestS3Compatibility keeps docs/s3-compatibility.md in step with the table of
// operations, and every operation in it with a test that does it.
func TestS3Compatibility(t *testing.T) {
	tests := testsByOperation(t)
	ours := map[string]bool{}
	for i := range operations {
		ours[operations[i].name] = true
	}
	var b bytes.Buffer
	b.WriteString("# The S3 API, operation by operation\n\n" +
		"Every operation of the S3 model. \"yes\" names a test in s3api that does it; each of them is also tried by ten kinds of callers in TestRights. " +
		"What is not there is answered 501 NotImplemented, never taken for something else. " +
		"Generated from the table in s3api/operations.go by `make docs`; do not edit.\n\n" +
		"| operation | here | remark |\n| --- | --- | --- |\n")
	row := func(name, op string) {
		list := tests[op]
		if len(list) == 0 {
			t.Errorf("%s is in the table of operations, and no test in s3api does it", op)
			return
		}
		fmt.Fprintf(&b, "| %s | yes | %s |\n", name, list[0])
	}
	listed := map[string]bool{}
	for _, o := range s3Operations(t) {
		op := o.name
		if newer, ok := aliases[op]; ok {
			op = newer
		}
		listed[op] = true
		if ours[op] {
			row(o.name, op)
			continue
		}
		answer := "no"
		byDesign, remark := reason(o.name)
		if byDesign {
			answer = "by design not"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", o.name, answer, remark)
	}
	b.WriteString("\n## Besides\n\nUploads by POST forms, preflight requests (OPTIONS; TestPreflight), and operations of OBS:\n\n| operation | here | remark |\n| --- | --- | --- |\n")
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		if !listed[name] {
			row(name, name)
		}
	}
	if *update {
		require.NoError(t, os.WriteFile(compatibilityPath, b.Bytes(), 0o644))
	}
	want, err := os.ReadFile(compatibilityPath)
	require.NoError(t, err)
	require.True(t, string(want) == b.String(),
		"docs/s3-compatibility.md is stale: run make docs and look at the difference")
}

// TestModelRoutes: each request of S3's model is the operation of its name, or is
// refused; none is taken for another.
func TestModelRoutes(t *testing.T) {
	elsewhere := map[string]string{"ListDirectoryBuckets": "ListBuckets", "WriteGetObjectResponse": "PostObject"} // By their URI alone.
	for _, o := range s3Operations(t) {
		path, raw, _ := strings.Cut(strings.NewReplacer("{Bucket}", "b", "{Key+}", "k").Replace(o.uri), "?")
		q, err := parseQuery(raw)
		require.NoError(t, err)
		want := o.name
		if newer, ok := aliases[want]; ok {
			want = newer
		}
		if other, ok := elsewhere[want]; ok {
			want = other
		}
		tg := address{}
		tg.bucket, tg.key, _ = strings.Cut(path[1:], "/")
		q = append(q, parameter{name: "x-id", value: o.name})
		if strings.HasPrefix(want, "UploadPart") {
			q = append(q, parameter{name: "partNumber", value: "1"}, parameter{name: "uploadId", value: "u"})
		}
		if strings.Contains(" ListParts AbortMultipartUpload CompleteMultipartUpload ", " "+want+" ") {
			q = append(q, parameter{name: "uploadId", value: "u"})
		}
		if needsID(want) {
			q = append(q, parameter{name: "id", value: "x"})
		}
		op, err := findOperation(o.method, tg.scope(), q, strings.Contains(want, "Copy"))
		if err != nil {
			require.Equal(t, s3err.NotImplemented, s3err.FromError(err).Code, o.name)
			continue
		}
		require.Equal(t, want, op.name)
	}
}

// TestSubResources: a sub-resource of S3 or OBS selects an operation that takes it, or is
// refused: by any method, on a bucket, on an object and on the service.
func TestSubResources(t *testing.T) {
	methods := []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodDelete}
	for sub := range subResources {
		for _, method := range methods {
			for _, sc := range []scope{scopeService, scopeBucket, scopeObject} {
				for _, copySource := range []bool{false, true} {
					op, err := findOperation(method, sc, query{{name: sub, bare: true}}, copySource)
					if err != nil {
						code := s3err.FromError(err).Code
						require.Contains(t, []s3err.Code{s3err.NotImplemented, s3err.MethodNotAllowed}, code, "%s ?%s", method, sub)
						continue
					}
					require.True(t, op.takes(sub), "%s ?%s on %s is taken for %s", method, sub, sc, op.name)
				}
			}
		}
	}
}
