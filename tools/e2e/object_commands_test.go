//go:build e2e

package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/tools/testbed"
)

// shell runs the commands for objects as a user would, at one node.
type shell struct {
	*cluster
	at   *process
	home string
}

func (s *shell) command(args ...string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
	var out, said bytes.Buffer
	cmd := exec.CommandContext(s.t.Context(), s.bed.Bin, args...)
	cmd.Env = append(testbed.OwnEnviron(), "HOME="+s.home, "XDG_CACHE_HOME="+s.home, "CAIRN_ENDPOINT="+s.at.Endpoint(),
		"CAIRN_CA_FILE="+s.caFile, "CAIRN_ACCESS_KEY="+rootUser, "CAIRN_SECRET_KEY="+rootPassword)
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.WaitDelay = time.Minute
	return cmd, &out, &said
}

// run runs a command that must succeed, and returns what it wrote.
func (s *shell) run(args ...string) (string, string) {
	s.t.Helper()
	cmd, out, said := s.command(args...)
	require.NoError(s.t, cmd.Run(), "%v: %s", args, said)
	return out.String(), said.String()
}

// cut begins a command, and does something to it when holds says so. It returns what it said.
func (s *shell) cut(holds func() bool, do func(*os.Process), args ...string) (string, error) {
	s.t.Helper()
	cmd, _, said := s.command(args...)
	require.NoError(s.t, cmd.Start())
	s.eventually("the middle of "+strings.Join(args, " "), healTimeout, holds)
	do(cmd.Process)
	err := cmd.Wait()
	return said.String(), err
}

// parts returns how many parts the upload of a key has.
func (s *shell) parts(bucket, key string) int {
	ctx := s.t.Context()
	list, err := client(s.at).ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &bucket, Prefix: &key})
	if err != nil || len(list.Uploads) == 0 {
		return 0
	}
	parts, err := client(s.at).ListParts(ctx, &s3.ListPartsInput{Bucket: &bucket, Key: &key,
		UploadId: list.Uploads[0].UploadId})
	if err != nil {
		return 0
	}
	return len(parts.Parts)
}

