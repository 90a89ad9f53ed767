package main

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/tools/transfer/transfertest"
)

// What changes while sync --watch runs is brought over, and what goes is deleted.
func TestSyncWatches(t *testing.T) {
	fake := &transfertest.Fake{}
	fake.Make("b")
	server := httptest.NewServer(fake)
	defer server.Close()
	home, in := t.TempDir(), t.TempDir()
	for name, v := range map[string]string{"HOME": home, "XDG_CACHE_HOME": home, "XDG_CONFIG_HOME": home,
		"CAIRN_ENDPOINT": server.URL, "CAIRN_ACCESS_KEY": "a", "CAIRN_SECRET_KEY": "s", "CAIRN_PROFILE": ""} {
		t.Setenv(name, v)
	}
	write := func(name, body string) {
		require.NoError(t, os.WriteFile(filepath.Join(in, name), []byte(body), 0o666))
	}
	body := func(key string) string {
		if o := fake.Get("b", key); o != nil {
			return string(o.Body)
		}
		return "none"
	}
	write("first", "1")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"sync", "--watch", "--delete", "--interval", "100ms", in, "s3://b/x"})
	}()
	is := func(key, want string) {
		t.Helper()
		require.Eventually(t, func() bool { return body(key) == want }, 3*time.Minute, 10*time.Millisecond)
	}
	is("x/first", "1")
	write("second", "2")
	is("x/second", "2")
	write("first", "changed")
	is("x/first", "changed")
	require.NoError(t, os.Remove(filepath.Join(in, "second")))
	is("x/second", "none")
	cancel()
	// The store has ended the deletion, and the round that asked for it perhaps not yet.
	require.Contains(t, []int{exitOK, exitInterrupted}, <-ended)
}
