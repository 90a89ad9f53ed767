package state

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

func update(u *metapb.UpdateVersion) *metapb.Command {
	u.Bucket, u.Key = "b", "k"
	return &metapb.Command{Op: &metapb.Command_UpdateVersion{UpdateVersion: u}}
}

// copyOf returns a restore of a version of one part that is done, and the part, one
// new extent.
func copyOf(content int, seq, size uint64, expires int64) *metapb.UpdateVersion {
	p, fresh := extentPart(1, 1, seq, size)
	return &metapb.UpdateVersion{Restore: &metapb.Restore{ContentId: id(content), ExpiresMs: expires},
		Parts: []*metapb.Part{p}, Extents: fresh}
}

func (m *machine) work(kind metapb.WorkKind, before uint64) []*metapb.WorkItem {
	return m.query(&metapb.Query{Op: &metapb.Query_ListWork{ListWork: &metapb.ListWork{Kind: kind, BeforeIndex: before}}}).Work.Items
}

func (m *machine) status() *metapb.StatusAnswer {
	return m.query(&metapb.Query{Op: &metapb.Query_Status{Status: &metapb.GetStatus{}}}).Status
}

func TestUpdateVersion(t *testing.T) {
	c := versioned(t, versioningEnabled)
	c.ok(t, putVersion("k", "a", 1))
	c.ok(t, putVersion("k", "b", 2))
	acl := &metapb.Acl{Grants: []*metapb.Grant{{Account: "you", Permission: metapb.Permission_PERMISSION_READ}}}
	tags := []*metapb.Pair{{Name: "t", Value: "v"}}
	get := func(version string) *metapb.Version {
		return c.m.get(&metapb.GetObject{Bucket: "b", Key: "k", VersionId: version}).Version
	}
	before := get("b")
	r := c.ok(t, update(&metapb.UpdateVersion{VersionId: "a", Acl: acl, SetTags: true, Tags: tags, ContentId: id(1)}))
	require.Equal(t, "a", r.Version.VersionId)
	require.True(t, proto.Equal(r.Version, get("a")))
	require.True(t, proto.Equal(acl, get("a").Acl))
	require.Equal(t, "v", get("a").Tags[0].Value)
	require.True(t, proto.Equal(before, get("b")), "another version is as it was")
	c.ok(t, update(&metapb.UpdateVersion{Acl: acl}))
	require.True(t, proto.Equal(acl, get("").Acl))
	c.ok(t, update(&metapb.UpdateVersion{VersionId: "a", SetTags: true}))
	require.Empty(t, get("a").Tags)
	require.NotNil(t, get("a").Acl, "what is not named stays")

	for name, tc := range map[string]struct {
		u    *metapb.UpdateVersion
		want metapb.Refusal
	}{
		"no version":      {&metapb.UpdateVersion{VersionId: "c"}, metapb.Refusal_REFUSAL_NO_SUCH_VERSION},
		"no null version": {&metapb.UpdateVersion{VersionId: "null"}, metapb.Refusal_REFUSAL_NO_SUCH_VERSION},
		"other content":   {&metapb.UpdateVersion{ContentId: id(1)}, metapb.Refusal_REFUSAL_PRECONDITION_FAILED},
	} {
		require.Equal(t, tc.want, c.do(update(tc.u)).Refusal, name)
	}
	c.ok(t, deleteVersion("k", "", "m"))
	require.Equal(t, metapb.Refusal_REFUSAL_NO_SUCH_KEY, c.do(update(&metapb.UpdateVersion{})).Refusal, "a marker is the latest")
	require.Equal(t, metapb.Refusal_REFUSAL_NO_SUCH_VERSION, c.do(update(&metapb.UpdateVersion{VersionId: "m"})).Refusal)
	gone := update(&metapb.UpdateVersion{})
	gone.GetUpdateVersion().Bucket = "none"
	require.Equal(t, metapb.Refusal_REFUSAL_NO_SUCH_BUCKET, c.do(gone).Refusal)
}

