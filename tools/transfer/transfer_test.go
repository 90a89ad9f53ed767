package transfer_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/cairnstore/cairn/tools/transfer"
	"github.com/cairnstore/cairn/tools/transfer/transfertest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"))
}

// world is a store in memory and an engine with small parts.
type world struct {
	t     *testing.T
	fake  *transfertest.Fake
	store *transfer.Store
	o     transfer.Options
	dir   string
}

const partSize = 1000

func newWorld(t *testing.T) *world {
	t.Helper()
	for _, name := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(name, "/nonexistent")
	}
	fake := &transfertest.Fake{}
	fake.Make("b", "c")
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	store, err := transfer.Open(t.Context(), transfer.Endpoint{URL: server.URL, AccessKey: "a", SecretKey: "s",
		PauseMax: time.Millisecond, Stall: time.Minute})
	require.NoError(t, err)
	dir := t.TempDir()
	return &world{t, fake, store, transfer.Options{PartSize: partSize, CopyMax: 5000, CopyPart: 2000, Parallel: 4,
		StateDir: filepath.Join(dir, "state")}, filepath.Join(dir, "files")}
}

func (w *world) engine() *transfer.Engine {
	e := transfer.New(w.store, w.o)
	w.t.Cleanup(e.Close)
	return e
}

func (w *world) path(name string) string { return w.dir + "/" + name }

func (w *world) write(name, body string) {
	w.t.Helper()
	require.NoError(w.t, os.MkdirAll(filepath.Dir(w.path(name)), 0o777))
	require.NoError(w.t, os.WriteFile(w.path(name), []byte(body), 0o666))
}

// files returns what lies below a directory, each with its content.
func (w *world) files(name string) map[string]string {
	w.t.Helper()
	found := map[string]string{}
	require.NoError(w.t, filepath.Walk(w.path(name), func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			body, err := os.ReadFile(path)
			require.NoError(w.t, err)
			rel, err := filepath.Rel(w.path(name), path)
			require.NoError(w.t, err)
			found[rel] = string(body)
		}
		return err
	}))
	return found
}

// place reads a location; a path is below the world's directory.
func (w *world) place(text string) transfer.Location {
	w.t.Helper()
	if !strings.HasPrefix(text, "s3://") {
		text = w.path(text)
	}
	l, err := transfer.Parse(text)
	require.NoError(w.t, err)
	return l
}

func (w *world) plan(recursive bool, places ...string) transfer.CopyPlan {
	w.t.Helper()
	p := transfer.CopyPlan{Selection: transfer.Selection{Recursive: recursive}, To: w.place(places[len(places)-1])}
	for _, from := range places[:len(places)-1] {
		p.From = append(p.From, w.place(from))
	}
	return p
}

func (w *world) run(p transfer.CopyPlan) (transfer.Result, error) {
	w.t.Helper()
	require.NoError(w.t, p.Check())
	return w.engine().Run(w.t.Context(), w.store.PlanCopy(w.t.Context(), p))
}

// cp copies, and expects that nothing fails.
func (w *world) cp(recursive bool, places ...string) transfer.Result {
	w.t.Helper()
	res, err := w.run(w.plan(recursive, places...))
	require.NoError(w.t, err)
	for _, f := range res.Failures {
		w.t.Error(f)
	}
	require.Zero(w.t, res.Failed)
	return res
}

// fails copies, and expects that so many fail.
func (w *world) fails(n int64, recursive bool, places ...string) transfer.Result {
	w.t.Helper()
	res, err := w.run(w.plan(recursive, places...))
	require.NoError(w.t, err)
	require.Equal(w.t, n, res.Failed, "%v", res.Failures)
	return res
}

func text(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String()[:n]
}

var names = []string{"plain", "with space", "ünï/cödé 日本", "a/b/c", "a+b&c=d%20e", "new\nline", "dots../..x/...",
	"q?*[x]", "trailing ", `back\slash`, "emoji \U0001f600", "empty"}

