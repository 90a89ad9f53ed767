package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func testWorld(t *testing.T, endpoint string) *world {
	c := &config{endpoint: endpoint, region: "us-east-1", main: credentials{access: "a", secret: "s"}}
	h, err := c.httpClient()
	require.NoError(t, err)
	w, err := newWorld(c, h)
	require.NoError(t, err)
	t.Cleanup(h.CloseIdleConnections)
	return w
}

// TestRemoveAll: a bucket is emptied page by page, whatever cannot be deleted there.
func TestRemoveAll(t *testing.T) {
	left := map[string][]string{"uploads": {"a 1", "b 1", "b 2", "c 1"},
		"versions": {"a 1", "a 2", "kept 1", "kept 2", "z 1"}}
	bucket := true
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, key := r.URL.Query(), strings.TrimPrefix(r.URL.Path, "/b/")
		if r.Method == http.MethodDelete {
			if key == "/b" {
				bucket = false
				return
			}
			for list, id := range map[string]string{"uploads": q.Get("uploadId"), "versions": q.Get("versionId")} {
				if id != "" && key != "kept" {
					left[list] = slices.DeleteFunc(left[list], func(s string) bool { return s == key+" "+id })
				}
			}
			return
		}
		list, of, id := "uploads", "Upload", "upload-id-marker"
		if q.Has("versions") {
			list, of, id = "versions", "Version", "version-id-marker"
		}
		const page = 2
		after := strings.TrimSpace(q.Get("key-marker") + " " + q.Get(id))
		_, _ = fmt.Fprint(w, "<Result>")
		sent := 0
		for _, s := range left[list] {
			if s <= after {
				continue
			}
			key, n, _ := strings.Cut(s, " ")
			if sent++; sent > page {
				_, _ = fmt.Fprintf(w, "<IsTruncated>true</IsTruncated>")
				break
			}
			_, _ = fmt.Fprintf(w, "<%s><Key>%s</Key><%sId>%s</%sId></%s>", of, key, of, n, of, of)
			_, _ = fmt.Fprintf(w, "<NextKeyMarker>%s</NextKeyMarker><Next%sIdMarker>%s</Next%sIdMarker>", key, of, n, of)
		}
		_, _ = fmt.Fprint(w, "</Result>")
	}))
	t.Cleanup(s.Close)
	w := testWorld(t, s.URL)
	w.buckets = []string{"b"}
	w.removeAll()
	require.Empty(t, left["uploads"])
	require.Equal(t, []string{"kept 1", "kept 2"}, left["versions"])
	require.False(t, bucket, "the bucket was not deleted")
}

// TestSettingsArePutBack: what was set for the cluster is set again, and nothing else is.
func TestSettingsArePutBack(test *testing.T) {
	for source, back := range map[string]string{
		"cluster": "config set copy-part-etag its-own",
		"node":    "config reset copy-part-etag",
		"default": "config reset copy-part-etag",
	} {
		dir := test.TempDir()
		said := filepath.Join(dir, "said")
		admin := filepath.Join(dir, "admin")
		script := fmt.Sprintf("#!/bin/sh\necho \"$*\" >>%q\necho warning >&2\n"+
			"[ $2 != get ] || echo '{\"settings\": [{\"value\": \"its-own\", \"source\": \"%s\"}]}'\n", said, source)
		require.NoError(test, os.WriteFile(admin, []byte(script), 0o700))
		w := testWorld(test, "http://127.0.0.1:1")
		w.admin = admin
		var during string
		result, why := runCase(w, testCase{name: "case", run: func(c *t) {
			defer c.setting("copy-part-etag", "md5")()
			b, err := os.ReadFile(said)
			require.NoError(test, err)
			during = string(b)
			c.fatalf("it ends early")
		}})
		require.Equal(test, failed, result)
		require.Contains(test, why, "it ends early")
		require.True(test, strings.HasSuffix(during, "\nconfig set copy-part-etag md5\n"), during)
		b, err := os.ReadFile(said)
		require.NoError(test, err)
		require.Equal(test, during+back+"\n", string(b), source)
	}
}