// A version is listed by the time of its restore wherever it lies, until it goes.
func TestLifeOfARestore(t *testing.T) {
	c := versioned(t, versioningEnabled)
	restores := func(before uint64) (s string) {
		for _, i := range c.m.work(metapb.WorkKind_WORK_RESTORES, before) {
			s += fmt.Sprintf("%s/%s %s@%d ", i.Bucket, i.Key, i.Version.VersionId, i.Index)
		}
		return s
	}
	cold := putExtent("b", "k", 1, 1, 1, 10)
	cold.GetPutObject().Version.VersionId = "a"
	c.ok(t, cold)
	c.ok(t, update(&metapb.UpdateVersion{Restore: &metapb.Restore{Ongoing: true, DueMs: 500}}))
	require.Equal(t, "b/k a@500 ", restores(0))
	require.Empty(t, restores(500))
	require.Equal(t, "b/k a@500 ", restores(501))
	c.ok(t, putVersion("k", "b", 2))
	require.Equal(t, "b/k a@500 ", restores(0), "listed as an older version, too")

	done := copyOf(10, 2, 10, 900)
	done.VersionId = "a"
	c.ok(t, update(done))
	require.Equal(t, "b/k a@900 ", restores(0))
	require.Zero(t, c.m.status().ExtentsGc)
	get := func(restored bool) *metapb.ObjectAnswer {
		return c.m.get(&metapb.GetObject{Bucket: "b", Key: "k", VersionId: "a", Restored: restored})
	}
	require.Equal(t, uint64(1), get(false).Content.Pieces[0].Ref.Seq)
	require.Equal(t, uint64(2), get(true).Content.Pieces[0].Ref.Seq)
	require.Equal(t, []bool{false, true}, []bool{get(false).Restored, get(true).Restored})

	longer := &metapb.UpdateVersion{VersionId: "a", Restore: &metapb.Restore{ContentId: id(10), ExpiresMs: 1900}}
	c.ok(t, update(longer))
	require.Equal(t, "b/k a@1900 ", restores(0))
	require.Equal(t, uint64(2), get(true).Content.Pieces[0].Ref.Seq, "the copy stays")

	c.ok(t, update(&metapb.UpdateVersion{VersionId: "a", ClearRestore: true}))
	require.Empty(t, restores(0))
	require.False(t, get(true).Restored)
	require.Equal(t, uint64(1), c.m.status().ExtentsGc, "the copy is dropped")

	again := copyOf(11, 3, 10, 900)
	again.VersionId = "a"
	c.ok(t, update(again))
	other := copyOf(12, 4, 10, 900)
	other.VersionId = "a"
	c.ok(t, update(other))
	require.Equal(t, uint64(2), c.m.status().ExtentsGc, "the copy that is no longer named is dropped")
	c.ok(t, deleteVersion("k", "b", ""))
	require.Equal(t, "b/k a@900 ", restores(0), "listed as the latest again")
	c.ok(t, deleteVersion("k", "a", ""))
	require.Empty(t, restores(0))
	require.Equal(t, uint64(4), c.m.status().ExtentsGc, "the version goes with its copy")
	require.NoError(t, c.m.s.Check())
}

// Where a put replaces a version, the copy of that goes, too.
func TestReplacedVersionTakesItsCopyAlong(t *testing.T) {
	c := versioned(t, versioningOff)
	c.ok(t, putExtent("b", "k", 1, 1, 1, 10))
	c.ok(t, update(copyOf(10, 2, 10, 900)))
	c.ok(t, putVersion("k", "", 2))
	require.Equal(t, uint64(2), c.m.status().ExtentsGc)
	require.Empty(t, c.m.work(metapb.WorkKind_WORK_RESTORES, 0))
	require.Nil(t, c.m.get(&metapb.GetObject{Bucket: "b", Key: "k"}).Version.Restore)
	require.NoError(t, c.m.s.Check())
}

