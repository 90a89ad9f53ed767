package state

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// unqueried are the kinds of records with a message that no query decodes, with the reason.
var unqueried = map[keys.Kind]string{
	keys.KindApplied: "it is kept in memory",
	keys.KindCluster: "it is kept in memory",
	keys.KindRefused: "it is kept in memory",
	keys.KindLease:   "that it is there is all that a query asks",
	keys.KindPin:     "what it refers to has a reference for it",
	keys.KindSession: "it is for commands alone",
	keys.KindResult:  "it is for commands alone",
}

// goldenQueries ask for all that the golden state holds, each in the ways that read it
// differently.
func goldenQueries() (all []*metapb.Query) {
	var extents []*metapb.ExtentRef
	var shards []*metapb.ExtentSlots
	for _, seq := range []uint64{1, 2, 3, 4, 100, 101, 1000} { // The last two are doomed, and not there.
		extents = append(extents, &metapb.ExtentRef{Volume: 1, Seq: seq})
		for _, slots := range []uint32{1, 2} {
			shards = append(shards, &metapb.ExtentSlots{Volume: 1, Seq: seq, Slots: slots})
		}
	}
	all = []*metapb.Query{
		{Op: &metapb.Query_View{View: &metapb.GetView{}}},
		{Op: &metapb.Query_ListBuckets{ListBuckets: &metapb.ListBuckets{WithUsage: true}}},
		{Op: &metapb.Query_Status{Status: &metapb.GetStatus{}}},
		{Op: &metapb.Query_Status{Status: &metapb.GetStatus{Down: []uint64{1}}}},
		{Op: &metapb.Query_VolumeStats{VolumeStats: &metapb.ListVolumeStats{}}},
		{Op: &metapb.Query_Entries{Entries: &metapb.ListEntries{}}},
		{Op: &metapb.Query_Entries{Entries: &metapb.ListEntries{Kind: metapb.EntryKind_ENTRY_ACCOUNT}}},
		{Op: &metapb.Query_Extents{Extents: &metapb.GetExtents{Extents: extents, MaxOwners: 10}}},
		{Op: &metapb.Query_KnownExtents{KnownExtents: &metapb.KnownExtents{Drive: 100, Extents: shards}}},
		{Op: &metapb.Query_ShardDigest{ShardDigest: &metapb.DigestShards{Drive: 100, Volume: 1}}},
		{Op: &metapb.Query_EventQueues{EventQueues: &metapb.ListEventQueues{}}},
		{Op: &metapb.Query_Events{Events: &metapb.ListEvents{Target: "t"}}},
	}
	for _, name := range []string{"b", "v"} {
		all = append(all,
			&metapb.Query{Op: &metapb.Query_Bucket{Bucket: &metapb.GetBucket{Name: name, WithConfig: true, WithUsage: true}}},
			&metapb.Query{Op: &metapb.Query_ListObjects{ListObjects: &metapb.ListObjects{Bucket: name, MaxKeys: 10}}},
			&metapb.Query{Op: &metapb.Query_ListVersions{ListVersions: &metapb.ListVersions{Bucket: name, MaxKeys: 10}}},
			&metapb.Query{Op: &metapb.Query_ListUploads{ListUploads: &metapb.ListUploads{Bucket: name, MaxUploads: 10}}})
	}
	for kind := range metapb.WorkKind_name {
		all = append(all, &metapb.Query{Op: &metapb.Query_ListWork{ListWork: &metapb.ListWork{
			Kind: metapb.WorkKind(kind), Volume: 1}}})
	}
	for _, q := range []*metapb.GetObject{
		{Bucket: "b", Key: "inline"}, {Bucket: "b", Key: "told"}, {Bucket: "b", Key: "none", AlternateKey: "inline"},
		{Bucket: "v", Key: "k"}, {Bucket: "v", Key: "k", VersionId: "v1", Restored: true},
		{Bucket: "v", Key: "k", VersionId: "v2"},
	} {
		all = append(all, &metapb.Query{Op: &metapb.Query_Object{Object: q}})
	}
	for n, open := range map[int]string{1: "k", 5: "open"} {
		all = append(all,
			&metapb.Query{Op: &metapb.Query_Upload{Upload: &metapb.GetUpload{
				Bucket: "b", Key: open, UploadId: id(n), WithParts: true}}},
			&metapb.Query{Op: &metapb.Query_ListParts{ListParts: &metapb.ListParts{
				Bucket: "b", Key: open, UploadId: id(n), MaxParts: 10}}})
	}
	return all
}