func TestThereAndBack(t *testing.T) {
	w := newWorld(t)
	want := map[string]string{}
	for i, name := range names {
		want[name] = text(i * 700)
		if name == "empty" {
			want[name] = ""
		}
		w.write("in/"+name, want[name])
	}
	res := w.cp(true, "in", "s3://b/p/")
	require.EqualValues(t, len(names), res.Copied)
	for name, body := range want {
		require.Equal(t, body, string(w.fake.Get("b", "p/"+name).Body), name)
		require.NotEmpty(t, w.fake.Get("b", "p/"+name).CRC)
	}
	res = w.cp(true, "s3://b/p", "out")
	require.Zero(t, res.Unverified)
	require.Equal(t, want, w.files("out"))

	w.cp(true, "s3://b/p/", "s3://c/copy/")
	for name, body := range want {
		require.Equal(t, body, string(w.fake.Get("c", "copy/"+name).Body), name)
	}
	n, _ := w.fake.Uploads()
	require.Zero(t, n)
	left, err := os.ReadDir(w.o.StateDir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// Whatever a key is, nothing is written outside of the directory.
func TestNothingGetsOutside(t *testing.T) {
	w := newWorld(t)
	bad := []string{"p/../../evil", "p/a/../../../evil", "p//etc/evil", "p/./evil", "p/a//evil", "p/..", "p/.", "p/a\x00b",
		"p/link/evil", "p/file/below"}
	for _, key := range bad {
		w.fake.Set("b", key, "evil")
	}
	w.fake.Set("b", "p/good", "good")
	w.fake.Set("b", "p/dir/", "")
	w.fake.Set("b", "p/full/", "bytes")
	w.write("out/file", "a file")
	require.NoError(t, os.Mkdir(w.path("elsewhere"), 0o777))
	require.NoError(t, os.Symlink(w.path("elsewhere"), w.path("out/link")))
	res := w.fails(int64(len(bad))+1, true, "s3://b/p/", "out")
	require.EqualValues(t, 2, res.Copied)
	require.Equal(t, map[string]string{"file": "a file", "good": "good"}, w.files("out"))
	require.Empty(t, w.files("elsewhere"))
	require.DirExists(t, w.path("out/dir"))
	require.NoFileExists(t, filepath.Join(w.dir, "evil"))
	require.NoFileExists(t, filepath.Join(w.dir, "..", "evil"))

	// By its own name each can be had.
	w.cp(false, "s3://b/p/../../evil", "out/renamed")
	require.Equal(t, "evil", w.files("out")["renamed"])
	w.fails(1, false, "s3://b/p/..", "out")
}

func TestFileAndDirectoryOfOneName(t *testing.T) {
	w := newWorld(t)
	w.fake.Set("b", "x", "the file")
	w.fake.Set("b", "x/y", "below")
	res := w.fails(1, true, "s3://b", "out")
	require.EqualValues(t, 1, res.Copied)
	require.Len(t, w.files("out"), 1, "which comes first is left open")

	require.NoError(t, os.MkdirAll(w.path("other/x"), 0o777))
	w.write("other/x/keep", "kept")
	res = w.fails(1, true, "s3://b", "other")
	require.Contains(t, res.Failures[0].Error(), "is a directory here")
	require.Equal(t, map[string]string{"x/keep": "kept", "x/y": "below"}, w.files("other"))
}

func TestDestinations(t *testing.T) {
	for _, c := range []struct {
		from, to string
		rec      bool
		want     string
	}{
		{"f.txt", "s3://b", false, "f.txt"},
		{"f.txt", "s3://b/", false, "f.txt"},
		{"f.txt", "s3://b/k", false, "k"},
		{"f.txt", "s3://b/d/", false, "d/f.txt"},
		{"dir", "s3://b/d", true, "d/in"},
		{"dir", "s3://b", true, "in"},
	} {
		w := newWorld(t)
		w.write("f.txt", "1")
		w.write("dir/in", "2")
		w.cp(c.rec, c.from, c.to)
		require.Equal(t, []string{c.want}, w.fake.Keys("b"), "%+v", c)
	}
	for _, c := range []struct {
		from, to string
		rec      bool
		want     []string
	}{
		{"s3://b/d/k", "new", false, []string{"new"}},
		{"s3://b/d/k", "new/", false, []string{"new/k"}},
		{"s3://b/d/k", "old", false, []string{"old/k"}},
		{"s3://b/d", "new", true, []string{"new/e/m", "new/k"}},
		{"s3://b/d*", "new", true, []string{"new/d/e/m", "new/d/k", "new/dx"}},
		{"s3://b/d*", "new", false, []string{"new/dx"}},
		{"s3://b/**/?", "new", false, []string{"new/d/e/m", "new/d/k"}},
	} {
		w := newWorld(t)
		require.NoError(t, os.MkdirAll(w.path("old"), 0o777))
		for _, key := range []string{"d/k", "d/e/m", "dx", "z"} {
			w.fake.Set("b", key, key)
		}
		w.cp(c.rec, c.from, c.to)
		var got []string
		for name := range w.files("") {
			got = append(got, name)
		}
		slices.Sort(got)
		require.Equal(t, c.want, got, "%+v", c)
	}
}

func TestWrongPlansAreRefused(t *testing.T) {
	w := newWorld(t)
	w.write("f", "x")
	for _, c := range [][]string{
		{"f", "g"}, {"s3://b/", "out"}, {"s3://b", "out"}, {"f", "f", "s3://b/key"}, {"f", "s3://b/k?versionId=1"},
	} {
		err := w.plan(false, c...).Check()
		var u *transfer.UsageError
		require.ErrorAs(t, err, &u, "%q", c)
	}
	for _, c := range [][]string{{"s3://b/a", "s3://b/a/copy/"}, {"s3://b", "s3://b/x/"}, {"s3://b/a/", "s3://b/a/"}} {
		require.Error(t, w.plan(true, c...).Check(), "%q", c)
	}
	require.NoError(t, w.plan(true, "s3://b/a", "s3://b/ab/").Check())
	p := w.plan(false, "s3://b/k", "s3://b/k")
	p.Move = true
	require.ErrorContains(t, p.Check(), "at once")
	w.fake.Set("b", "k", "x")
	res := w.fails(1, false, "s3://b/k", "s3://b/k")
	require.Contains(t, res.Failures[0].Error(), "source and destination")
	require.NotNil(t, w.fake.Get("b", "k"))
}

func TestRules(t *testing.T) {
	w := newWorld(t)
	for _, key := range []string{"a.jpg", "d/b.jpg", "d/c.txt", "d/keep.txt"} {
		w.fake.Set("b", key, key)
	}
	p := w.plan(true, "s3://b", "out")
	p.Rules = transfer.Rules{{Pattern: "*"}, {Include: true, Pattern: "*.jpg"}, {Include: true, Pattern: "d/k*"}}
	_, err := w.run(p)
	require.NoError(t, err)
	require.Len(t, w.files("out"), 3)
}

func TestMoves(t *testing.T) {
	w := newWorld(t)
	w.write("in/a", text(5500))
	w.write("in/b", "b")
	move := func(recursive bool, places ...string) {
		p := w.plan(recursive, places...)
		p.Move = true
		res, err := w.run(p)
		require.NoError(t, err)
		require.Zero(t, res.Failed, "%v", res.Failures)
	}
	move(true, "in", "s3://b/one/")
	require.Empty(t, w.files("in"))
	move(true, "s3://b/one", "s3://c/two/")
	require.Empty(t, w.fake.Keys("b"))
	move(true, "s3://c/two", "out")
	require.Empty(t, w.fake.Keys("c"))
	require.Equal(t, map[string]string{"a": text(5500), "b": "b"}, w.files("out"))
}

// A large object is copied in parts, with its headers and tags.
func TestLargeCopies(t *testing.T) {
	w := newWorld(t)
	w.write("big", text(9999))
	w.o.Headers = transfer.Headers{ContentType: "text/x", Metadata: map[string]string{"k": "v"}, Tags: "a=1&b=2"}
	w.cp(false, "big", "s3://b/big")
	w.o.Headers = transfer.Headers{}
	w.cp(false, "s3://b/big", "s3://c/big one")
	got := w.fake.Get("c", "big one")
	require.Equal(t, text(9999), string(got.Body))
	require.Equal(t, "text/x", got.Header.Get("Content-Type"))
	require.Equal(t, "v", got.Header.Get("x-amz-meta-k"))
	require.Equal(t, "a=1&b=2", got.Tags)
	require.Contains(t, got.ETag, "-5")
}

func TestPipes(t *testing.T) {
	for _, n := range []int{0, 1, partSize - 1, partSize, partSize + 1, 12345} {
		w := newWorld(t)
		to := w.place("s3://b/piped")
		got, err := w.engine().Put(t.Context(), strings.NewReader(text(n)), to)
		require.NoError(t, err)
		require.EqualValues(t, n, got)
		require.Equal(t, text(n), string(w.fake.Get("b", "piped").Body))
		var out bytes.Buffer
		got, err = w.engine().Get(t.Context(), to, &out)
		require.NoError(t, err)
		require.EqualValues(t, n, got)
		require.Equal(t, text(n), out.String())
	}
	w := newWorld(t)
	_, err := w.engine().Put(t.Context(), io.MultiReader(strings.NewReader(text(2500)), failing{}), w.place("s3://b/cut"))
	require.ErrorContains(t, err, "the pipe broke")
	n, _ := w.fake.Uploads()
	require.Zero(t, n)
	require.Nil(t, w.fake.Get("b", "cut"))
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, fmt.Errorf("the pipe broke") }

// Bytes that are not those that were stored do not become a file.
func TestSpoiledBytesAreFound(t *testing.T) {
	for _, plain := range []bool{false, true} {
		for _, n := range []int{500, 4500} {
			w := newWorld(t)
			w.fake.Plain = plain
			w.fake.Set("b", "k", text(n))
			w.fake.Spoil("b", "k", n/2)
			w.write("out/k", "as it was")
			res := w.fails(1, false, "s3://b/k", "out/k")
			require.Contains(t, res.Failures[0].Error(), "not those that were stored")
			require.Equal(t, map[string]string{"k": "as it was"}, w.files("out"))
			_, err := w.engine().Get(t.Context(), w.place("s3://b/k"), io.Discard)
			require.ErrorContains(t, err, "not those that were stored")
		}
	}
}

// An endpoint that fails now and then, or cuts connections, is asked again.
func TestTroubleIsSatOut(t *testing.T) {
	w := newWorld(t)
	w.write("in/big", text(7777))
	w.write("in/small", text(77))
	var mu sync.Mutex
	tried := map[string]int{}
	w.fake.Fault = func(rw http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		what := r.Method + r.URL.String() + r.Header.Get("Range")
		tried[what]++
		n := tried[what]
		mu.Unlock()
		switch n % 3 {
		case 1:
			rw.WriteHeader(http.StatusInternalServerError)
			return true
		case 2:
			panic(http.ErrAbortHandler)
		}
		return false
	}
	w.cp(true, "in", "s3://b")
	w.cp(true, "s3://b", "out")
	require.Equal(t, map[string]string{"big": text(7777), "small": text(77)}, w.files("out"))
}

// A body that ends too early is fetched from where it ended.
func TestShortBodies(t *testing.T) {
	w := newWorld(t)
	w.fake.Set("b", "k", text(950))
	var cut atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && cut.Add(1) <= 3 {
			rec := httptest.NewRecorder()
			w.fake.ServeHTTP(rec, r)
			for name, v := range rec.Header() {
				rw.Header()[name] = v
			}
			rw.WriteHeader(rec.Code)
			_, _ = rw.Write(rec.Body.Bytes()[:100])
			_ = http.NewResponseController(rw).Flush()
			panic(http.ErrAbortHandler)
		}
		w.fake.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	var err error
	w.store, err = transfer.Open(t.Context(), transfer.Endpoint{URL: server.URL, AccessKey: "a", SecretKey: "s",
		PauseMax: time.Millisecond})
	require.NoError(t, err)
	w.cp(false, "s3://b/k", "out/k")
	require.Equal(t, text(950), w.files("out")["k"])
}

// A source that changes while it is read is never taken for what it was.
func TestChangingSources(t *testing.T) {
	w := newWorld(t)
	w.write("big", text(6000))
	var once atomic.Bool
	w.fake.Fault = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && !once.Swap(true) {
			w.write("big", text(6100))
		}
		return false
	}
	res := w.fails(1, false, "big", "s3://b/big")
	require.Contains(t, res.Failures[0].Error(), "changed while it was read")
	require.Nil(t, w.fake.Get("b", "big"))
	n, _ := w.fake.Uploads()
	require.Zero(t, n)

	w = newWorld(t)
	w.fake.Set("b", "big", text(6000))
	w.fake.Fault = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.Header.Get("Range"), "bytes=2000-") {
			w.fake.Set("b", "big", strings.ToUpper(text(6000)))
		}
		return false
	}
	res = w.fails(1, false, "s3://b/big", "out/big")
	require.Contains(t, res.Failures[0].Error(), "it changed meanwhile")
	require.Empty(t, w.files("out"))
}

