package identity

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCheckAccess: who may read a key besides its owner, and what is said to change where
// too many may.
func TestCheckAccess(t *testing.T) {
	const other = 65532
	for _, c := range []struct {
		owner, self int
		mode        fs.FileMode
		says        string // "": it is taken.
	}{
		{other, other, 0o600, ""},
		{other, other, 0o400, ""},
		{other, rootUser, 0o600, ""},
		{rootUser, rootUser, 0o400, ""},
		{rootUser, other, 0o440, ""}, // Kubernetes with fsGroup.
		{rootUser, other, 0o640, ""}, // root:cairn.
		{rootUser, rootUser, 0o440, "chmod 600"},
		{other, other, 0o640, "chmod 600"},
		{1000, other, 0o640, "chmod 600"},
		{noUser, noUser, 0o640, "chmod 600"},
		{rootUser, other, 0o660, "chmod 640"},
		{rootUser, other, 0o650, "chmod 640"},
		{rootUser, other, 0o444, "chmod 640"},
		{rootUser, other, 0o644, "chmod 640"},
		{rootUser, other, 0o642, "chmod 640"},
	} {
		name := fmt.Sprintf("%04o of %d for %d", c.mode, c.owner, c.self)
		err := checkAccess("key", c.mode, c.owner, c.self)
		if c.says == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, c.says+" key", name)
		require.ErrorContains(t, err, fmt.Sprintf("mode %04o", c.mode), name)
	}
}

// TestOwnerOf: the owner that is judged is the file's.
func TestOwnerOf(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	info, err := os.Stat(file)
	require.NoError(t, err)
	owner, self := ownerOf(info)
	require.Equal(t, os.Getuid(), owner)
	require.Equal(t, os.Geteuid(), self)
}