// contentQueries ask for the multipart object b/k of package state's tests.
func contentQueries(content []byte) []*metapb.Query {
	return []*metapb.Query{
		{Op: &metapb.Query_Object{Object: &metapb.GetObject{Bucket: "b", Key: "k"}}},
		{Op: &metapb.Query_Content{Content: &metapb.GetContent{ContentId: content, Multipart: true, Length: 40}}},
		{Op: &metapb.Query_ObjectParts{ObjectParts: &metapb.ObjectParts{ContentId: content, Max: 10}}},
	}
}

// TestQueriesPassOverNoDamage: whichever record cannot be decoded, a query answers what it
// would with the record whole, since it needs nothing of it, or fails and names the record.
// It never answers less.
func TestQueriesPassOverNoDamage(t *testing.T) {
	t.Run("every kind", func(t *testing.T) {
		m := golden(t)
		defer m.close()
		failed := passOverNoDamage(t, m, goldenQueries())
		for kind := range kindsIn(t, "testdata/records.golden", 0) {
			reason, exempt := unqueried[kind]
			if record.New(kind) != nil && kind != keys.KindLayout { // Of a content that is dropped.
				require.Equal(t, exempt, !failed[kind], "records of %q: %s", kind, reason)
			}
		}
	})
	t.Run("a multipart object", func(t *testing.T) {
		m := newMachine(t, nil)
		defer m.close()
		c := newClient(t, m, 1, 2, 1)
		multipart(t, c, 3)
		content := m.get(&metapb.GetObject{Bucket: "b", Key: "k"}).Version.ContentId
		failed := passOverNoDamage(t, m, contentQueries(content))
		for _, kind := range []keys.Kind{keys.KindObject, keys.KindLayout, keys.KindPart, keys.KindExtent} {
			require.True(t, failed[kind], "records of %q", kind)
		}
	})
}

// passOverNoDamage damages one record after the other, asks everything each time, and
// returns the kinds of records for which a query failed.
func passOverNoDamage(t *testing.T, m *machine, queries []*metapb.Query) map[keys.Kind]bool {
	t.Helper()
	want := make([]*metapb.Answer, len(queries))
	for i, q := range queries {
		want[i] = m.query(q)
	}
	failed := map[keys.Kind]bool{}
	eachRecord(t, m, func(key, value []byte) {
		kind := keys.Kind(key[0])
		if record.New(kind) == nil {
			return
		}
		require.NoError(t, m.s.db.Set(key, []byte{0xff}, pebble.NoSync))
		for i, q := range queries {
			a, err := m.s.Query(q)
			if err == nil {
				require.True(t, proto.Equal(want[i], a), "%v with a bad record of %q: %v, not %v", q, kind, a, want[i])
				continue
			}
			require.True(t, errs.Is(err, errs.Corrupt), "%v: %v", q, err)
			require.True(t, record.IsContradiction(err), "%v: %v", q, err)
			require.ErrorContains(t, err, record.Name(key), "%v", q)
			failed[kind] = true
		}
		require.NoError(t, m.s.db.Set(key, value, pebble.NoSync))
	})
	return failed
}

// eachRecord calls f with every record that a state has now.
func eachRecord(t *testing.T, m *machine, f func(key, value []byte)) {
	t.Helper()
	var all [][2][]byte
	require.NoError(t, m.s.records(func(key, value []byte) error {
		all = append(all, [2][]byte{slices.Clone(key), slices.Clone(value)})
		return nil
	}))
	for _, r := range all {
		f(r[0], r[1])
	}
}

