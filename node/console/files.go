package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// web is the page, as it is in the tree.
//
//go:embed all:web
var web embed.FS

// file is one file of the page.
type file struct {
	kind         string // The media type.
	tag          string
	plain, gzipd []byte
}

// kinds are the media types of the page's files; others are text.
var kinds = map[string]string{".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}

// load returns the files by their paths, each compressed once.
func load() map[string]*file {
	out := map[string]*file{}
	err := fs.WalkDir(web, "web", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		plain, err := web.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(plain)
		f := &file{kind: kinds[path.Ext(name)], tag: `"` + hex.EncodeToString(sum[:16]) + `"`, plain: plain}
		if f.kind == "" {
			f.kind = "text/plain; charset=utf-8"
		}
		var b bytes.Buffer
		z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
		_, _ = z.Write(plain)
		_ = z.Close()
		f.gzipd = b.Bytes()
		out[strings.TrimPrefix(name, "web")] = f
		return nil
	})
	if err != nil {
		panic("console: " + err.Error()) // The files are part of the program.
	}
	out["/"] = out["/index.html"]
	return out
}

// serveFile answers with a file of the page.
func (h *handler) serveFile(w http.ResponseWriter, r *http.Request) {
	f := h.files[r.URL.Path]
	if f == nil {
		refuse(w, http.StatusNotFound, "there is no such file; the console is at /")
		return
	}
	h.pageHeaders(w, r)
	header := w.Header()
	header.Set("Content-Type", f.kind)
	header.Set("Cache-Control", "no-cache")
	header.Set("ETag", f.tag)
	header.Set("Vary", "Accept-Encoding")
	if r.Header.Get("If-None-Match") == f.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := f.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		header.Set("Content-Encoding", "gzip")
		body = f.gzipd
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}
