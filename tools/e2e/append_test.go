//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
)

// The object is made longer by copies of itself. It consists of pieces of 64 KiB, and each is an
// extent. Its first part refers to more of them than one answer of the metadata holds.
const (
	appendPiece   = 64 << 10
	appendPieces  = 11 // Pieces that are its own. It is no power of two, so that a wrong place shows.
	appendDoubled = 7
	appendRead    = 1100 // How many pieces are read: fewer than are there once some are dropped.
)

// TestAppendedObjectIsOverwritten has a client stop in the middle of reading an object of very many
// references. The object is overwritten, and the client goes on. It must get no wrong byte: the
// connection breaks. All nodes must go on.
func TestAppendedObjectIsOverwritten(t *testing.T) {
	t.Parallel()
	const bucket = "appended"
	c := startClusterWith(t, 3, options{flags: []string{"--min-part", "1"}})
	ctx, at := t.Context(), client(c.nodes[0])
	_, err := at.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: ptr(bucket)})
	require.NoError(t, err)
	const name = "grown"
	all := c.grow(t, bucket, name)
	got, err := at.GetObject(ctx, &s3.GetObjectInput{Bucket: ptr(bucket), Key: ptr(name),
		Range: ptr(fmt.Sprintf("bytes=0-%d", appendRead*appendPiece-1))})
	require.NoError(t, err)
	require.EqualValues(t, appendRead*appendPiece, *got.ContentLength)
	begun := make([]byte, 1<<20)
	_, err = io.ReadFull(got.Body, begun)
	require.NoError(t, err)
	require.NoError(t, put(ctx, client(c.nodes[1]), bucket, &object{key: name, data: []byte("another")}))
	rest, err := io.ReadAll(got.Body)
	_ = got.Body.Close()
	read := append(begun, rest...)
	t.Logf("%d of %d bytes came, then: %v", len(read), appendRead*appendPiece, err)
	require.True(t, bytes.Equal(all[:len(read)], read), "wrong bytes")
	require.ErrorIs(t, err, io.ErrUnexpectedEOF, "the object is gone, and not all of it was here")
	for _, p := range c.nodes {
		require.NoError(t, put(ctx, client(p), bucket, &object{key: "after", data: []byte("all go on")}))
		m, err := p.Metrics(ctx)
		require.NoError(t, err)
		require.Zero(t, m["cairn_metadata_query_panics_total"])
		require.Zero(t, m["cairn_content_wrong_sums_total"])
	}
}

// grow makes the object, with parts that are twice the object so far, and returns its bytes.
func (c *cluster) grow(t *testing.T, bucket, name string) (all []byte) {
	ctx, at := t.Context(), client(c.nodes[0])
	source := bucket + "/" + name
	build := func(parts func(*upload) error) {
		u, err := createUpload(ctx, at, bucket, name, nil)
		require.NoError(t, err)
		require.NoError(t, parts(u))
		_, err = u.complete(ctx, at)
		require.NoError(t, err)
	}
	copies := func(n int) func(*upload) error {
		return func(u *upload) (err error) {
			for range n {
				err = errors.Join(err, u.copyWhole(ctx, at, source))
			}
			return err
		}
	}
	build(func(u *upload) (err error) {
		for range appendPieces {
			err = errors.Join(err, u.put(ctx, at, randomBytes(appendPiece)))
		}
		all = u.data
		return err
	})
	for range appendDoubled {
		build(copies(2))
		all = append(all, all...)
	}
	build(copies(1))
	return all
}