// interrupted runs a copy whose context ends when a request is the n-th of its kind.
func (w *world) interrupted(n int64, is func(*http.Request) bool, places ...string) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	var seen atomic.Int64
	w.fake.Fault = func(_ http.ResponseWriter, r *http.Request) bool {
		if is(r) && seen.Add(1) == n {
			cancel()
			_, _ = io.Copy(io.Discard, r.Body) // Only then the server notices that nobody waits.
			<-r.Context().Done()
			return true
		}
		return false
	}
	o := w.o
	o.Parallel = 1
	e := transfer.New(w.store, o)
	defer e.Close()
	_, err := e.Run(ctx, w.store.PlanCopy(ctx, w.plan(false, places...)))
	require.ErrorIs(w.t, err, context.Canceled)
	w.fake.Fault = nil
}

func TestUploadsAreTakenUp(t *testing.T) {
	w := newWorld(t)
	w.write("big", text(9500))
	part := func(r *http.Request) bool { return r.URL.Query().Get("partNumber") != "" }
	w.interrupted(5, part, "big", "s3://b/big")
	_, parts := w.fake.Uploads()
	require.Equal(t, 4, parts)
	before := w.fake.Calls("PUT partNumber")
	res := w.cp(false, "big", "s3://b/big")
	require.EqualValues(t, 4*partSize, res.Resumed)
	require.Equal(t, before+6, w.fake.Calls("PUT partNumber"), "the parts that are there are not sent again")
	require.Equal(t, text(9500), string(w.fake.Get("b", "big").Body))

	// The file is another one now: begin again, and leave nothing of the first upload.
	w.interrupted(5, part, "big", "s3://b/big")
	w.write("big", strings.ToUpper(text(9500)))
	require.NoError(t, os.Chtimes(w.path("big"), time.Time{}, time.Unix(1e9, 0)))
	res = w.cp(false, "big", "s3://b/big")
	require.Zero(t, res.Resumed)
	require.Equal(t, strings.ToUpper(text(9500)), string(w.fake.Get("b", "big").Body))
	n, _ := w.fake.Uploads()
	require.Zero(t, n)
}

