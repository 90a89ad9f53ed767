package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// compareQueries compares what queries answer of versions with the model.
func compareQueries(t require.TestingT, machine *machine, m *model) {
	for _, b := range m.buckets {
		var versions, objects []string
		for _, n := range slices.SortedFunc(maps.Keys(m.versions), func(a, b objectName) int { return strings.Compare(a.key, b.key) }) {
			if n.bucket != b.Id {
				continue
			}
			for i, v := range m.versions[n] {
				versions = append(versions, showVersion(n.key, v, i == 0))
				compareVersion(t, machine, b.Name, n.key, v)
			}
			if list := m.versions[n]; len(list) > 0 {
				compareLatest(t, machine, b.Name, n.key, list[0])
				if !list[0].DeleteMarker {
					objects = append(objects, n.key)
				}
			}
		}
		require.Equal(t, versions, listAllVersions(machine, b.Name, 2))
		for _, delimiter := range []string{"", "/"} {
			want, _ := listPlainly(objects, &metapb.ListObjects{Delimiter: delimiter, MaxKeys: 1000})
			got := list(machine, &metapb.ListObjects{Bucket: b.Name, Delimiter: delimiter, MaxKeys: 1000})
			require.Equal(t, want, entryNames(got))
		}
	}
	compareRestores(t, machine, m)
	compareEvents(t, machine, m)
	compareKnown(t, machine, m)
	compareDigests(t, machine, m)
}

func showVersion(key string, v *metapb.Version, latest bool) string {
	return fmt.Sprintf("%q %q %d marker=%t latest=%t", key, v.VersionId, v.Order, v.DeleteMarker, latest)
}

// listAllVersions lists a bucket in pages.
func listAllVersions(machine *machine, bucket string, limit uint32) (all []string) {
	q := &metapb.ListVersions{Bucket: bucket, MaxKeys: limit}
	for {
		a := machine.query(&metapb.Query{Op: &metapb.Query_ListVersions{ListVersions: q}}).Versions
		for _, e := range a.Entries {
			all = append(all, showVersion(e.Key, e.Version, e.Latest))
			q.KeyMarker, q.VersionMarker = e.Key, record.ShownVersionID(e.Version.VersionId)
		}
		if !a.Truncated {
			return all
		}
	}
}

func compareVersion(t require.TestingT, machine *machine, bucket, key string, v *metapb.Version) {
	copied := v.Restore != nil && !v.Restore.Ongoing && len(v.Restore.ContentId) > 0
	for _, restored := range []bool{false, true} {
		a := machine.query(&metapb.Query{Op: &metapb.Query_Object{Object: &metapb.GetObject{Bucket: bucket, Key: key,
			VersionId: record.ShownVersionID(v.VersionId), Restored: restored}}})
		require.Equal(t, metapb.Refusal_REFUSAL_NONE, a.Refusal)
		require.Equal(t, v.Order, a.Object.Version.Order)
		if v.DeleteMarker {
			require.Nil(t, a.Object.Content)
			continue
		}
		require.Equal(t, v.Size, a.Object.Content.Length)
		require.Equal(t, restored && copied, a.Object.Restored)
	}
}

func compareLatest(t require.TestingT, machine *machine, bucket, key string, v *metapb.Version) {
	a := machine.query(&metapb.Query{Op: &metapb.Query_Object{Object: &metapb.GetObject{Bucket: bucket, Key: key}}})
	require.Equal(t, v.Order, a.Object.Version.Order)
	require.Equal(t, v.DeleteMarker, a.Refusal == metapb.Refusal_REFUSAL_NO_SUCH_KEY)
}

// compareRestores reads what is due before each time in pages of two.
func compareRestores(t require.TestingT, machine *machine, m *model) {
	for before := range uint64(7) {
		want := map[uint64]bool{} // Orders are of one version each, but for markers.
		for _, list := range m.versions {
			for _, v := range list {
				if at, due := record.RestoreTime(v.Restore); due && (before == 0 || at < before) {
					want[v.Order] = true
				}
			}
		}
		q := &metapb.ListWork{Kind: metapb.WorkKind_WORK_RESTORES, BeforeIndex: before, Max: 2}
		got := map[uint64]bool{}
		for more := true; more; {
			work := machine.query(&metapb.Query{Op: &metapb.Query_ListWork{ListWork: q}}).Work
			for _, i := range work.Items {
				require.GreaterOrEqual(t, i.Index, q.AfterIndex)
				require.False(t, got[i.Version.Order], "each is listed once")
				require.Equal(t, i.Version.Order, m.byName(i).GetOrder())
				got[i.Version.Order] = true
				q.AfterIndex, q.AfterId = i.Index, i.Id
			}
			more = work.Truncated
		}
		require.Equal(t, want, got)
	}
	var uploads []keys.ID
	for id := range m.states {
		uploads = append(uploads, id)
	}
	slices.SortFunc(uploads, func(a, b keys.ID) int { return slices.Compare(a[:], b[:]) })
	var got []keys.ID
	for _, i := range machine.query(&metapb.Query{Op: &metapb.Query_ListWork{ListWork: &metapb.ListWork{
		Kind: metapb.WorkKind_WORK_UPLOADS}}}).Work.Items {
		require.Equal(t, m.uploads[keys.ID(i.Id)].Key, i.Key)
		got = append(got, keys.ID(i.Id))
	}
	require.Equal(t, uploads, got)
}

// byName finds the version that an item names.
func (m *model) byName(i *metapb.WorkItem) *metapb.Version {
	list := m.versions[objectName{m.buckets[i.Bucket].GetId(), i.Key}]
	if at := indexOfVersion(list, i.Version.VersionId); at >= 0 {
		return list[at]
	}
	return nil
}
