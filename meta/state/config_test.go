package state

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/query"
	"github.com/cairnstore/cairn/meta/record"
)

func writeEntries(w *metapb.WriteEntries) *metapb.Command {
	return &metapb.Command{Op: &metapb.Command_WriteEntries{WriteEntries: w}}
}

func account(name string) *metapb.Entry {
	return &metapb.Entry{Kind: metapb.EntryKind_ENTRY_ACCOUNT, Name: name, Value: []byte(name)}
}

func (m *machine) entries(q *metapb.ListEntries) *metapb.Answer {
	return m.query(&metapb.Query{Op: &metapb.Query_Entries{Entries: q}})
}

func TestWriteEntries(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	c := newClient(t, m, 0, 1, 0)
	first := c.ok(t, writeEntries(&metapb.WriteEntries{Put: []*metapb.Entry{account("a"), account("b")}}))
	require.Equal(t, first.Index, first.ConfigRevision)
	const kind = metapb.EntryKind_ENTRY_ACCOUNT
	a, old := &metapb.EntryName{Kind: kind, Name: "a"}, first.Index
	longName, longValue := make([]byte, record.EntryNameMaxBytes+1), make([]byte, record.EntryValueMaxBytes+1)
	for i := range longName {
		longName[i] = 'n'
	}
	check := func(name string, revision uint64) []*metapb.EntryCheck {
		return []*metapb.EntryCheck{{Kind: kind, Name: name, Revision: revision}}
	}
	for name, tc := range map[string]struct {
		w       *metapb.WriteEntries
		refusal metapb.Refusal
		detail  string
	}{
		"stale check": {&metapb.WriteEntries{Checks: check("a", old-1), Put: []*metapb.Entry{account("c")}},
			metapb.Refusal_REFUSAL_ENTRY_CHANGED, `ENTRY_ACCOUNT "a"`},
		"check of what is not there": {&metapb.WriteEntries{Checks: check("x", old), Put: []*metapb.Entry{account("c")}},
			metapb.Refusal_REFUSAL_ENTRY_CHANGED, `"x"`},
		"is there and should not be": {&metapb.WriteEntries{Checks: check("b", 0), Put: []*metapb.Entry{account("b")}},
			metapb.Refusal_REFUSAL_ENTRY_CHANGED, `"b"`},
		"put twice":    {&metapb.WriteEntries{Put: []*metapb.Entry{account("c"), account("c")}}, metapb.Refusal_REFUSAL_INVALID, "twice"},
		"put and gone": {&metapb.WriteEntries{Put: []*metapb.Entry{account("a")}, Delete: []*metapb.EntryName{a}}, metapb.Refusal_REFUSAL_INVALID, "twice"},
		"no kind":      {&metapb.WriteEntries{Put: []*metapb.Entry{{Name: "c"}}}, metapb.Refusal_REFUSAL_INVALID, "name"},
		"no name":      {&metapb.WriteEntries{Put: []*metapb.Entry{account("")}}, metapb.Refusal_REFUSAL_INVALID, "name"},
		"long name":    {&metapb.WriteEntries{Put: []*metapb.Entry{account(string(longName))}}, metapb.Refusal_REFUSAL_INVALID, "name"},
		"bad check":    {&metapb.WriteEntries{Checks: check("", 0)}, metapb.Refusal_REFUSAL_INVALID, "name"},
		"long value": {&metapb.WriteEntries{Put: []*metapb.Entry{{Kind: kind, Name: "c", Value: longValue}}},
			metapb.Refusal_REFUSAL_INVALID, "65537 bytes"},
		"too many in one": {&metapb.WriteEntries{Checks: make([]*metapb.EntryCheck, WriteEntriesMax+1)},
			metapb.Refusal_REFUSAL_INVALID, "4096"},
	} {
		for i := range tc.w.Checks {
			if tc.w.Checks[i] == nil {
				tc.w.Checks[i] = &metapb.EntryCheck{Kind: kind, Name: "a"}
			}
		}
		r := c.do(writeEntries(tc.w))
		require.Equal(t, tc.refusal, r.Refusal, name)
		require.Contains(t, r.Detail, tc.detail, name)
		require.Zero(t, r.ConfigRevision, name)
	}
	require.Equal(t, first.Index, m.entries(&metapb.ListEntries{}).ConfigRevision, "a refusal changes nothing")
	nothing := c.ok(t, writeEntries(&metapb.WriteEntries{Checks: check("a", old), Delete: []*metapb.EntryName{{Kind: kind, Name: "x"}}}))
	require.Zero(t, nothing.ConfigRevision, "to delete what is not there changes nothing")
	second := c.ok(t, writeEntries(&metapb.WriteEntries{Checks: append(check("a", old), check("c", 0)...),
		Put: []*metapb.Entry{account("b"), account("c")}, Delete: []*metapb.EntryName{a}}))
	got := m.entries(&metapb.ListEntries{})
	require.Equal(t, second.Index, got.ConfigRevision)
	require.Len(t, got.Directory.Entries, 2)
	for i, want := range []string{"b", "c"} {
		require.Equal(t, want, got.Directory.Entries[i].Name)
		require.Equal(t, second.Index, got.Directory.Entries[i].Revision)
	}
	require.NoError(t, m.s.Check())
}

