//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// run runs a client's program with more environment and returns what it printed.
func (w *workshop) run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	program, err := exec.LookPath(name)
	require.NoError(t, err, "%s is needed (.ci/run installs it)", name)
	cmd := exec.CommandContext(t.Context(), program, args...)
	own := slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "AWS_") }) // The person's own settings.
	cmd.Env = append(append(own, "HOME="+w.dir, "LC_ALL=C.UTF-8"), env...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %s:\n%s", name, strings.Join(args, " "), out)
	return string(out)
}

func (w *workshop) awsEnv() []string {
	return []string{"AWS_ACCESS_KEY_ID=" + w.access, "AWS_SECRET_ACCESS_KEY=" + w.secret, "AWS_DEFAULT_REGION=us-east-1",
		"AWS_CA_BUNDLE=" + w.caFile}
}

// python returns a Python that has boto3: the user's, or the system's.
func python(t *testing.T) string {
	for _, p := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(p, "-c", "import boto3").Run() == nil {
			return p
		}
	}
	require.Fail(t, "boto3 is needed (Debian: python3-boto3)")
	return ""
}

func (w *workshop) boto3(t *testing.T) {
	program := python(t)
	odd := filepath.Join(t.TempDir(), "odd")
	require.NoError(t, os.WriteFile(odd, w.odd, 0o644))
	for i, by := range []struct{ name, signature, host string }{
		{"v4", "", ""}, {"v2", "s3", ""}, {"v4-virtual", "", domain}, {"v2-virtual", "s3", domain},
	} {
		t.Run(by.name, func(t *testing.T) {
			if by.signature != "" && exec.Command(program, "-c", "import botocore; assert [int(n) for n in botocore.__version__.split('.')] >= [1, 31]").Run() != nil {
				t.Skip("this botocore signs the query of CreateMultipartUpload twice with V2")
			}
			bucket := "clients-boto3-" + by.name
			endpoint := w.node(i).Endpoint()
			if by.host != "" {
				endpoint = strings.Replace(endpoint, "127.0.0.1", by.host, 1)
			}
			w.run(t, append(w.awsEnv(), "ENDPOINT="+endpoint, "SIGNATURE="+by.signature, "BUCKET="+bucket, "SOURCE="+w.source,
				"ODD_KEY="+oddKey, "ODD_FILE="+odd, "HOST="+by.host), program, "testdata/boto3_client.py")
			for _, key := range []string{"put/", "uploaded/", "copied/", "managed/", "presigned/", "parts/"} {
				w.is(t, bucket, key+oddKey, w.odd)
			}
			w.isBig(t, bucket, "big")
		})
	}
}

// awsCLI uses the user's aws CLI and the system's, because the two major versions differ in what they
// ask for before a copy.
func (w *workshop) awsCLI(t *testing.T) {
	for i, program := range []string{"aws", "/usr/bin/aws"} {
		t.Run(fmt.Sprintf("%d", i+1), func(t *testing.T) {
			t.Log(w.run(t, nil, program, "--version"))
			w.awsWork(t, program, fmt.Sprintf("clients-cli-%d", i+1))
		})
	}
}

func (w *workshop) awsWork(t *testing.T, program, bucket string) {
	w.bucket(t, bucket)
	w.bucket(t, bucket+"-copy")
	dir, files := w.tree(t)
	aws := func(node int, args ...string) string {
		return w.run(t, w.awsEnv(), program, append([]string{"--endpoint-url", w.node(node).Endpoint()}, args...)...)
	}
	to := "s3://" + bucket
	aws(0, "s3", "cp", "--no-progress", "s3://"+w.source+"/big", to+"/big")
	w.isBig(t, bucket, "big")
	aws(1, "s3", "cp", "--no-progress", "s3://"+w.source+"/"+oddKey, to+"/"+oddKey)
	w.is(t, bucket, oddKey, w.odd)

	aws(2, "s3", "sync", "--no-progress", dir, to+"/tree")
	require.Empty(t, aws(3, "s3", "sync", "--no-progress", dir, to+"/tree"), "nothing is left to do")
	aws(4, "s3", "sync", "--no-progress", to+"/tree", to+"-copy/tree")
	back := t.TempDir()
	aws(5, "s3", "sync", "--no-progress", to+"-copy/tree", back)
	isTree(t, back, files)
}

