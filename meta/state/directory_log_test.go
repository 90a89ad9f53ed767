package state

import (
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/query"
	"github.com/cairnstore/cairn/meta/record"
)

// asOf is the directory as it was at a config revision: revisions of entries by name.
type asOf struct {
	revision uint64
	entries  map[record.EntryName]uint64
}

// whole reads all of the directory, in one state.
func (m *machine) whole() asOf {
	got := asOf{entries: map[record.EntryName]uint64{}}
	q := &metapb.ListEntries{Max: 2}
	for {
		a := m.entries(q)
		require.False(m.t, a.Directory.Differences)
		require.Empty(m.t, a.Directory.Removed)
		got.revision = a.ConfigRevision
		for _, e := range a.Directory.Entries {
			n := record.EntryName{Kind: e.Kind, Name: e.Name}
			got.entries[n] = e.Revision
			q.AfterKind, q.AfterName = n.Kind, n.Name
		}
		if !a.Directory.Truncated {
			return got
		}
	}
}

// since reads what has changed since a directory, page by page, and reports whether it
// was told; nothing where it was not.
func (m *machine) since(old asOf, limit uint32) (asOf, bool) {
	got := asOf{old.revision, maps.Clone(old.entries)}
	q := &metapb.ListEntries{Max: limit, HaveRevision: old.revision, Differences: true}
	for {
		a := m.entries(q)
		if a.Directory.Unchanged {
			require.Empty(m.t, q.AfterName)
			got.revision = a.ConfigRevision
			return got, true
		}
		if !a.Directory.Differences {
			return asOf{}, false
		}
		require.LessOrEqual(m.t, len(a.Directory.Entries)+len(a.Directory.Removed), int(limit))
		last := record.EntryName{Kind: q.AfterKind, Name: q.AfterName}
		for _, e := range a.Directory.Entries {
			n := record.EntryName{Kind: e.Kind, Name: e.Name}
			require.Positive(m.t, n.Compare(record.EntryName{Kind: q.AfterKind, Name: q.AfterName}), "pages are in order")
			require.Greater(m.t, e.Revision, old.revision, "only what has changed")
			got.entries[n] = e.Revision
			if last.Compare(n) < 0 {
				last = n
			}
		}
		for _, e := range a.Directory.Removed {
			n := record.EntryName{Kind: e.Kind, Name: e.Name}
			require.Positive(m.t, n.Compare(record.EntryName{Kind: q.AfterKind, Name: q.AfterName}), "pages are in order")
			delete(got.entries, n)
			if last.Compare(n) < 0 {
				last = n
			}
		}
		got.revision = a.ConfigRevision
		if !a.Directory.Truncated {
			return got, true
		}
		q.AfterKind, q.AfterName = last.Kind, last.Name
	}
}

// TestDifferencesMakeTheWhole: what has changed since any earlier directory makes of it
// the one of now, whatever was changed; only a state that was opened meanwhile cannot
// tell, and says so.
func TestDifferencesMakeTheWhole(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newMachine(rt, nil)
		defer func() { m.close() }()
		c := newClient(t, m, 0, 1, 0)
		var known []asOf
		opened := uint64(0)
		for step := range rapid.IntRange(1, 30).Draw(rt, "steps") {
			switch rapid.IntRange(0, 9).Draw(rt, "op") {
			case 0:
				m.close()
				m.open()
				opened = m.whole().revision
			case 1:
				c.bucket(t, fmt.Sprintf("bucket-%d", step))
			case 2, 3:
				known = append(known, m.whole())
			default:
				w := &metapb.WriteEntries{}
				for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, 8), 1, 5, rapid.ID[int]).Draw(rt, "entries") {
					kind, name := metapb.EntryKind(1+i%2), fmt.Sprint(i)
					if rapid.Bool().Draw(rt, "remove") {
						w.Delete = append(w.Delete, &metapb.EntryName{Kind: kind, Name: name})
					} else {
						w.Put = append(w.Put, &metapb.Entry{Kind: kind, Name: name, Value: []byte{byte(step)}})
					}
				}
				c.ok(t, writeEntries(w))
			}
			now := m.whole()
			for _, old := range known {
				got, told := m.since(old, uint32(rapid.IntRange(1, 4).Draw(rt, "page")))
				if told {
					require.Equal(rt, now, got)
				} else {
					require.True(rt, old.revision == 0 || old.revision < opened, "it was there all the time")
				}
			}
		}
	})
}

// TestOldDirectoryIsAnsweredWhole: whoever knows a directory that is older than what is
// remembered of changes is answered all of it.
func TestOldDirectoryIsAnsweredWhole(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	c := newClient(t, m, 0, 1, 0)
	c.ok(t, writeEntries(&metapb.WriteEntries{Put: []*metapb.Entry{account("first")}}))
	first := m.whole()
	for i := range 2 * query.DirectoryLogMax / 4000 {
		w := &metapb.WriteEntries{}
		for j := range 4000 {
			w.Put = append(w.Put, &metapb.Entry{Kind: 9, Name: fmt.Sprint(i, "/", j)})
		}
		c.ok(t, writeEntries(w))
		_, told := m.since(first, 1000)
		require.True(t, told)
	}
	c.ok(t, writeEntries(&metapb.WriteEntries{Put: []*metapb.Entry{account("more")}}))
	w := &metapb.WriteEntries{}
	for j := range 4000 {
		w.Put = append(w.Put, &metapb.Entry{Kind: 9, Name: fmt.Sprint("last/", j)})
	}
	c.ok(t, writeEntries(w))
	_, told := m.since(first, 1000)
	require.False(t, told, "more has changed than is remembered")
}