func TestCopyRefusals(t *testing.T) {
	c := versioned(t, versioningOff)
	c.ok(t, putExtent("b", "k", 1, 1, 1, 10))
	before := c.m.dump()
	change := func(f func(u *metapb.UpdateVersion)) *metapb.UpdateVersion {
		u := copyOf(10, 2, 10, 900)
		f(u)
		return u
	}
	for name, u := range map[string]*metapb.UpdateVersion{
		"set and cleared":      change(func(u *metapb.UpdateVersion) { u.ClearRestore = true }),
		"parts without":        change(func(u *metapb.UpdateVersion) { u.Restore = nil }),
		"parts of no content":  change(func(u *metapb.UpdateVersion) { u.Restore.ContentId = nil }),
		"count of no content":  {Restore: &metapb.Restore{Parts: 1}},
		"content is no id":     change(func(u *metapb.UpdateVersion) { u.Restore.ContentId = []byte("x") }),
		"version's content":    change(func(u *metapb.UpdateVersion) { u.Restore.ContentId = id(1) }),
		"other count of parts": change(func(u *metapb.UpdateVersion) { u.Restore.Parts = 1 }),
		"begins with nothing":  change(func(u *metapb.UpdateVersion) { u.Parts, u.Extents = nil, nil }),
		"second part":          change(func(u *metapb.UpdateVersion) { u.Parts[0].Number = 2 }),
		"part without number":  change(func(u *metapb.UpdateVersion) { u.Parts[0].Number = 0 }),
		"other size":           copyOf(10, 2, 9, 900),
		"part adds up wrongly": change(func(u *metapb.UpdateVersion) { u.Parts[0].Size = 9 }),
		"layout of one part":   change(func(u *metapb.UpdateVersion) { u.Layout = &metapb.Layout{} }),
		"extent not used":      change(func(u *metapb.UpdateVersion) { u.Extents = append(u.Extents, u.Extents[0]) }),
	} {
		require.Equal(t, metapb.Refusal_REFUSAL_INVALID, c.do(update(u)).Refusal, name)
	}
	require.NoError(t, c.m.s.Check())
	require.Equal(t, countLines(before, "p "), countLines(c.m.dump(), "p "), "a refusal writes nothing")

	c.ok(t, put("b", "other", 20, nil))
	require.Equal(t, metapb.Refusal_REFUSAL_INVALID, c.do(update(copyOf(20, 2, 10, 900))).Refusal, "content in use")
	c.ok(t, update(copyOf(10, 2, 10, 900)))
	for name, u := range map[string]*metapb.UpdateVersion{
		"ongoing again": {Restore: &metapb.Restore{ContentId: id(10), Ongoing: true}},
		"more parts":    copyOf(10, 3, 10, 900),
	} {
		require.Equal(t, metapb.Refusal_REFUSAL_INVALID, c.do(update(u)).Refusal, name)
	}
	require.NoError(t, c.m.s.Check())
}

