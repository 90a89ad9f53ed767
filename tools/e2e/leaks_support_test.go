//go:build e2e

package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// support puts the files of a support bundle among what is searched. Files that are packed are put
// there unpacked, too.
func (l *leakTest) support(t *testing.T) {
	path := l.path("bundle.tar.gz")
	out, err := l.cairn("support", "bundle", "-o", path)
	require.NoError(t, err, "%s", out)
	packed, err := os.ReadFile(path)
	require.NoError(t, err)
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	files := 0
	for archive := tar.NewReader(zip); ; files++ {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		text, err := io.ReadAll(archive)
		require.NoError(t, err)
		require.NotEmpty(t, text, h.Name)
		name := "bundle-" + strings.ReplaceAll(h.Name, "/", "-")
		l.keep(t, name, text)
		if profile, err := gzip.NewReader(bytes.NewReader(text)); err == nil {
			text, err := io.ReadAll(profile)
			require.NoError(t, err)
			l.keep(t, name+"-unpacked", text)
		}
	}
	require.Greater(t, files, 8*len(l.nodes), "eight files of each node, and those of the cluster")
}
