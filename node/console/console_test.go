package console

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api"
)

// maxPage is what a browser loads at most, compressed.
const maxPage = 300 << 10

// hostile is an S3 handler whose objects are pages that mean harm. It notes what reaches it.
type hostile struct{ got *http.Request }

func (h *hostile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.got = r
	for name, value := range map[string]string{"Content-Type": "text/html",
		"Content-Disposition": "inline", "Content-Security-Policy": "default-src *",
		"Access-Control-Allow-Origin": "*", "Location": "https://example.com",
		"X-Content-Type-Options": "", "X-Amz-Meta-Kept": "1"} {
		w.Header().Set(name, value)
	}
	_, _ = w.Write([]byte("<script>alert(1)</script>"))
}

func newConsole(h http.Handler) http.Handler {
	return New(Config{S3: h, S3Scheme: "http", S3Port: "9000", Region: "us-east-1",
		Bucket: func(host string) string {
			b, ok := strings.CutSuffix(host, ".s3.example.com")
			if !ok {
				return ""
			}
			return b
		}})
}

func ask(h http.Handler, method, target string, header map[string]string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	r.Host = "node1.example.com:9004"
	for name, value := range header {
		if name == "Host" {
			r.Host = value
		} else {
			r.Header.Set(name, value)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestPage(t *testing.T) {
	h := newConsole(&hostile{})
	got := ask(h, "GET", "/", nil)
	require.Equal(t, 200, got.StatusCode)
	require.Equal(t, "text/html; charset=utf-8", got.Header.Get("Content-Type"))
	csp := got.Header.Get("Content-Security-Policy")
	require.Equal(t,
		"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' "+
			"http://node1.example.com:9000; "+
			"media-src http://node1.example.com:9000; frame-src 'none'; frame-ancestors 'none'; base-uri "+
			"'none'; form-action 'none'", csp)
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin"} {
		require.Equal(t, want, got.Header.Get(name))
	}
	require.Empty(t, got.Cookies())
	require.Equal(t, 304, ask(h, "GET", "/", map[string]string{"If-None-Match": got.Header.Get("ETag")}).StatusCode)
	require.Equal(t, "gzip", ask(h, "GET", "/app.js",
		map[string]string{"Accept-Encoding": "gzip"}).Header.Get("Content-Encoding"))
	require.Contains(t, ask(h, "GET", "/",
		map[string]string{"Host": "[::1]:9004"}).Header.Get("Content-Security-Policy"), "http://[::1]:9000")
	require.Equal(t, 404, ask(h, "GET", "/nothing", nil).StatusCode)
	require.Equal(t, 405, ask(h, "POST", "/", nil).StatusCode)
	require.Equal(t, 400, ask(h, "GET", "/",
		map[string]string{"Host": "a.example; script-src *"}).StatusCode, "a host that would change the policy")
	require.Equal(t, 421, ask(h, "GET", "/", map[string]string{"Host": "b.s3.example.com"}).StatusCode,
		"S3 would take the host for a bucket")
	var config map[string]string
	require.NoError(t, json.NewDecoder(ask(h, "GET", "/config.json", nil).Body).Decode(&config))
	require.Equal(t, map[string]string{"scheme": "http", "port": "9000", "region": "us-east-1"}, config)
}

func TestRefusals(t *testing.T) {
	signed := map[string]string{"Authorization": "AWS4-HMAC-SHA256 x", OwnHeader: "1"}
	with := func(name, value string) map[string]string {
		out := map[string]string{name: value}
		for k, v := range signed {
			if _, ok := out[k]; !ok {
				out[k] = v
			}
		}
		return out
	}
	for name, c := range map[string]struct {
		method, target string
		header         map[string]string
	}{
		"navigation":     {"GET", "/s3/b/page.html", nil},
		"only signed":    {"GET", "/s3/b/k", map[string]string{"Authorization": "AWS4-HMAC-SHA256 x"}},
		"only own":       {"GET", "/s3/b/k", map[string]string{OwnHeader: "1"}},
		"presigned":      {"GET", "/s3/b/k?X-Amz-Signature=a&X-Amz-Algorithm=b", signed},
		"presigned, V2":  {"GET", "/s3/b/k?AWSAccessKeyId=a&Signature=b", signed},
		"a form":         {"POST", "/s3/b", with("Content-Type", "multipart/form-data; boundary=x")},
		"customer key":   {"GET", "/s3/b/k", with("X-Amz-Server-Side-Encryption-Customer-Key", "x")},
		"customer copy":  {"PUT", "/s3/b/k", with("X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key", "x")},
		"preflight":      {"OPTIONS", "/s3/b/k", map[string]string{"Origin": "https://evil.example"}},
		"the bare s3":    {"GET", "/s3", nil},
		"wrong own mark": {"GET", "/s3/b/k", with(OwnHeader, "yes")},
	} {
		h := &hostile{}
		got := ask(newConsole(h), c.method, c.target, c.header)
		require.Equal(t, 403, got.StatusCode, name)
		require.Nil(t, h.got, "%s: it reached S3", name)
		require.Equal(t, "sandbox; default-src 'none'", got.Header.Get("Content-Security-Policy"), name)
	}
}

// What users have stored is handed over, and nothing of it can run or be read by other pages.
func TestPasses(t *testing.T) {
	h := &hostile{}
	c := newConsole(h)
	got := ask(c, "GET", "/s3/b/a%2Fb//c?versions", map[string]string{"Authorization": "x", OwnHeader: "1",
		"Origin": "http://node1.example.com:9004"})
	require.Equal(t, 200, got.StatusCode)
	require.Equal(t, "/b/a%2Fb//c", h.got.URL.EscapedPath(), "the path that was signed")
	require.Equal(t, "/b/a%2Fb//c?versions", h.got.RequestURI)
	require.Empty(t, h.got.Header.Get("Origin"))
	for name, want := range map[string]string{"Content-Security-Policy": "sandbox; default-src 'none'",
		"Content-Disposition":    "attachment",
		"X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "", "Location": "",
		"X-Amz-Meta-Kept": "1"} {
		require.Equal(t, want, got.Header.Get(name), name)
	}
	ask(c, "POST", "/s3/", map[string]string{"Authorization": "x", OwnHeader: "1",
		"Content-Type": "application/x-www-form-urlencoded"})
	require.Equal(t, "/", h.got.URL.Path, "STS is at the root")
	got = ask(c, "POST", s3api.AdminPrefix+"cairn.admin.v1.AdminService/Status", nil)
	require.Equal(t, s3api.AdminPrefix+"cairn.admin.v1.AdminService/Status", h.got.URL.Path)
	require.Equal(t, "nosniff", got.Header.Get("X-Content-Type-Options"))
}

func TestSize(t *testing.T) {
	total := 0
	for name, f := range load() {
		if name != "/" {
			total += len(f.gzipd)
		}
	}
	require.Less(t, total, maxPage)
	t.Logf("%d bytes", total)
}

// The libraries in the tree are those of the lock file, and no others.
func TestVendored(t *testing.T) {
	lock, err := os.ReadFile("vendor.lock")
	require.NoError(t, err)
	locked := map[string]string{}
	for line := range strings.Lines(string(lock)) {
		if f := strings.Fields(line); len(f) == 4 && f[0] != "#" {
			locked[f[2]] = f[3]
		}
	}
	require.NotEmpty(t, locked)
	for dir, prefix := range map[string]string{"web/vendor": "", "testdata": "testdata/"} {
		require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			text, err := os.ReadFile(filepath.Join(dir, name))
			require.NoError(t, err)
			sum := sha256.Sum256(text)
			require.Equal(t, locked[prefix+name], hex.EncodeToString(sum[:]), name)
			delete(locked, prefix+name)
			return nil
		}))
	}
	require.Empty(t, locked, "the tree lacks these")
}

