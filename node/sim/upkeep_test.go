package sim

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
)

// TestDueOfDays proves that a node does what is due once the days for it have passed: it aborts an
// upload that a lifecycle rule is about, and deletes a master key. It leaves those alone whose time has
// not come.
func TestDueOfDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &Log{}
		c, err := form(t.Context(), 1, 1, log)
		defer c.Stop()
		require.NoError(t, err)
		m := c.Machines[0].Node().Metadata()
		propose := func(cmd *metapb.Command) {
			r, err := m.Propose(t.Context(), cmd)
			require.NoError(t, err)
			require.Equal(t, metapb.Refusal_REFUSAL_NONE, r.Refusal, r.Detail)
		}
		require.NoError(t, c.Machines[0].Node().Objects().Configure(t.Context(), object.Request{}, bucket, []*metapb.ConfigPart{{Name: "lifecycle",
			Value: []byte("<LifecycleConfiguration><Rule><ID>r</ID><Filter><Prefix>tmp/</Prefix></Filter><Status>Enabled</Status>" +
				"<AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>")}},
			metapb.Versioning_VERSIONING_OFF))
		const day = 24 * time.Hour
		ages := map[string]time.Duration{"tmp/due": 2*day + time.Hour, "tmp/young": day, "kept": 9 * day}
		for key, age := range ages {
			propose(&metapb.Command{Op: &metapb.Command_CreateUpload{CreateUpload: &metapb.CreateUpload{Upload: &metapb.Upload{
				Id: fmt.Appendf(nil, "%-16s", key), Bucket: bucket, Key: key, InitiatedMs: time.Now().Add(-age).UnixMilli()}}}})
		}
		write := &metapb.WriteEntries{}
		for id, age := range map[string]time.Duration{"due": time.Hour, "young": -time.Hour} {
			value, err := proto.Marshal(&metapb.MasterKey{Id: id, Account: "a", State: metapb.MasterKeyState_MASTER_KEY_PENDING_DELETION,
				DeleteAtMs: time.Now().Add(-age).UnixMilli(), Versions: []*metapb.MasterKeyVersion{{Number: 1, Sealed: []byte("sealed")}}})
			require.NoError(t, err)
			write.Put = append(write.Put, &metapb.Entry{Kind: metapb.EntryKind_ENTRY_MASTER_KEY, Name: id, Value: value})
		}
		propose(&metapb.Command{Op: &metapb.Command_WriteEntries{WriteEntries: write}})

		time.Sleep(15 * time.Minute) // Longer than any two rounds lie apart.
		uploads, err := m.Read(t.Context(), &metapb.Query{Op: &metapb.Query_ListUploads{ListUploads: &metapb.ListUploads{Bucket: bucket, MaxUploads: 10}}})
		require.NoError(t, err)
		var open []string
		for _, e := range uploads.Uploads.Entries {
			open = append(open, e.Upload.Key)
		}
		require.Equal(t, []string{"kept", "tmp/young"}, open)
		entries, err := m.Read(t.Context(), &metapb.Query{Op: &metapb.Query_Entries{Entries: &metapb.ListEntries{}}})
		require.NoError(t, err)
		var keys []string
		for _, e := range entries.Directory.Entries {
			if e.Kind == metapb.EntryKind_ENTRY_MASTER_KEY {
				keys = append(keys, e.Name)
			}
		}
		require.Equal(t, []string{"young"}, keys)
		require.Contains(t, log.String(), "master keys deleted")
		require.Contains(t, log.String(), "uploads aborted")
	})
}