// TestRevisionsOfTheirOwn: a bucket moves no revision of the directory, and the other way
// round, but for a state that was just opened and cannot know.
func TestRevisionsOfTheirOwn(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	a := m.entries(&metapb.ListEntries{})
	require.Equal(t, []uint64{1, 1}, []uint64{a.DirectoryRevision, a.BucketsRevision}, "0 is for those who do not tell")
	c := newClient(t, m, 0, 1, 0)
	entry := c.ok(t, writeEntries(&metapb.WriteEntries{Put: []*metapb.Entry{account("a")}}))
	c.bucket(t, "b")
	a = m.entries(&metapb.ListEntries{})
	require.EqualValues(t, 1, a.BucketsRevision, "one that is made is none that anybody knows")
	c.ok(t, &metapb.Command{Op: &metapb.Command_SetBucketQuota{
		SetBucketQuota: &metapb.SetBucketQuota{Bucket: "b", Bytes: 1}}})
	bucket := m.entries(&metapb.ListEntries{})
	require.Equal(t, []uint64{entry.Index, bucket.ConfigRevision}, []uint64{bucket.DirectoryRevision, bucket.BucketsRevision})
	entry = c.ok(t, writeEntries(&metapb.WriteEntries{Put: []*metapb.Entry{account("a")}}))
	a = m.entries(&metapb.ListEntries{})
	require.Equal(t, []uint64{entry.Index, bucket.ConfigRevision}, []uint64{a.DirectoryRevision, a.BucketsRevision})
	m.close()
	m.open()
	a = m.entries(&metapb.ListEntries{})
	require.Equal(t, []uint64{entry.Index, entry.Index}, []uint64{a.DirectoryRevision, a.BucketsRevision})
}

// TestBucketsOfAnAccount: an account makes no more buckets than the command says, however
// many there are of others, and the count is right after the state was opened anew.
func TestBucketsOfAnAccount(t *testing.T) {
	m := newMachine(t, nil)
	defer func() { m.close() }()
	c := newClient(t, m, 0, 1, 0)
	create := func(name, owner string, most uint32) metapb.Refusal {
		return c.do(&metapb.Command{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{
			Bucket: &metapb.Bucket{Name: name, Owner: owner}, OwnedMax: most}}}).Refusal
	}
	const none, tooMany = metapb.Refusal_REFUSAL_NONE, metapb.Refusal_REFUSAL_TOO_MANY_BUCKETS
	require.Equal(t, none, create("a1", "a", 2))
	require.Equal(t, none, create("a2", "a", 2))
	require.Equal(t, tooMany, create("a3", "a", 2))
	require.Equal(t, metapb.Refusal_REFUSAL_BUCKET_EXISTS, create("a2", "a", 2))
	require.Equal(t, none, create("b1", "b", 2))
	require.Equal(t, none, create("a3", "a", 0), "no bound")
	for range 2 {
		require.Equal(t, tooMany, create("a4", "a", 3))
		require.Equal(t, tooMany, create("a4", "a", 1), "there were more before the bound")
		m.close()
		m.open()
	}
	c.ok(t, &metapb.Command{Op: &metapb.Command_DeleteBucket{DeleteBucket: &metapb.DeleteBucket{Name: "a1"}}})
	require.Equal(t, none, create("a4", "a", 3))
	require.Equal(t, tooMany, create("a5", "a", 3))
	require.Equal(t, none, create("b2", "b", 2))
	require.Equal(t, map[string]uint32{"a": 3, "b": 2}, m.s.mem.owned)
}

// A list of one kind is of that kind alone, the greatest one included, whole or as
// differences.
func TestEntriesOfOneKind(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	c := newClient(t, m, 0, 1, 0)
	c.ok(t, writeEntries(&metapb.WriteEntries{Put: []*metapb.Entry{{Kind: 3, Name: "first", Value: []byte{1}}}}))
	old := m.whole()
	kinds := []metapb.EntryKind{1, 2, record.EntryKindMax}
	w := &metapb.WriteEntries{}
	for _, kind := range kinds {
		w.Put = append(w.Put, &metapb.Entry{Kind: kind, Name: "n", Value: []byte{1}})
	}
	c.ok(t, writeEntries(w))
	for _, kind := range kinds {
		for _, q := range []*metapb.ListEntries{
			{Kind: kind}, {Kind: kind, HaveRevision: old.revision, Differences: true},
		} {
			a := m.entries(q)
			require.Equal(t, q.Differences, a.Directory.Differences)
			require.Len(t, a.Directory.Entries, 1)
			require.Equal(t, kind, a.Directory.Entries[0].Kind)
		}
	}
}