func TestDirectoryIsBounded(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	c := newClient(t, m, 0, 1, 0)
	c.ok(t, writeEntries(&metapb.WriteEntries{Put: []*metapb.Entry{account("a")}}))
	m.s.applied.Entries = EntriesMax // As if it were full.
	full := &metapb.WriteEntries{Put: []*metapb.Entry{account("a"), account("b")}}
	require.Equal(t, metapb.Refusal_REFUSAL_TOO_MANY, c.do(writeEntries(proto.Clone(full).(*metapb.WriteEntries))).Refusal)
	c.ok(t, writeEntries(&metapb.WriteEntries{Put: []*metapb.Entry{account("a")}}))
	c.ok(t, writeEntries(&metapb.WriteEntries{Put: []*metapb.Entry{account("b")},
		Delete: []*metapb.EntryName{{Kind: metapb.EntryKind_ENTRY_ACCOUNT, Name: "a"}}}))
	require.Equal(t, uint64(EntriesMax), m.query(&metapb.Query{Op: &metapb.Query_Status{Status: &metapb.GetStatus{}}}).Status.Entries)
}

func TestListEntriesPages(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	c := newClient(t, m, 0, 1, 0)
	var want []string
	for kind := range metapb.EntryKind(3) {
		for i := range 5 {
			e := &metapb.Entry{Kind: kind + 1, Name: fmt.Sprint("n", i), Value: make([]byte, record.EntryValueMaxBytes)}
			c.ok(t, writeEntries(&metapb.WriteEntries{Put: []*metapb.Entry{e}}))
			want = append(want, fmt.Sprint(e.Kind, e.Name))
		}
	}
	pages := func(q *metapb.ListEntries) (got []string) {
		for {
			a := m.entries(q).Directory
			for _, e := range a.Entries {
				got = append(got, fmt.Sprint(e.Kind, e.Name))
				q.AfterKind, q.AfterName = e.Kind, e.Name
			}
			if !a.Truncated {
				return got
			}
			require.NotEmpty(t, a.Entries)
		}
	}
	for _, limit := range []uint32{0, 1, 4, 100} {
		require.Equal(t, want, pages(&metapb.ListEntries{Max: limit}))
		require.Equal(t, want[5:10], pages(&metapb.ListEntries{Kind: 2, Max: limit}))
	}
	require.Empty(t, pages(&metapb.ListEntries{Kind: 9}))
	for i := range query.EntriesPageBytes/record.EntryValueMaxBytes + 10 {
		c.ok(t, writeEntries(&metapb.WriteEntries{Put: []*metapb.Entry{{Kind: 9, Name: fmt.Sprintf("%04d", i), Value: make([]byte, record.EntryValueMaxBytes)}}}))
	}
	require.True(t, m.entries(&metapb.ListEntries{Kind: 9}).Directory.Truncated, "a page is bounded in bytes, too")
}

