package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProxied(t *testing.T) {
	root := t.TempDir()
	text := `package a

var t = http.DefaultTransport.(*http.Transport).Clone()

func f() {
	_, _ = http.Get("http://h")
	_ = &http.Client{Timeout: time.Second}
	_ = &http.Client{Transport: rpc.Outbound()}
	_ = http.Header{}
	_ = store.Get("http://h")
}
`
	for _, path := range []string{"node/a.go", "node/a_test.go", "tools/a.go", outbound} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, filepath.Dir(path)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, path), []byte(text), 0o644))
	}
	breaches, err := proxied(root)
	require.NoError(t, err)
	require.Len(t, breaches, 3, "%q", breaches)
	for i, at := range []string{"node/a.go:3: http.Default", "node/a.go:6: http.Get", "node/a.go:7: an http.Client"} {
		require.True(t, strings.HasPrefix(breaches[i], filepath.Join(root, at)), breaches[i])
	}
}
