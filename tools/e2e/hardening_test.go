//go:build e2e

package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
)

// TestFilesAreTheNodesOwn starts a node as careless as can be, with umask 0 and a data
// directory that everybody may read: what it makes is its own, and it leaves no core.
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