// Every module that a module imports is served: the names of some begin with an underscore.
func TestImports(t *testing.T) {
	imports := regexp.MustCompile(`(?:from|import) "(\.[^"]+)"`)
	files := load()
	for name, f := range files {
		for _, m := range imports.FindAllSubmatch(f.plain, -1) {
			at := path.Join(path.Dir(name), string(m[1]))
			require.Contains(t, files, at, "%s imports it", name)
		}
	}
}

// The page's own code makes no markup of text, and runs none.
func TestNoMarkupOfText(t *testing.T) {
	forbidden := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|` +
		`dangerouslySetInnerHTML|\beval\(|new Function`)
	node, _ := exec.LookPath("node")
	require.NoError(t, fs.WalkDir(web, "web", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(name, "web/vendor") {
			return err
		}
		text, err := web.ReadFile(name)
		require.NoError(t, err)
		require.Empty(t, forbidden.Find(text), name)
		if strings.HasSuffix(name, ".html") {
			require.NotRegexp(t, `<script>|<style|\son[a-z]+=|javascript:`, string(text),
				"the policy allows nothing inline")
		}
		if node != "" && strings.HasSuffix(name, ".js") {
			check := exec.Command(node, "--check", "--input-type=module")
			check.Stdin = strings.NewReader(string(text))
			out, err := check.CombinedOutput()
			require.NoError(t, err, "%s: %s", name, out)
		}
		return nil
	}))
}