// The commands for objects do their work while a node is killed, and take up what was interrupted.
func TestObjectCommands(t *testing.T) {
	t.Parallel()
	c := startClusterWith(t, 6, options{tls: true, flags: []string{"--min-part", "1MiB"}})
	s := &shell{c, c.nodes[0], c.path("home")}
	const bytesOfBig = 96 << 20
	in, out := c.path("in"), c.path("out")
	require.NoError(t, os.MkdirAll(filepath.Join(in, "sub"), 0o777))
	big := make([]byte, bytesOfBig+12345)
	_, err := rand.Read(big)
	require.NoError(t, err)
	write := func(name string, body []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(in, name), body, 0o666))
	}
	write("big", big)
	write("sub/ünï + cödé %20\n", []byte("small"))
	write("empty", nil)
	same := func(name string, want []byte) {
		t.Helper()
		got, err := os.ReadFile(filepath.Join(out, name))
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), name)
	}
	s.run("mb", "s3://work")

	// A node is killed in the middle of a large upload, and the upload does not notice.
	slow := []string{"--part-size", "1MiB", "--parallel", "1"}
	_, err = s.cut(func() bool { return s.parts("work", "a/big") >= 5 }, func(*os.Process) { c.kill(c.nodes[5]) },
		append([]string{"cp", "-r", in, "s3://work/a/"}, slow...)...)
	require.NoError(t, err)
	s.run("cp", "-r", "s3://work/a", out)
	same("big", big)
	same("sub/ünï + cödé %20\n", []byte("small"))
	same("empty", []byte{})

	// The command is killed in the middle: the same one goes on.
	taken := regexp.MustCompile(`were there from before`)
	_, err = s.cut(func() bool { return s.parts("work", "again") >= 5 }, func(p *os.Process) { _ = p.Kill() },
		append([]string{"cp", filepath.Join(in, "big"), "s3://work/again"}, slow...)...)
	require.Error(t, err)
	_, said := s.run(append([]string{"cp", filepath.Join(in, "big"), "s3://work/again"}, slow...)...)
	require.Regexp(t, taken, said)
	var du struct{ Objects, Bytes int64 }
	text, _ := s.run("du", "-o", "json", "s3://work/again")
	require.NoError(t, json.Unmarshal([]byte(text), &du))
	require.EqualValues(t, len(big), du.Bytes)

	// Ctrl-C in the middle of a download: it says that it can go on, and does.
	begun := func() bool {
		for _, name := range globbed(t, filepath.Join(out, ".cairn-*.json")) {
			if info, err := os.Stat(name); err == nil && info.Size() > 0 {
				return true
			}
		}
		return false
	}
	said, err = s.cut(begun, func(p *os.Process) { _ = p.Signal(syscall.SIGINT) },
		append([]string{"cp", "s3://work/again", filepath.Join(out, "again")}, slow...)...)
	var exit *exec.ExitError
	if errors.As(err, &exit) { // It may have been quicker.
		require.Equal(t, 130, exit.ExitCode(), said)
		require.Contains(t, said, "the same command goes on")
		_, said = s.run(append([]string{"cp", "s3://work/again", filepath.Join(out, "again")}, slow...)...)
		require.Regexp(t, taken, said)
	}
	same("again", big)
	require.Empty(t, globbed(t, filepath.Join(out, ".cairn-*")))

	// Copies inside the store, and what a sync does and does not.
	s.run("mv", "s3://work/again", "s3://work/b/moved")
	_, said = s.run("sync", "--delete", "s3://work/b/", "s3://work/a/")
	require.Contains(t, said, "deleted 3 objects")
	_, said = s.run("sync", "--delete", "s3://work/b/", "s3://work/a/")
	require.Contains(t, said, "skipped 1")
	var listed struct {
		Objects []struct {
			Key  string
			Size int64
		}
	}
	text, _ = s.run("ls", "-r", "-o", "json", "s3://work")
	require.NoError(t, json.Unmarshal([]byte(text), &listed))
	require.Len(t, listed.Objects, 2)
	require.Equal(t, "a/moved", listed.Objects[0].Key)
	cmd, cat, _ := s.command("cat", "s3://work/a/moved")
	require.NoError(t, cmd.Run())
	require.True(t, bytes.Equal(big, cat.Bytes()))

	// A URL that anybody can use.
	url, _ := s.run("presign", "s3://work/a/moved", "--expires", "5m")
	got := (&workshop{cluster: c}).fetch(t, "GET", strings.TrimSpace(url), nil)
	require.True(t, bytes.Equal(big, got))
	// Versions come back, and so does what was deleted.
	s.run("bucket", "versioning", "set", "work", "on")
	s.run("cp", filepath.Join(in, "empty"), "s3://work/v/note")
	s.run("put", filepath.Join(in, "sub/ünï + cödé %20\n"), "s3://work/v/note")
	s.run("tag", "set", "s3://work/v/note", "a=b")
	var versions struct {
		Objects []struct {
			Version string `json:"version_id"`
			Size    int64
			Marker  bool `json:"delete_marker"`
		}
	}
	text, _ = s.run("version", "list", "-o", "json", "s3://work/v/note")
	require.NoError(t, json.Unmarshal([]byte(text), &versions))
	require.Len(t, versions.Objects, 2)
	require.Zero(t, versions.Objects[1].Size)
	s.run("rm", "-r", "s3://work/v/")
	s.run("version", "restore", "-r", "s3://work/v/")
	text, _ = s.run("cat", "s3://work/v/note")
	require.Equal(t, "small", text)
	s.run("version", "restore", "s3://work/v/note?versionId="+versions.Objects[1].Version)
	text, _ = s.run("cat", "s3://work/v/note")
	require.Empty(t, text)

	// An upload that nobody goes on with.
	_, err = s.cut(func() bool { return s.parts("work", "left") >= 2 }, func(p *os.Process) { _ = p.Kill() },
		append([]string{"cp", filepath.Join(in, "big"), "s3://work/left"}, slow...)...)
	require.Error(t, err)
	text, _ = s.run("upload", "abort", "--yes", "s3://work/")
	require.Equal(t, "aborted 1 upload\n", text)
	s.run("rb", "--force", "s3://work")
	buckets, err := client(s.at).ListBuckets(t.Context(), &s3.ListBucketsInput{})
	require.NoError(t, err)
	for _, b := range buckets.Buckets {
		require.NotEqual(t, "work", aws.ToString(b.Name))
	}
}

func globbed(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	require.NoError(t, err)
	return found
}
