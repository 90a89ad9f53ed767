package s3api

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// HEAD Bucket tells region and default storage class: to clients of S3 as OBS's book
// of the S3 API has it, to those of OBS in headers of their own.
func TestHeadBucketTellsItsClass(t *testing.T) {
	w := newWorld(t)
	w.ok(w.root, "PUT", "/bkt", "")
	s3 := w.ok(w.root, "HEAD", "/bkt", "").Header
	require.Equal(t, "STANDARD", s3.Get("x-default-storage-class"))
	require.NotEmpty(t, s3.Get("x-amz-bucket-region"))
	w.ok(w.root, "PUT", "/bkt?storagePolicy", "<StoragePolicy><DefaultStorageClass>GLACIER</DefaultStorageClass></StoragePolicy>")
	require.Equal(t, "GLACIER", w.ok(w.root, "HEAD", "/bkt", "").Header.Get("x-default-storage-class"))
	obs := w.asOBS(w.root, "HEAD", "/bkt", "")
	require.Equal(t, 200, obs.StatusCode)
	require.Equal(t, "COLD", obs.Header.Get("x-obs-storage-class"))
	require.Equal(t, s3.Get("x-amz-bucket-region"), obs.Header.Get("x-obs-bucket-location"))
	require.Equal(t, "3.0", obs.Header.Get("x-obs-version"))
	require.Empty(t, obs.Header.Get("x-default-storage-class"))
	w.refused("", w.root, "HEAD", "/none", "")
}