// A node that has the directory is not sent it again for the sake of a bucket.
func TestDirectoryIsUnchanged(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	c := newClient(t, m, 0, 1, 0)
	c.bucket(t, "first")
	r := c.ok(t, writeEntries(&metapb.WriteEntries{Put: []*metapb.Entry{account("a")}}))
	require.Len(t, m.entries(&metapb.ListEntries{HaveRevision: r.Index - 1}).Directory.Entries, 1)
	have := m.entries(&metapb.ListEntries{HaveRevision: r.Index})
	require.True(t, have.Directory.Unchanged)
	require.Empty(t, have.Directory.Entries)
	c.bucket(t, "second")
	later := m.entries(&metapb.ListEntries{HaveRevision: r.Index})
	require.True(t, later.Directory.Unchanged)
	require.Greater(t, later.ConfigRevision, r.Index)
	c.ok(t, writeEntries(&metapb.WriteEntries{Delete: []*metapb.EntryName{{Kind: metapb.EntryKind_ENTRY_ACCOUNT, Name: "a"}}}))
	require.False(t, m.entries(&metapb.ListEntries{HaveRevision: later.ConfigRevision}).Directory.Unchanged)
}

func TestBucketConfig(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	c := newClient(t, m, 0, 1, 0)
	get := func(with bool) *metapb.Answer {
		return m.query(&metapb.Query{Op: &metapb.Query_Bucket{Bucket: &metapb.GetBucket{Name: "b", WithConfig: with}}})
	}
	part := func(name, value string) *metapb.ConfigPart {
		return &metapb.ConfigPart{Name: name, Value: []byte(value)}
	}
	set := func(v metapb.Versioning, parts ...*metapb.ConfigPart) *metapb.Result {
		return c.do(&metapb.Command{Op: &metapb.Command_SetBucketConfig{SetBucketConfig: &metapb.SetBucketConfig{
			Bucket: "b", Parts: parts, Versioning: v}}})
	}
	const off, enabled, suspended = metapb.Versioning_VERSIONING_OFF, metapb.Versioning_VERSIONING_ENABLED, metapb.Versioning_VERSIONING_SUSPENDED
	require.Equal(t, metapb.Refusal_REFUSAL_NO_SUCH_BUCKET, set(off).Refusal)
	require.Equal(t, metapb.Refusal_REFUSAL_NO_SUCH_BUCKET, get(true).Refusal)
	made := c.ok(t, &metapb.Command{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{
		Bucket: &metapb.Bucket{Name: "b"}, Config: []*metapb.ConfigPart{part("policy", "p"), part("acl", "a"), part("none", "")}}}})
	require.Equal(t, made.Index, made.ConfigRevision)
	require.Nil(t, get(false).BucketConfig)
	names := func() (s string) {
		for _, p := range get(true).BucketConfig.Parts {
			s += p.Name + "=" + string(p.Value) + " "
		}
		return s
	}
	require.Equal(t, "acl=a policy=p ", names())
	again := c.do(&metapb.Command{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{
		Bucket: &metapb.Bucket{Name: "b"}, Config: []*metapb.ConfigPart{part("policy", "other")}}}})
	require.Equal(t, metapb.Refusal_REFUSAL_BUCKET_EXISTS, again.Refusal)

	r := set(off, part("policy", ""), part("lifecycle", "l"), part("gone", ""))
	require.Equal(t, r.Index, r.ConfigRevision)
	require.Equal(t, "acl=a lifecycle=l ", names())
	require.Equal(t, off, get(false).Bucket.Versioning)
	for _, v := range []metapb.Versioning{enabled, off, suspended, enabled} {
		set(v)
		if v != off {
			require.Equal(t, v, get(false).Bucket.Versioning)
		}
	}
	require.Equal(t, enabled, get(false).Bucket.Versioning, "it cannot be turned off")

	require.Equal(t, metapb.Refusal_REFUSAL_INVALID, set(9).Refusal)
	require.Equal(t, metapb.Refusal_REFUSAL_INVALID, set(off, part("", "x")).Refusal)
	require.Equal(t, metapb.Refusal_REFUSAL_INVALID, set(off, part("acl", string(make([]byte, record.ConfigPartMaxBytes+1)))).Refusal)
	var many []*metapb.ConfigPart
	for i := range record.ConfigPartsMax {
		many = append(many, part(fmt.Sprint("x", i), "x"))
	}
	require.Equal(t, metapb.Refusal_REFUSAL_TOO_MANY, set(off, many...).Refusal)
	require.Equal(t, "acl=a lifecycle=l ", names())
	require.NoError(t, m.s.Check())

	gone := c.ok(t, &metapb.Command{Op: &metapb.Command_DeleteBucket{DeleteBucket: &metapb.DeleteBucket{Name: "b"}}})
	require.Equal(t, gone.Index, gone.ConfigRevision)
	c.bucket(t, "b")
	require.Empty(t, names(), "the configuration goes with the bucket")
}
