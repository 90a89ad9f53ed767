package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/node"
)

// running notes a dev cluster in a directory of its own, which this process holds.
func running(t *testing.T, endpoint string) devState {
	s := devState{target: target{Endpoint: endpoint, AccessKey: "ak", SecretKey: "of " + endpoint},
		Endpoints: []string{endpoint, endpoint + "1"}, PID: os.Getpid(), Dir: t.TempDir()}
	unlock, err := lockDir(s.Dir)
	require.NoError(t, err)
	t.Cleanup(unlock)
	remove, err := writeDevState(s)
	require.NoError(t, err)
	t.Cleanup(remove)
	return s
}

// Of two dev clusters none gets commands that were meant for the other.
func TestTwoDevClusters(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(home, "cache"))
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(home, "config"))
	for _, name := range []string{"CAIRN_ENDPOINT", "CAIRN_ACCESS_KEY", "CAIRN_SECRET_KEY", "CAIRN_CA_FILE", "CAIRN_PROFILE"} {
		t.Setenv(name, "")
	}
	one := running(t, "http://127.0.0.1:1")
	var to target
	require.NoError(t, to.resolve())
	require.Equal(t, one.target, to)

	two := running(t, "http://127.0.0.1:2")
	to = target{}
	require.ErrorContains(t, to.resolve(), "2 dev clusters run: say which one")
	to = target{Endpoint: "http://127.0.0.1:21/"}
	require.NoError(t, to.resolve())
	require.Equal(t, two.SecretKey, to.SecretKey, "any endpoint of it names it")
	require.Equal(t, "http://127.0.0.1:21/", to.Endpoint)
	to = target{Endpoint: "http://127.0.0.1:3"}
	require.ErrorContains(t, to.resolve(), "no credentials", "it is no dev cluster")

	// A file that was left behind is none: its process is there, but not its lock.
	stale := devState{target: target{Endpoint: "http://127.0.0.1:9", AccessKey: "a", SecretKey: "b"}, PID: os.Getpid(), Dir: t.TempDir()}
	_, err := writeDevState(stale)
	require.NoError(t, err)
	require.Len(t, runningDevs(), 2)
	dir, err := devStateDir()
	require.NoError(t, err)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
}

// The well-known secret is for this machine alone.
func TestDevSecret(t *testing.T) {
	dir := t.TempDir()
	for _, host := range []string{"127.0.0.1", "localhost", "::1", "127.9.9.9"} {
		got, err := devSecret(dir, host)
		require.NoError(t, err)
		require.Equal(t, node.DevPassword, got, host)
	}
	for _, host := range []string{"", "0.0.0.0", "::", "192.0.2.1", "example.com"} {
		got, err := devSecret(dir, host)
		require.NoError(t, err)
		require.NotEqual(t, node.DevPassword, got, host)
		require.Len(t, got, 26)
		again, err := devSecret(dir, host)
		require.NoError(t, err)
		require.Equal(t, got, again)
	}
	info, err := os.Stat(filepath.Join(dir, "secret"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

// A server is not started by a setting that is misspelt.
func TestMisspeltVariables(t *testing.T) {
	c := newServer()
	check := func(env ...string) error { return node.CheckEnv(c.Flags(), env) }
	err := check("CAIRN_ROOT_PASWORD=x", "CAIRN_SCRUB_INTERVALL=1h", "PATH=/bin")
	require.ErrorContains(t, err, "CAIRN_ROOT_PASWORD is no setting: did you mean CAIRN_ROOT_PASSWORD?")
	require.ErrorContains(t, err, "CAIRN_SCRUB_INTERVALL is no setting: did you mean CAIRN_SCRUB_INTERVAL?")
	require.NotContains(t, err.Error(), "=x", "a value may be a secret")
	require.ErrorContains(t, check("CAIRN_SOMETHING_ELSE="), "CAIRN_SOMETHING_ELSE is no setting (")
	require.NoError(t, check("CAIRN_ENDPOINT=x", "CAIRN_SECRET_KEY=x", "CAIRN_CONFIG=x", "CAIRN_ROOT_USER=x", "CAIRNX=1",
		"CAIRN_SERVICE_HOST=10.0.0.1", "CAIRN_SERVICE_PORT_S3=1", "CAIRN_S3_SERVICE_PORT=1", "CAIRN_PORT=tcp://x", "CAIRN_PORT_9000_TCP_ADDR=x",
		"CAIRN_HEADLESS_PORT_9001_TCP=x"))
	for _, v := range strings.Fields("CAIRN_PORTS=1 CAIRN_SERVICE=1") {
		require.Error(t, check(v), v)
	}
}
