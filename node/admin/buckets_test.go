package admin

import (
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// Buckets are listed with what they hold: an account sees its own, and whoever administers the
// cluster sees all.
func TestBuckets(t *testing.T) {
	w := newWorld(t)
	_, alice := w.account("alice")
	_, bob := w.account("bob")
	w.upload(alice.Account, "photos", "film")
	w.upload(alice.Account, "papers", "film")
	w.upload(bob.Account, "bobs", "film")
	w.meta.must(&metapb.Command{Op: &metapb.Command_SetBucketQuota{SetBucketQuota: &metapb.SetBucketQuota{Bucket: "photos", Bytes: 1 << 20}}})
	w.meta.must(&metapb.Command{Op: &metapb.Command_SetBucketConfig{SetBucketConfig: &metapb.SetBucketConfig{Bucket: "photos",
		Versioning: metapb.Versioning_VERSIONING_ENABLED, Parts: []*metapb.ConfigPart{{Name: "cors", Value: []byte("x")}, {Name: "storageClass", Value: []byte("STANDARD_IA")}}}}})
	for i, content := range []byte{1, 2} { // Two versions of a key.
		id := make([]byte, 16)
		id[0] = content
		w.meta.must(&metapb.Command{Op: &metapb.Command_PutObject{PutObject: &metapb.PutObject{Bucket: "photos", Key: "k",
			Version: &metapb.Version{VersionId: string(rune('a' + i)), ContentId: id, Size: 4, Owner: alice.Account},
			Part:    &metapb.Part{Size: 4, Inline: []byte("four")}}}})
	}
	ctx := t.Context()
	names := func(r *adminpb.ListBucketsRequest, all bool) (out []string, truncated bool) {
		api := w.as(alice)
		if all {
			api = w.as(root)
		}
		a, err := api.ListBuckets(ctx, r)
		require.NoError(t, err)
		for _, b := range a.Buckets {
			out = append(out, b.Name)
		}
		return out, a.Truncated
	}
	for _, c := range []struct {
		r         *adminpb.ListBucketsRequest
		all       bool
		want      []string
		truncated bool
	}{
		{&adminpb.ListBucketsRequest{}, false, []string{"papers", "photos"}, false},
		{&adminpb.ListBucketsRequest{}, true, []string{"bobs", "papers", "photos"}, false},
		{&adminpb.ListBucketsRequest{Max: 2}, true, []string{"bobs", "papers"}, true},
		{&adminpb.ListBucketsRequest{Max: 2, After: "papers"}, true, []string{"photos"}, false},
		{&adminpb.ListBucketsRequest{Account: "bob"}, true, []string{"bobs"}, false},
		{&adminpb.ListBucketsRequest{Prefix: "ph"}, true, []string{"photos"}, false},
	} {
		got, truncated := names(c.r, c.all)
		require.Equal(t, c.want, got)
		require.Equal(t, c.truncated, truncated)
	}
	_, err := w.as(alice).ListBuckets(ctx, &adminpb.ListBucketsRequest{Account: "bob"})
	require.Equal(t, connect.CodePermissionDenied, connect.CodeOf(err))

	a, err := w.as(alice).ListBuckets(ctx, &adminpb.ListBucketsRequest{Prefix: "photos"})
	require.NoError(t, err)
	shown, err := w.as(alice).ShowBucket(ctx, &adminpb.BucketRef{Name: "photos"})
	require.NoError(t, err)
	for _, b := range []*adminpb.Bucket{a.Buckets[0], shown} {
		require.Equal(t, []any{"photos", alice.Account, "enabled", uint64(2), uint64(8), uint64(1 << 20)},
			[]any{b.Name, b.Owner, b.Versioning, b.Objects, b.Bytes, b.QuotaBytes})
	}
	require.Equal(t, "STANDARD_IA", shown.StorageClass)
	require.Equal(t, []string{"cors", "storageClass"}, shown.Configured)
	empty, err := w.as(alice).ShowBucket(ctx, &adminpb.BucketRef{Name: "papers"})
	require.NoError(t, err)
	require.Equal(t, []any{uint64(0), uint64(0), "STANDARD", "off"}, []any{empty.Objects, empty.Bytes, empty.StorageClass, empty.Versioning})
}