func countLines(dump, prefix string) (n int) {
	for line := range strings.Lines(dump) {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}

// The copy of a large object comes in several commands. Until the last one it is
// not to be read; whatever there is of it goes with the version.
func TestCopyInSteps(t *testing.T) {
	for _, finish := range []bool{true, false} {
		m := newMachine(t, nil)
		c := newClient(t, m, 1, 2, 1)
		const parts = 3
		multipart(t, c, parts)
		layout := &metapb.Layout{Numbers: []uint32{1, 2, 3}, Sizes: []uint64{20, 20, 20}}
		step := func(n uint32, done bool) *metapb.UpdateVersion {
			p, fresh := extentPart(n, 1, uint64(100+n), 20)
			u := &metapb.UpdateVersion{Parts: []*metapb.Part{p}, Extents: fresh,
				Restore: &metapb.Restore{ContentId: id(50), Parts: parts, Ongoing: !done, ExpiresMs: 9}}
			if done {
				u.Layout = layout
			}
			return u
		}
		c.ok(t, update(step(1, false)))
		require.Equal(t, metapb.Refusal_REFUSAL_INVALID, c.do(update(step(2, true))).Refusal, "a part is missing")
		c.ok(t, update(step(2, false)))
		again := step(2, false)
		again.Parts[0].Extents[0].Seq, again.Extents[0].Seq = 200, 200
		c.ok(t, update(again))
		require.Equal(t, uint64(1), m.status().ExtentsGc, "a part brought again replaces the first")
		require.False(t, m.get(&metapb.GetObject{Bucket: "b", Key: "k", Restored: true}).Restored)
		require.NoError(t, m.s.Check())
		if finish {
			c.ok(t, update(step(3, true)))
			a := m.get(&metapb.GetObject{Bucket: "b", Key: "k", Restored: true, Range: metapb.RangeKind_RANGE_PART, Part: 2})
			require.Equal(t, uint64(200), a.Content.Pieces[0].Ref.Seq)
			page := m.query(&metapb.Query{Op: &metapb.Query_Content{Content: &metapb.GetContent{
				ContentId: a.Version.Restore.ContentId, Multipart: true, Offset: 40, Length: 20}}}).Content
			require.Equal(t, uint64(103), page.Pieces[0].Ref.Seq)
			require.NoError(t, m.s.Check())
		}
		gc := m.status().ExtentsGc
		c.ok(t, deleteKeys("b", "k"))
		require.NoError(t, m.s.Check())
		copied := uint64(2)
		if finish {
			copied = 3
		}
		require.Equal(t, gc+2*parts+copied, m.status().ExtentsGc)
		m.close()
	}
}

// The copy of a version of several parts whose layout is lost cannot be told whole: that is
// refused for what it is, not as a copy that lacks a part.
func TestCopyOfAVersionWithoutLayout(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	c := newClient(t, m, 1, 2, 1)
	multipart(t, c, 1)
	version := m.get(&metapb.GetObject{Bucket: "b", Key: "k"}).Version
	content, ok := keys.ParseID(version.ContentId)
	require.True(t, ok)
	layout := keys.AppendLayout(nil, content)
	value, closer, err := m.s.db.Get(layout)
	require.NoError(t, err)
	value = bytes.Clone(value)
	require.NoError(t, closer.Close())
	require.NoError(t, m.s.db.Delete(layout, pebble.NoSync))
	p, fresh := extentPart(1, 1, 101, 20)
	r := c.do(update(&metapb.UpdateVersion{Parts: []*metapb.Part{p}, Extents: fresh,
		Layout:  &metapb.Layout{Numbers: []uint32{1}, Sizes: []uint64{20}},
		Restore: &metapb.Restore{ContentId: id(50), Parts: 1, ExpiresMs: 9}}))
	require.Equal(t, metapb.Refusal_REFUSAL_CONTRADICTION, r.Refusal, r.Detail)
	require.Contains(t, r.Detail, record.Name(layout))
	require.NoError(t, m.s.db.Set(layout, value, pebble.NoSync))
	require.NoError(t, m.s.Check())
}

// A new extent may serve several parts of a copy.
func TestCopyPartsShareAnExtent(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	c := newClient(t, m, 1, 2, 1)
	multipart(t, c, 2)
	u := &metapb.UpdateVersion{Restore: &metapb.Restore{ContentId: id(50), Parts: 2, ExpiresMs: 9},
		Layout:  &metapb.Layout{Numbers: []uint32{1, 2}, Sizes: []uint64{20, 20}},
		Extents: []*metapb.NewExtent{{Volume: 1, Seq: 100, Extent: &metapb.Extent{PlainBytes: 40, Missing: 1}}}}
	for n := range uint32(2) {
		u.Parts = append(u.Parts, &metapb.Part{Number: n + 1, Size: 20,
			Extents: []*metapb.ExtentRef{{Volume: 1, Seq: 100, Offset: uint64(20 * n), Length: 20}}})
	}
	c.ok(t, update(u))
	require.Equal(t, uint64(1), m.status().ExtentsMissing)
	require.NoError(t, m.s.Check())
	a := m.query(&metapb.Query{Op: &metapb.Query_Extents{Extents: &metapb.GetExtents{MaxOwners: 10,
		Extents: []*metapb.ExtentRef{{Volume: 1, Seq: 100}, {Volume: 1, Seq: 1}, {Volume: 1, Seq: 99}}}}}).Extents.Extents
	require.Len(t, a[0].Owners, 2)
	require.Equal(t, id(50), a[0].Owners[0].Id)
	require.Equal(t, uint32(2), a[0].Owners[1].Number)
	require.Equal(t, uint64(40), a[0].Extent.PlainBytes)
	require.Len(t, a[1].Owners, 1)
	require.Nil(t, a[2].Extent)
}