// TestQueriesMissWhatIsReferredTo: where a record is gone that another one refers to, what
// follows the reference fails.
func TestQueriesMissWhatIsReferredTo(t *testing.T) {
	c := versioned(t, versioningEnabled)
	c.ok(t, createUpload(5, "b", "open"))
	c.ok(t, createUpload(1, "b", "parts"))
	for n := range 2 {
		p, fresh := extentPart(uint32(n+1), 1, uint64(10+n), 10)
		c.ok(t, putPart(1, "b", "parts", p, fresh))
	}
	content := c.ok(t, completeAll(1, 2, 10, "b", "parts")).Version.ContentId
	cold := putExtent("b", "k", 2, 1, 1, 10)
	cold.GetPutObject().Version.VersionId = "a"
	c.ok(t, cold)
	c.ok(t, update(&metapb.UpdateVersion{Restore: &metapb.Restore{Ongoing: true, DueMs: 500}}))
	c.ok(t, putVersion("k", "b", 3))
	c.ok(t, putExtent("b", "lost", 4, 1, 3, 10))
	garbage := putExtent("b", "garbage", 6, 1, 4, 10)
	garbage.GetPutObject().Version.VersionId = "g"
	c.ok(t, garbage)
	c.ok(t, deleteVersion("garbage", "g", ""))
	c.ok(t, &metapb.Command{Op: &metapb.Command_SetMissing{SetMissing: &metapb.SetMissing{
		Add: []*metapb.ExtentSlots{{Volume: 1, Seq: 3, Slots: 1}}}}})
	c.ok(t, &metapb.Command{Op: &metapb.Command_SetDriveState{SetDriveState: &metapb.SetDriveState{
		Drive: 101, State: metapb.Life_LIFE_FAILED, Force: true}}})
	work := func(kind metapb.WorkKind) *metapb.Query {
		return &metapb.Query{Op: &metapb.Query_ListWork{ListWork: &metapb.ListWork{Kind: kind}}}
	}
	object := func(key, version string) *metapb.Query {
		return &metapb.Query{Op: &metapb.Query_Object{Object: &metapb.GetObject{Bucket: "b", Key: key, VersionId: version}}}
	}
	byID := func(op *metapb.Query) []*metapb.Query { return []*metapb.Query{op} }
	older := onlyVersion(t, c.m, keys.KindObject, func(v *metapb.Version) bool { return v.VersionId == "a" })
	part := keys.AppendPart(nil, keys.ID(content), 2)
	for name, tc := range map[string]struct {
		key     []byte
		queries []*metapb.Query
	}{
		"the version of a restore": {older, byID(work(metapb.WorkKind_WORK_RESTORES))},
		"an open upload":           {keys.AppendUpload(nil, keys.ID(id(5))), byID(work(metapb.WorkKind_WORK_UPLOADS))},
		"an extent of a version":   {keys.AppendExtent(nil, record.ExtentID(1, 1)), byID(object("k", "a"))},
		"a part of a version":      {keys.AppendPart(nil, keys.ID(id(3)), 1), byID(object("k", "b"))},
		"a layout":                 {keys.AppendLayout(nil, keys.ID(content)), byID(object("parts", ""))},
		"a part of a layout": {part, []*metapb.Query{object("parts", ""),
			{Op: &metapb.Query_ObjectParts{ObjectParts: &metapb.ObjectParts{ContentId: content, Max: 10}}}}},
		"an extent that misses shards": {keys.AppendExtent(nil, record.ExtentID(1, 3)),
			[]*metapb.Query{work(metapb.WorkKind_WORK_MISSING), {Op: &metapb.Query_Status{Status: &metapb.GetStatus{}}}}},
		"garbage": {keys.AppendExtent(nil, record.ExtentID(1, 4)), byID(work(metapb.WorkKind_WORK_GC))},
	} {
		t.Run(name, func(t *testing.T) {
			value, closer, err := c.m.s.db.Get(tc.key)
			require.NoError(t, err, "the record is there")
			value = slices.Clone(value)
			require.NoError(t, closer.Close())
			for _, q := range tc.queries {
				a, err := c.m.s.Query(q)
				require.NoError(t, err)
				require.Equal(t, metapb.Refusal_REFUSAL_NONE, a.Refusal)
			}
			require.NoError(t, c.m.s.db.Delete(tc.key, pebble.NoSync))
			for _, q := range tc.queries {
				a, err := c.m.s.Query(q)
				require.True(t, errs.Is(err, errs.Corrupt), "%v: %v, %v", q, a, err)
			}
			require.NoError(t, c.m.s.db.Set(tc.key, value, pebble.NoSync))
		})
	}
}

// onlyVersion returns the key of the one version of a kind that is wanted.
func onlyVersion(t *testing.T, m *machine, kind keys.Kind, wanted func(*metapb.Version) bool) (at []byte) {
	t.Helper()
	eachRecord(t, m, func(key, value []byte) {
		if keys.Kind(key[0]) != kind {
			return
		}
		v := new(metapb.Version)
		require.NoError(t, proto.Unmarshal(value, v))
		if wanted(v) {
			require.Nil(t, at, fmt.Sprint("two of them: ", v))
			at = key
		}
	})
	require.NotNil(t, at)
	return at
}
