//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
)

// TestFilesAreTheNodesOwn starts a node as carelessly as can be: with umask 0 and a data directory that
// everybody may read. Nobody else may read what it makes, and it must leave no core.
func TestFilesAreTheNodesOwn(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	c := startClusterWith(t, 1, options{prepare: func(p *process) {
		require.NoError(t, os.MkdirAll(p.Drives[0], 0o755))
	}})
	first := client(c.nodes[0])
	_, err := first.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: ptr("kept")})
	require.NoError(t, err)
	require.NoError(t, put(t.Context(), first, "kept", &object{key: "o", data: randomBytes(300 << 10)}))
	require.NoError(t, filepath.WalkDir(c.nodes[0].Drives[0], func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		return err
	}))
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", c.nodes[0].Pid()))
	require.NoError(t, err)
	require.Regexp(t, `Max core file size +1 +1 `, string(limits))
}

// TestRunsWithoutRoot starts a node as containers do, as a user without privileges. Its data lie on a
// mount that belongs to root and that its group may write (Kubernetes with fsGroup). Its key belongs to
// root, and its group may read it. The node must work, its files must be its own, and no other process
// of that user may read its memory or environment.
func TestRunsWithoutRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can start a process of another user")
	}
	const user = 65532
	c := startClusterWith(t, 1, options{prepare: func(p *process) {
		p.User = user
		key := filepath.Join(filepath.Dir(p.Dir), "cluster.key")
		require.NoError(t, os.Chown(key, 0, user))
		require.NoError(t, os.Chmod(key, 0o440))
		for dir := filepath.Dir(p.Dir); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
			require.NoError(t, os.Chmod(dir, 0o755))
		}
		require.NoError(t, os.MkdirAll(p.Drives[0], 0o755))
		require.NoError(t, os.Chown(p.Drives[0], 0, user))
		require.NoError(t, os.Chmod(p.Drives[0], 0o775|fs.ModeSetgid))
	}})
	n := c.nodes[0]
	s := client(n)
	_, err := s.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: ptr("kept")})
	require.NoError(t, err)
	o := &object{key: "o", data: randomBytes(300 << 10)}
	require.NoError(t, put(t.Context(), s, "kept", o))
	require.NoError(t, o.get(t.Context(), s, "kept"))
	files := 0
	require.NoError(t, filepath.WalkDir(n.Drives[0], func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == n.Drives[0] {
			return err
		}
		files++
		info, err := d.Info()
		if err == nil {
			require.Zero(t, info.Mode().Perm()&0o077, "%s has mode %o", path, info.Mode().Perm())
			require.EqualValues(t, user, info.Sys().(*syscall.Stat_t).Uid, path)
		}
		return err
	}))
	require.NotZero(t, files)

	resp, err := http.Get(n.MetricsURL())
	require.NoError(t, err)
	defer resp.Body.Close()
	metrics, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	for _, m := range []string{"process_open_fds", "process_resident_memory_bytes"} {
		require.Regexp(t, `(?m)^`+m+` [1-9]`, string(metrics), "the node reads of itself what it needs")
	}

	asUser := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(name, args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}, Pdeathsig: syscall.SIGKILL}
		return cmd
	}
	plain := asUser("sleep", "1000")
	require.NoError(t, plain.Start())
	t.Cleanup(func() { _ = plain.Process.Kill(); _ = plain.Wait() })
	for _, name := range []string{"environ", "maps", "mem"} {
		info, err := os.Stat(fmt.Sprintf("/proc/%d/%s", n.Pid(), name))
		require.NoError(t, err)
		require.Zero(t, info.Sys().(*syscall.Stat_t).Uid, "%s is root's", name)
	}
	out, err := asUser("cat", fmt.Sprintf("/proc/%d/environ", plain.Process.Pid)).CombinedOutput()
	require.NoError(t, err, "one process of a user reads another's: %s", out)
	out, err = asUser("cat", fmt.Sprintf("/proc/%d/environ", n.Pid())).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, strings.ToLower(string(out)), "denied")
	require.NotContains(t, string(out), "CAIRN_ROOT")
}