func (w *workshop) s3cmd(t *testing.T) {
	for i, by := range []struct {
		name  string
		flags []string
	}{
		{"v4", nil},
		{"v2", []string{"--signature-v2"}},
	} {
		t.Run(by.name, func(t *testing.T) {
			bucket := "clients-s3cmd-" + by.name
			dir, files := w.tree(t)
			at := 0
			s3cmd := func(args ...string) string {
				at++
				host := w.node(i + at).Host()
				config := filepath.Join(t.TempDir(), "s3cfg")
				text := fmt.Sprintf("[default]\naccess_key = %s\nsecret_key = %s\nhost_base = %s\nhost_bucket = %s\nca_certs_file = %s\nuse_https = True\n",
					w.access, w.secret, host, host, w.caFile)
				require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
				return w.run(t, nil, "s3cmd", append(append([]string{"-c", config, "--no-progress"}, by.flags...), args...)...)
			}
			odd := filepath.Join(dir, "ü", "日本 ~('@').bin")
			s3cmd("mb", "s3://"+bucket)
			s3cmd("put", odd, "s3://"+bucket+"/"+oddKey) // In two parts of at most 15 MB.
			w.is(t, bucket, oddKey, w.odd)
			s3cmd("cp", "s3://"+bucket+"/"+oddKey, "s3://"+bucket+"/copy of "+oddKey)
			w.is(t, bucket, "copy of "+oddKey, w.odd)
			s3cmd("get", "s3://"+bucket+"/copy of "+oddKey, filepath.Join(dir, "got"))
			isTree(t, dir, map[string][]byte{"got": w.odd})
			require.NoError(t, os.Remove(filepath.Join(dir, "got")))
			s3cmd("sync", dir+"/", "s3://"+bucket+"/tree/")
			back := t.TempDir()
			s3cmd("sync", "s3://"+bucket+"/tree/", back+"/")
			isTree(t, back, files)
			s3cmd("cp", "s3://"+w.source+"/big", "s3://"+bucket+"/big") // In parts of 1 GiB.
			w.isBig(t, bucket, "big")
		})
	}
}

func (w *workshop) rclone(t *testing.T) {
	for i, by := range []struct{ name, v2 string }{{"v4", "false"}, {"v2", "true"}} {
		t.Run(by.name, func(t *testing.T) {
			bucket := "clients-rclone-" + by.name
			dir, files := w.tree(t)
			at := 0
			rclone := func(args ...string) string {
				at++
				env := []string{"RCLONE_CONFIG_CAIRN_TYPE=s3", "RCLONE_CONFIG_CAIRN_PROVIDER=Other", "RCLONE_CONFIG_CAIRN_ACCESS_KEY_ID=" + w.access,
					"RCLONE_CONFIG_CAIRN_SECRET_ACCESS_KEY=" + w.secret, "RCLONE_CONFIG_CAIRN_ENDPOINT=" + w.node(i+at).Endpoint(),
					"RCLONE_CONFIG_CAIRN_V2_AUTH=" + by.v2, "RCLONE_CA_CERT=" + w.caFile}
				return w.run(t, env, "rclone", args...)
			}
			rclone("mkdir", "cairn:"+bucket)
			rclone("copy", dir, "cairn:"+bucket+"/tree")
			rclone("check", dir, "cairn:"+bucket+"/tree")
			rclone("check", "--download", dir, "cairn:"+bucket+"/tree")
			rclone("copy", "cairn:"+bucket+"/tree", "cairn:"+bucket+"/copy of tree")
			back := t.TempDir()
			rclone("copy", "cairn:"+bucket+"/copy of tree", back)
			isTree(t, back, files)
			rclone("copyto", "cairn:"+w.source+"/big", "cairn:"+bucket+"/big") // In parts, since it has more than 4.656 GiB.
			w.isBig(t, bucket, "big")
		})
	}
}
