//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
)

const (
	domain = "s3.localhost"

	pieceSize = 16 << 20
	midPieces = 32             // Of how many pieces the middle object is made.
	bigSize   = 352 * 16 << 20 // 5.5 GiB: more than any client copies at once.

	// oddKey has what clients encode in different ways.
	oddKey = "space and +plus/ü日本 %2B~('*')&=;@.bin"
)

// TestClients lets the clients that people have do their ordinary work, over TLS and at several nodes
// of a cluster with the default settings.
func TestClients(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	for _, of := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"aws-sdk-go-v2", w.awsSDK},
		{"minio-go", w.minio},
		{"OBS SDK", w.obsSDK},
		{"boto3", w.boto3},
		{"aws CLI", w.awsCLI},
		{"s3cmd", w.s3cmd},
		{"rclone", w.rclone},
	} {
		t.Run(of.name, of.run)
	}
}

// workshop is a cluster, an account in it, and what clients find there: a bucket with a piece, a big
// object that is made of copies of the piece, and an object with an odd name.
type workshop struct {
	*cluster
	access, secret string
	source         string // The bucket.
	piece, odd     []byte
}

func newWorkshop(t *testing.T) *workshop {
	w := &workshop{
		cluster: startClusterWith(t, 6, options{tls: true, domain: domain}),
		access:  "WORKSHOP000000000001", secret: "workshop/secret+of=some/length0123456789",
		source: "clients-source", piece: randomBytes(pieceSize), odd: randomBytes(17<<20 + 12345),
	}
	out, err := w.cairn("account", "add", "workshop", "--access-key", w.access, "--secret-key", w.secret)
	require.NoError(t, err, "%s", out)
	ctx := t.Context()
	w.known(ctx, w.access, w.secret)
	w.bucket(t, w.source)
	require.NoError(t, put(ctx, w.client(0), w.source, &object{key: "piece", data: w.piece}))
	require.NoError(t, put(ctx, w.client(1), w.source, &object{key: oddKey, data: w.odd}))
	w.grow(ctx, t, "piece", "middle", midPieces)
	w.grow(ctx, t, "middle", "big", bigSize/midPieces/pieceSize)
	return w
}

// node returns a node of the cluster; numbers wrap around.
func (w *workshop) node(i int) *process { return w.nodes[i%len(w.nodes)] }

// client returns the account's client at a node.
func (w *workshop) client(i int) *s3.Client { return clientAs(w.node(i), w.access, w.secret) }

func (w *workshop) bucket(t *testing.T, name string) {
	_, err := w.client(0).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name})
	require.NoError(t, err)
}

// grow makes an object of copies of another, by reference: it takes no space.
func (w *workshop) grow(ctx context.Context, t *testing.T, from, to string, times int) {
	up, err := createUpload(ctx, w.client(0), w.source, to, nil)
	require.NoError(t, err)
	for i := range times {
		require.NoError(t, up.copyWhole(ctx, w.client(i), w.source+"/"+from))
	}
	_, err = up.complete(ctx, w.client(1))
	require.NoError(t, err)
}

// isBig requires an object to be a copy of the big one. It compares the length, and bytes where parts,
// pieces and extents meet.
func (w *workshop) isBig(t *testing.T, bucket, key string) {
	t.Helper()
	head, err := w.client(2).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	require.NoError(t, err)
	require.Equal(t, int64(bigSize), *head.ContentLength)
	twice := append(bytes.Clone(w.piece), w.piece[:1000]...)
	for _, at := range []int{0, 8<<20 - 500, pieceSize - 500, 1<<30 - 500, 5<<30 - 500, bigSize - 1000} {
		got, err := w.read(t.Context(), bucket, key, fmt.Sprintf("bytes=%d-%d", at, at+999))
		require.NoError(t, err)
		require.Equal(t, twice[at%pieceSize:][:1000], got, "at %d", at)
	}
}

// is requires an object to hold these bytes.
func (w *workshop) is(t *testing.T, bucket, key string, data []byte) {
	t.Helper()
	got, err := w.read(t.Context(), bucket, key, "")
	require.NoError(t, err, "%s/%s", bucket, key)
	require.True(t, bytes.Equal(data, got), "%s/%s: %d bytes, want %d", bucket, key, len(got), len(data))
}

func (w *workshop) read(ctx context.Context, bucket, key, span string) ([]byte, error) {
	in := &s3.GetObjectInput{Bucket: &bucket, Key: &key}
	if span != "" {
		in.Range = aws.String(span)
	}
	out, err := w.client(4).GetObject(ctx, in)
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}

// tree makes a directory to upload, and returns what its files hold, by path.
func (w *workshop) tree(t *testing.T) (dir string, files map[string][]byte) {
	dir = filepath.Join(t.TempDir(), "tree")
	files = map[string][]byte{
		"plain.txt": []byte("plain\n"), "empty": nil,
		"a b/c+d.txt": w.odd[:5000], "ü/日本 ~('@').bin": w.odd,
	}
	for name, data := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, data, 0o644))
	}
	return dir, files
}

// isTree requires a directory to hold these files.
func isTree(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, data := range files {
		got, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got), "%s: %d bytes, want %d", name, len(got), len(data))
	}
}
