package s3api

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/profile"
)

// TestTooManyBuckets: an account makes as many buckets as the setting says, or as was said
// of it alone; what others have does not count, nor does what it has deleted.
func TestTooManyBuckets(t *testing.T) {
	settings, err := profile.New(profile.OBS, map[string]string{"max-buckets": "2"})
	require.NoError(t, err)
	w := newWorld(t, func(c *Config) { c.Profile = func() *profile.Profile { return settings } })
	acme, other := w.account("acme"), w.account("other")
	user := w.user(acme, "alice", "admin")
	made := 0
	next := func() string {
		made++
		return fmt.Sprintf("/bucket-%d", made)
	}
	w.ok(acme, http.MethodPut, next(), "")
	w.ok(user, http.MethodPut, next(), "")
	r := w.refused("TooManyBuckets", user, http.MethodPut, next(), "")
	require.Equal(t, http.StatusBadRequest, r.StatusCode)
	w.refused("BucketAlreadyOwnedByYou", acme, http.MethodPut, "/bucket-1", "")
	w.ok(other, http.MethodPut, next(), "")

	require.NoError(t, w.admin.SetAccountBuckets(t.Context(), "acme", 3))
	w.ok(acme, http.MethodPut, next(), "")
	w.refused("TooManyBuckets", acme, http.MethodPut, next(), "")
	w.refused("TooManyBuckets", acme, http.MethodPut, next(), "", "X-Amz-Bucket-Object-Lock-Enabled", "true")
	w.ok(acme, http.MethodDelete, "/bucket-1", "")
	w.ok(acme, http.MethodPut, next(), "")
	require.NoError(t, w.admin.SetAccountBuckets(t.Context(), "acme", 0))
	w.refused("TooManyBuckets", acme, http.MethodPut, next(), "")

	require.NoError(t, w.admin.SetAccountBuckets(t.Context(), iam.RootAccount, 1))
	w.ok(w.root, http.MethodPut, next(), "")
	w.refused("TooManyBuckets", w.root, http.MethodPut, next(), "")
	require.Error(t, w.admin.SetAccountBuckets(t.Context(), "acme", profile.MaxBuckets+1))
	require.Error(t, w.admin.SetAccountBuckets(t.Context(), "nobody", 1))
}
