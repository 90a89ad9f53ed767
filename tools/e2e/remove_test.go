//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"
)

// removing deletes by `cairn object rm` all objects with a prefix, whatever characters their keys have,
// and then all their versions. Nothing of other keys may be lost.
func (s *semantics) removing(t *testing.T, ctx context.Context) {
	bucket := aws.String("removing")
	c := client(s.nodes[0])
	_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket})
	require.NoError(t, err)
	_, err = c.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: bucket,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	require.NoError(t, err)
	keys := []string{"a/\x01 +%&<'é\U0001f600", "a/ \t", "b"}
	for i := range 20 {
		keys = append(keys, fmt.Sprint("a/", i))
	}
	for _, key := range keys {
		require.NoError(t, put(ctx, c, *bucket, &object{key: key, data: []byte("once")}))
		require.NoError(t, put(ctx, c, *bucket, &object{key: key, data: []byte("twice")}))
	}
	remove := func(want string, args ...string) {
		out, err := s.cairn(append([]string{"object", "rm", "-o", "json"}, args...)...)
		require.NoError(t, err, "%s", out)
		var told struct{ Found, Deleted, Failed uint64 }
		require.NoError(t, json.Unmarshal(out, &told), "%s", out)
		require.Equal(t, want, fmt.Sprint(told))
	}
	remove("{22 22 0}", "s3://removing/a/", "--recursive")
	all, err := client(s.nodes[1]).ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket})
	require.NoError(t, err)
	require.Len(t, all.Contents, 1)
	remove("{66 66 0}", "s3://removing/a/", "--recursive", "--versions") // 22 of these are delete markers.
	versions, err := client(s.nodes[2]).ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: bucket})
	require.NoError(t, err)
	require.Len(t, versions.Versions, 2)
	require.Empty(t, versions.DeleteMarkers)
}