// Whoever changes a file and its time back does not get a mix: the parts are compared.
func TestPartsAreComparedWhenTakenUp(t *testing.T) {
	w := newWorld(t)
	w.write("big", text(9500))
	at := time.Unix(1e9, 0)
	require.NoError(t, os.Chtimes(w.path("big"), at, at))
	w.interrupted(5, func(r *http.Request) bool { return r.URL.Query().Get("partNumber") != "" }, "big", "s3://b/big")
	w.write("big", strings.ToUpper(text(9500)))
	require.NoError(t, os.Chtimes(w.path("big"), at, at))
	w.cp(false, "big", "s3://b/big")
	require.Equal(t, strings.ToUpper(text(9500)), string(w.fake.Get("b", "big").Body))
}

func TestCopiesAreTakenUp(t *testing.T) {
	w := newWorld(t)
	w.fake.Set("b", "big", text(9500))
	part := func(r *http.Request) bool { return r.URL.Query().Get("partNumber") != "" }
	w.interrupted(3, part, "s3://b/big", "s3://c/big")
	res := w.cp(false, "s3://b/big", "s3://c/big")
	require.EqualValues(t, 4000, res.Resumed)
	require.Equal(t, text(9500), string(w.fake.Get("c", "big").Body))
}

func TestDownloadsAreTakenUp(t *testing.T) {
	w := newWorld(t)
	w.fake.Set("b", "big", text(9500))
	ranged := func(r *http.Request) bool { return r.Header.Get("Range") != "" }
	w.interrupted(5, ranged, "s3://b/big", "out/big")
	require.NoFileExists(t, w.path("out/big"))
	res := w.cp(false, "s3://b/big", "out/big")
	require.EqualValues(t, 4*partSize, res.Resumed)
	require.Equal(t, map[string]string{"big": text(9500)}, w.files("out"))

	// The object is another one now.
	w.interrupted(5, ranged, "s3://b/big", "out/big")
	w.fake.Set("b", "big", strings.ToUpper(text(9500)))
	res = w.cp(false, "s3://b/big", "out/big")
	require.Zero(t, res.Resumed)
	require.Equal(t, map[string]string{"big": strings.ToUpper(text(9500))}, w.files("out"))

	// What was written is not what it was: it is found, and the next run begins anew.
	w.interrupted(5, ranged, "s3://b/big", "out/new")
	for name := range w.files("out") {
		if strings.HasSuffix(name, ".part") {
			f, err := os.OpenFile(w.path("out/"+name), os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = f.WriteAt([]byte("?"), 10)
			require.NoError(t, err)
			require.NoError(t, f.Close())
		}
	}
	w.fails(1, false, "s3://b/big", "out/new")
	w.cp(false, "s3://b/big", "out/new")
	require.Len(t, w.files("out"), 2)
}

func TestLocalOddities(t *testing.T) {
	w := newWorld(t)
	w.write("in/file", "x")
	w.write("far/away", "y")
	require.NoError(t, os.Symlink("file", w.path("in/link")))
	require.NoError(t, os.Symlink("nowhere", w.path("in/broken")))
	require.NoError(t, os.Symlink("../far", w.path("in/linked dir")))
	require.NoError(t, os.Symlink(".", w.path("in/loop")))
	res := w.fails(1, true, "in", "s3://b")
	require.Contains(t, res.Failures[0].Error()+res.Failures[1].Error()+res.Failures[2].Error(), "broken")
	require.EqualValues(t, 2, res.Skipped)
	require.Equal(t, []string{"file", "link"}, w.fake.Keys("b"))
	require.NoError(t, os.MkdirAll(w.path("none"), 0o777))
	w.cp(true, "none", "s3://c")
	w.fails(1, false, "missing", "s3://b")
	w.fails(1, false, "s3://b/missing", "out")
	w.fails(1, true, "s3://b/missing/", "out")
}

func TestRemoves(t *testing.T) {
	w := newWorld(t)
	w.fake.PageMax = 100
	keys := append(slices.Clone(names), "bad\x01key", "x/locked")
	for i := range 1500 {
		keys = append(keys, fmt.Sprintf("x/%04d", i))
	}
	for _, k := range keys {
		w.fake.Set("b", k, k)
	}
	w.fake.Set("b", "xy", "stays")
	rm := func(recursive bool, place string) transfer.Result {
		res, err := w.engine().Run(t.Context(), w.store.PlanRemove(t.Context(), []transfer.Location{w.place(place)},
			transfer.Selection{Recursive: recursive}))
		require.NoError(t, err)
		return res
	}
	res := rm(true, "s3://b/x")
	require.EqualValues(t, 1500, res.Deleted)
	require.EqualValues(t, 1, res.Failed)
	require.NotNil(t, w.fake.Get("b", "xy"))
	require.EqualValues(t, 1, rm(false, "s3://b/a/b/?").Deleted)
	require.EqualValues(t, 1, rm(false, "s3://b/bad\x01key").Deleted)
	rm(true, "s3://b")
	require.Equal(t, []string{"x/locked"}, w.fake.Keys("b"))
}

// A list that ends with an error ends the run with it, and an endpoint that is gone ends it too.
func TestRunsEnd(t *testing.T) {
	w := newWorld(t)
	_, err := w.run(w.plan(true, "s3://nowhere/x", "out"))
	require.ErrorContains(t, err, "NoSuchBucket")

	many := func(yield func(transfer.Task, error) bool) {
		for i := range 1000 {
			at := transfer.Location{Kind: transfer.Object, Bucket: "b", Key: fmt.Sprint(i)}
			if !yield(transfer.Task{From: at, To: transfer.Location{Path: w.dir}, Rel: "f", Size: 10}, nil) {
				return
			}
		}
	}
	gone := httptest.NewServer(w.fake)
	gone.Close()
	store, err := transfer.Open(t.Context(), transfer.Endpoint{URL: gone.URL, AccessKey: "a", SecretKey: "s",
		PauseMax: time.Microsecond})
	require.NoError(t, err)
	e := transfer.New(store, w.o)
	defer e.Close()
	res, err := e.Run(t.Context(), iter.Seq2[transfer.Task, error](many))
	require.ErrorContains(t, err, "does not answer")
	require.Less(t, res.Failed, int64(100))
}

func TestMeter(t *testing.T) {
	now := time.Unix(0, 0)
	m := transfer.NewMeter(func() time.Time { return now })
	for range 10 {
		m.Found(transfer.Task{Size: 100})
	}
	m.Moved(100)
	now = now.Add(time.Second)
	require.Zero(t, m.Counts().Left, "not all is found")
	m.AllFound()
	m.Moved(100)
	m.Ended(transfer.Task{}, nil)
	now = now.Add(time.Second)
	c := m.Counts()
	require.InDelta(t, 100, c.Rate, 1)
	require.Equal(t, 8*time.Second, c.Left.Round(time.Second))
	require.EqualValues(t, 10, c.Tasks)
}

func (w *world) sync(p transfer.SyncPlan, from, to string) (transfer.Result, error) {
	w.t.Helper()
	p.From, p.To = w.place(from), w.place(to)
	require.NoError(w.t, p.Check())
	return w.engine().Run(w.t.Context(), w.store.PlanSync(w.t.Context(), p))
}

func TestSync(t *testing.T) {
	w := newWorld(t)
	w.fake.PageMax = 3
	for _, name := range []string{"a", "a.b", "a-b", "d/x", "d/y", "d.z", "e"} {
		w.write("in/"+name, name)
	}
	w.fake.Set("b", "p/d/old", "old")
	w.fake.Set("b", "p/0", "old")
	w.fake.Set("b", "p/zz", "old")
	w.fake.Set("b", "q", "not below")
	expect := func(p transfer.SyncPlan, from, to string, copied, deleted, skipped int64) {
		t.Helper()
		res, err := w.sync(p, from, to)
		require.NoError(t, err)
		require.Zero(t, res.Failed, "%v", res.Failures)
		require.Equal(t, []int64{copied, deleted, skipped}, []int64{res.Copied, res.Deleted, res.Skipped})
	}
	past := time.Unix(1e9, 0)
	for name := range w.files("in") {
		require.NoError(t, os.Chtimes(w.path("in/"+name), past, past))
	}
	all := transfer.SyncPlan{Delete: true}
	expect(transfer.SyncPlan{}, "in", "s3://b/p", 7, 0, 0)
	expect(transfer.SyncPlan{Delete: true, Rules: transfer.Rules{{Pattern: "zz"}}}, "in", "s3://b/p", 0, 2, 7)
	expect(all, "in", "s3://b/p/", 0, 1, 7)
	expect(all, "s3://b/p", "out", 7, 0, 0)
	expect(all, "s3://b/p", "out", 0, 0, 7)
	require.Equal(t, w.files("in"), w.files("out"))
	expect(all, "s3://b/p", "s3://c", 7, 0, 0)
	expect(all, "s3://b/p", "s3://c", 0, 0, 7)
	w.write("in/d/x", "changed")
	w.write("out/d/extra", "extra")
	expect(all, "in", "s3://b/p", 1, 0, 6)
	expect(all, "s3://b/p", "out", 1, 1, 6)
	require.Equal(t, w.files("in"), w.files("out"))
	require.NotNil(t, w.fake.Get("b", "q"))
}

// What could not be read is no reason to delete anything.
func TestSyncDeletesNothingByMistake(t *testing.T) {
	w := newWorld(t)
	w.fake.Set("b", "p/keep", "x")
	w.fake.Set("b", "p/broken", "x")
	w.write("in/f", "f")
	require.NoError(t, os.Symlink("nowhere", w.path("in/broken")))
	res, err := w.sync(transfer.SyncPlan{Delete: true}, "in", "s3://b/p")
	require.NoError(t, err)
	require.EqualValues(t, 2, res.Failed)
	require.Zero(t, res.Deleted)
	require.Len(t, w.fake.Keys("b"), 3)

	res, err = w.sync(transfer.SyncPlan{Delete: true}, "nowhere", "s3://b/p")
	require.NoError(t, err)
	require.EqualValues(t, 1, res.Failed)
	res, err = w.sync(transfer.SyncPlan{Delete: true}, "s3://c/nothing", "s3://b/p")
	require.NoError(t, err)
	require.EqualValues(t, 1, res.Failed)
	_, err = w.sync(transfer.SyncPlan{Delete: true}, "s3://missing/x", "s3://b/p")
	require.ErrorContains(t, err, "NoSuchBucket")
	require.Len(t, w.fake.Keys("b"), 3)
	for _, c := range [][2]string{{"s3://b/p", "s3://b/p/q"}, {"s3://b/p/q", "s3://b/p"}, {"in", "out"},
		{"in/f", "s3://b"}} {
		require.Error(t, transfer.SyncPlan{From: w.place(c[0]), To: w.place(c[1])}.Check(), "%q", c)
	}
}

func TestFingerprint(t *testing.T) {
	w := newWorld(t)
	print := func(place string) string {
		f, err := w.store.Fingerprint(t.Context(), w.place(place), transfer.Rules{{Pattern: "x*"}})
		require.NoError(t, err)
		return f
	}
	w.write("in/a", "1")
	w.fake.Set("b", "a", "1")
	local, remote := print("in"), print("s3://b")
	w.write("in/xyz", "left out")
	require.Equal(t, local, print("in"))
	require.Equal(t, remote, print("s3://b"))
	w.write("in/b", "1")
	w.fake.Set("b", "a", "2")
	require.NotEqual(t, local, print("in"))
	require.NotEqual(t, remote, print("s3://b"))
}

// What is no regular file is written into where it was named itself, and left alone where a key names it.
func TestPipesAndLinksAreNotReplaced(t *testing.T) {
	w := newWorld(t)
	w.fake.Set("b", "d/pipe", text(2500))
	w.fake.Set("b", "d/out", "evil")
	w.write("far/file", "far")
	require.NoError(t, os.MkdirAll(w.path("in"), 0o777))
	require.NoError(t, unix.Mkfifo(w.path("in/pipe"), 0o600))
	require.NoError(t, os.Symlink("pipe", w.path("in/link to pipe")))
	require.NoError(t, os.Symlink("../far/file", w.path("in/out")))
	w.fails(2, true, "s3://b/d", "in")
	require.Equal(t, map[string]string{"file": "far"}, w.files("far"))

	for _, name := range []string{"in/pipe", "in/link to pipe"} {
		came := make(chan string, 1)
		go func() {
			body, _ := os.ReadFile(w.path(name))
			came <- string(body)
		}()
		w.cp(false, "s3://b/d/pipe", name)
		require.Equal(t, text(2500), <-came)
	}
	info, err := os.Lstat(w.path("in/pipe"))
	require.NoError(t, err)
	require.Equal(t, os.ModeNamedPipe, info.Mode().Type())
	link, err := os.Readlink(w.path("in/link to pipe"))
	require.NoError(t, err)
	require.Equal(t, "pipe", link)

	w.cp(false, "s3://b/d/pipe", "in/out")
	require.Equal(t, map[string]string{"file": text(2500)}, w.files("far"), "a link that is named is followed")
	link, err = os.Readlink(w.path("in/out"))
	require.NoError(t, err)
	require.Equal(t, "../far/file", link)
}

// A body that hangs is asked for anew, and one that always hangs fails by itself.
func TestBodiesThatHang(t *testing.T) {
	w := newWorld(t)
	w.fake.Set("b", "k", text(950))
	w.fake.Set("b", "good", "good")
	var hangs atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/k") && hangs.Add(-1) >= 0 {
			rw.Header().Set("ETag", `"`+w.fake.Get("b", "k").ETag+`"`)
			if from, _, ranged := strings.Cut(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-"); ranged {
				rw.Header().Set("Content-Range", "bytes "+from+"-949/950")
				rw.WriteHeader(http.StatusPartialContent)
			} else {
				rw.Header().Set("Content-Length", "950")
			}
			_ = http.NewResponseController(rw).Flush()
			<-r.Context().Done()
			return
		}
		w.fake.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	var err error
	w.store, err = transfer.Open(t.Context(), transfer.Endpoint{URL: server.URL, AccessKey: "a", SecretKey: "s",
		PauseMax: time.Millisecond, Stall: 50 * time.Millisecond})
	require.NoError(t, err)
	hangs.Store(2)
	w.cp(false, "s3://b/k", "out/k")
	require.Equal(t, text(950), w.files("out")["k"])
	hangs.Store(1000)
	res := w.fails(1, true, "s3://b", "other")
	require.Contains(t, res.Failures[0].Error(), "sent nothing for 50ms")
	require.Equal(t, map[string]string{"good": "good"}, w.files("other"))
}
