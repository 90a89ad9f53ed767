package admin

import (
	"fmt"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// Rules are tried on what a bucket has, those that are set or a text, and however small the pages are the answer
// is the same. Others learn nothing of the bucket.
func TestSimulateLifecycle(t *testing.T) {
	w := newWorld(t)
	_, alice := w.account("alice")
	_, bob := w.account("bob")
	w.upload(alice.Account, "photos", "film")
	rules := func(action string) string {
		return `<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status>` +
			`<Filter><Prefix></Prefix></Filter>` + action + `</Rule></LifecycleConfiguration>`
	}
	set := &metapb.SetBucketConfig{Bucket: "photos", Versioning: metapb.Versioning_VERSIONING_ENABLED,
		Parts: []*metapb.ConfigPart{{Name: "lifecycle", Value: []byte(rules("<Expiration><Days>1</Days></Expiration>"))}}}
	w.meta.must(&metapb.Command{Op: &metapb.Command_SetBucketConfig{SetBucketConfig: set}})
	const day = int64(86400000)
	for i, key := range []string{"a", "a", "a", "b"} { // In the order in which they were made, in 1970.
		id := make([]byte, 16)
		id[0] = byte(i + 1)
		w.meta.must(&metapb.Command{Op: &metapb.Command_PutObject{PutObject: &metapb.PutObject{Bucket: "photos", Key: key,
			Version: &metapb.Version{VersionId: fmt.Sprint("v", i), ContentId: id, Size: 4, Owner: alice.Account,
				ModifiedMs: int64(i+1) * day}, Part: &metapb.Part{Size: 4, Inline: []byte("four")}}}})
	}
	w.meta.must(&metapb.Command{Op: &metapb.Command_DeleteObjects{DeleteObjects: &metapb.DeleteObjects{Bucket: "photos",
		Objects: []*metapb.ObjectName{{Key: "c"}}, Owner: alice.Account, NewVersionIds: []string{"v4"}}}})
	all := func(r *adminpb.SimulateLifecycleRequest) (due []string, looked uint32) {
		for {
			a, err := w.as(alice).SimulateLifecycle(t.Context(), r)
			require.NoError(t, err)
			looked += a.LookedAt
			for _, d := range a.Due {
				require.Equal(t, "r", d.Rule)
				due = append(due, d.Action+" "+d.Key+" "+d.VersionId)
			}
			if r.After = a.Next; a.Next == nil {
				return due, looked
			}
		}
	}
	for rules, want := range map[string][]string{
		"": {"expire a v2", "expire b v3", "remove-marker c v4"},
		rules("<Expiration><Days>36500</Days></Expiration>"):                                          nil,
		rules("<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"): {"remove-marker c v4"},
		rules("<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>" +
			"<NewerNoncurrentVersions>1</NewerNoncurrentVersions></NoncurrentVersionExpiration>"): {"delete-version a v0"},
	} {
		for page := uint32(0); page < 4; page++ {
			due, looked := all(&adminpb.SimulateLifecycleRequest{Bucket: "photos", Rules: rules, Max: page})
			require.Equal(t, want, due, "%s by pages of %d", rules, page)
			require.EqualValues(t, 5, looked)
		}
	}
	_, err := w.as(bob).SimulateLifecycle(t.Context(), &adminpb.SimulateLifecycleRequest{Bucket: "photos"})
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
	for _, wrong := range []string{"x", rules(""), rules("<Expiration><Days>0</Days></Expiration>")} {
		_, err = w.as(alice).SimulateLifecycle(t.Context(), &adminpb.SimulateLifecycleRequest{Bucket: "photos", Rules: wrong})
		require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err), wrong)
	}
}
