package state

import (
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
)

// manyRefs makes b/k an object of one part of n references, each to an extent and
// sealed under an envelope of its own.
func manyRefs(t *testing.T, c *client, n int) *metapb.Version {
	p := &metapb.Part{Number: 1, Size: uint64(10 * n), Etag: "e"}
	var fresh []*metapb.NewExtent
	for i := range n {
		seq := uint64(i + 1)
		p.Envelopes = append(p.Envelopes, &metapb.Envelope{WrappedKey: []byte{byte(i), byte(i >> 8)}})
		p.Extents = append(p.Extents, &metapb.ExtentRef{Volume: 1, Seq: seq, Length: 10, Envelope: uint32(i + 1)})
		fresh = append(fresh, &metapb.NewExtent{Volume: 1, Seq: seq, Extent: &metapb.Extent{PlainBytes: 10}})
	}
	c.bucket(t, "b")
	c.ok(t, createUpload(1, "b", "k"))
	c.ok(t, putPart(1, "b", "k", p, fresh))
	return c.ok(t, completeAll(1, 1, p.Size, "b", "k")).Version
}

func trimOnce(id []byte, most uint32) *metapb.Command {
	return &metapb.Command{Op: &metapb.Command_TrimContents{TrimContents: &metapb.TrimContents{ContentIds: [][]byte{id}, Max: most}}}
}

// TestDroppedContentIsGone: from the command on that drops a content until nothing is
// left of it, every query by its id says that it is gone, whatever page it asks for.
func TestDroppedContentIsGone(t *testing.T) {
	m := newMachine(t, &dropLimits{inline: 3})
	defer m.close()
	c := newClient(t, m, 1, 2, 1)
	const refs = 12
	v := manyRefs(t, c, refs)
	page := func(first, length uint64) *metapb.Answer {
		return m.query(&metapb.Query{Op: &metapb.Query_Content{Content: &metapb.GetContent{ContentId: v.ContentId, Multipart: true,
			Offset: first, Length: length, MaxRefs: 2}}})
	}
	for first := uint64(0); first < 10*refs; first += 5 {
		a := page(first, 5)
		require.Equal(t, v.ContentId, a.Content.ContentId)
		require.Equal(t, first, a.Content.Offset)
		require.EqualValues(t, 10*refs, a.Content.ContentSize)
		require.EqualValues(t, first/10+1, a.Content.Pieces[0].Ref.Seq)
	}
	require.Equal(t, metapb.Refusal_REFUSAL_INVALID, page(10*refs, 1).Refusal)
	require.Equal(t, metapb.Refusal_REFUSAL_INVALID, page(1, 1<<63).Refusal)

	c.ok(t, put("b", "k", 7, []byte("another")))
	for left := true; left; left = c.ok(t, trimOnce(v.ContentId, 1)).More {
		for first := uint64(0); first < 10*refs; first += 5 {
			require.Equal(t, metapb.Refusal_REFUSAL_NO_SUCH_VERSION, page(first, 5).Refusal)
		}
		a := m.query(&metapb.Query{Op: &metapb.Query_ObjectParts{ObjectParts: &metapb.ObjectParts{ContentId: v.ContentId, Max: 10}}})
		require.Equal(t, metapb.Refusal_REFUSAL_NO_SUCH_VERSION, a.Refusal)
		require.NoError(t, m.s.Check())
	}
	require.Equal(t, metapb.Refusal_REFUSAL_NO_SUCH_VERSION, page(0, 5).Refusal)
}

// TestUnlistedPartsAreNoDrop: a version whose upload had parts that it does not name is
// read while those go away.
func TestUnlistedPartsAreNoDrop(t *testing.T) {
	m := newMachine(t, &dropLimits{})
	defer m.close()
	c := newClient(t, m, 1, 2, 1)
	c.bucket(t, "b")
	c.ok(t, createUpload(1, "b", "k"))
	for n := range 3 {
		p, fresh := extentPart(uint32(n+1), 1, uint64(n+1), 10)
		c.ok(t, putPart(1, "b", "k", p, fresh))
	}
	complete := completeAll(1, 1, 10, "b", "k")
	complete.GetCompleteUpload().Revision = 3
	v := c.ok(t, complete).Version
	require.EqualValues(t, 1, m.s.applied.ContentsDropped)
	a := m.query(&metapb.Query{Op: &metapb.Query_Content{Content: &metapb.GetContent{ContentId: v.ContentId, Multipart: true, Length: 10}}})
	require.EqualValues(t, 10, a.Content.GetLength())
}

// TestQueriesOfDamagedStates asks everything of states in the middle of whatever they
// do, of which records were lost, cut short, changed or swapped. A query may fail, as
// Corrupt or Invalid; it never panics, nor does it read past what it was asked for.
func TestQueriesOfDamagedStates(t *testing.T) {
	rounds := effort.Of(30, 30, 1000)
	rapid.Check(t, func(rt *rapid.T) {
		limits := dropLimits{inline: rapid.IntRange(0, 3).Draw(rt, "inline"), listSteps: 100, eventsMax: 4}
		m := newMachine(rt, &limits)
		defer func() { require.NoError(rt, m.s.Close()) }() // No iterator and no snapshot is left.
		g := &generator{t: rt, m: newModel(limits)}
		for _, c := range g.start() {
			step(rt, m, g, c)
		}
		for range rapid.IntRange(10, 50).Draw(rt, "steps") {
			step(rt, m, g, g.command())
		}
		for range rounds {
			askAll(g, m)
			damageRecord(g, m)
		}
	})
}

// damageRecord changes one record behind the back of the state.
func damageRecord(g *generator, m *machine) {
	var at [][]byte
	values := map[string][]byte{}
	require.NoError(g.t, m.s.records(func(key, value []byte) error {
		at = append(at, slices.Clone(key))
		values[string(key)] = slices.Clone(value)
		return nil
	}))
	if len(at) == 0 {
		return // All are lost already.
	}
	key := pick(g, "record", at)
	value := values[string(key)]
	set := func(v []byte) { require.NoError(g.t, m.s.db.Set(key, v, pebble.NoSync)) }
	switch g.int("damage", 5) {
	case 0:
		require.NoError(g.t, m.s.db.Delete(key, pebble.NoSync))
	case 1:
		set(value[:g.int("length", len(value)+1)])
	case 2:
		if len(value) > 0 {
			value[g.int("byte", len(value))] ^= byte(1 << g.int("bit", 8))
		}
		set(value)
	case 3:
		set(nil)
	case 4: // The value of another record of the kind.
		var kind [][]byte
		for _, k := range at {
			if k[0] == key[0] {
				kind = append(kind, k)
			}
		}
		set(values[string(pick(g, "other", kind))])
	}
}

// askAll asks every kind of query, once each.
func askAll(g *generator, m *machine) {
	small := func(label string) uint64 {
		return pick(g, label, []uint64{0, 1, 2, 3, 5, 10, 11, 30, 1 << 40, 1<<64 - 1})
	}
	n := func(label string) uint32 { return uint32(small(label)) }
	content := id(1 + g.int("content", g.ids+1))
	b, k := g.bucket(), g.name()
	extent := &metapb.ExtentRef{Volume: uint32(1 + g.int("volume", 3)), Seq: uint64(g.int("seq", 4))}
	for _, q := range []*metapb.Query{
		{Op: &metapb.Query_View{View: &metapb.GetView{}}},
		{Op: &metapb.Query_Bucket{Bucket: &metapb.GetBucket{Name: b, WithConfig: true, WithUsage: true}}},
		{Op: &metapb.Query_ListBuckets{ListBuckets: &metapb.ListBuckets{WithUsage: true}}},
		{Op: &metapb.Query_Object{Object: &metapb.GetObject{Bucket: b, Key: k, Range: metapb.RangeKind(g.int("range", 6)), First: small("first"),
			Last: small("last"), Part: n("part"), MaxRefs: n("refs"), Restored: g.chance("restored", 2), VersionId: pick(g, "version", []string{"", "", "null", "v1"})}}},
		{Op: &metapb.Query_Content{Content: &metapb.GetContent{ContentId: content, Multipart: g.chance("multipart", 2),
			Offset: small("offset"), Length: small("length"), MaxRefs: n("max")}}},
		{Op: &metapb.Query_ObjectParts{ObjectParts: &metapb.ObjectParts{ContentId: content, After: n("after"), Max: n("parts")}}},
		{Op: &metapb.Query_ListObjects{ListObjects: &metapb.ListObjects{Bucket: b, Delimiter: "/", After: k, MaxKeys: n("keys")}}},
		{Op: &metapb.Query_ListVersions{ListVersions: &metapb.ListVersions{Bucket: b, KeyMarker: k, VersionMarker: "null", MaxKeys: 10}}},
		{Op: &metapb.Query_ListUploads{ListUploads: &metapb.ListUploads{Bucket: b, KeyMarker: k, UploadIdMarker: content, MaxUploads: 10}}},
		{Op: &metapb.Query_Upload{Upload: &metapb.GetUpload{Bucket: b, Key: k, UploadId: content, WithParts: true}}},
		{Op: &metapb.Query_ListParts{ListParts: &metapb.ListParts{Bucket: b, Key: k, UploadId: content, After: n("number"), MaxParts: 10}}},
		{Op: &metapb.Query_ListWork{ListWork: &metapb.ListWork{Kind: metapb.WorkKind(g.int("work", 9)), Volume: extent.Volume, Max: 10,
			AfterIndex: small("index"), AfterId: content[:g.int("id", 17)], BeforeIndex: small("before")}}},
		{Op: &metapb.Query_KnownExtents{KnownExtents: &metapb.KnownExtents{Drive: 10, Extents: []*metapb.ExtentSlots{
			{Volume: extent.Volume, Seq: extent.Seq, Slots: n("slots")}}}}},
		{Op: &metapb.Query_Status{Status: &metapb.GetStatus{}}},
		{Op: &metapb.Query_Entries{Entries: &metapb.ListEntries{Kind: metapb.EntryKind(g.int("entry", 4)), AfterKind: metapb.EntryKind(g.int("entry", 4)), AfterName: k}}},
		{Op: &metapb.Query_Extents{Extents: &metapb.GetExtents{Extents: []*metapb.ExtentRef{extent}, MaxOwners: n("owners")}}},
		{Op: &metapb.Query_VolumeStats{VolumeStats: &metapb.ListVolumeStats{}}},
		{Op: &metapb.Query_EventQueues{EventQueues: &metapb.ListEventQueues{}}},
		{Op: &metapb.Query_Events{Events: &metapb.ListEvents{Target: "t"}}},
	} {
		ask(g, m, q)
	}
}

func ask(g *generator, m *machine, q *metapb.Query) {
	a, err := m.s.Query(q)
	if err != nil {
		require.Contains(g.t, []errs.Kind{errs.Corrupt, errs.Invalid}, errs.KindOf(err), "%v: %v", q, err)
		return
	}
	for _, c := range []*metapb.ContentAnswer{a.Content, a.Object.GetContent()} {
		provePage(g.t, q, c)
	}
}

// provePage compares a page with itself and with what was asked for.
func provePage(t require.TestingT, q *metapb.Query, c *metapb.ContentAnswer) {
	var sum uint64
	for _, p := range c.GetPieces() {
		require.LessOrEqual(t, int(p.Ref.Envelope), len(c.Envelopes))
		sum += p.Ref.Length
	}
	require.Equal(t, sum, c.GetLength(), "%v", q)
	if c != nil {
		require.LessOrEqual(t, c.Offset+c.Length, c.ContentSize)
	}
	if g := q.GetContent(); g != nil && c != nil {
		require.Equal(t, g.ContentId, c.ContentId)
		require.Equal(t, g.Offset, c.Offset)
		require.LessOrEqual(t, c.Length, g.Length)
	}
}

// compareContents asks for the contents that the model has dropped or forgotten, and
// for those that versions have.
func compareContents(t require.TestingT, machine *machine, m *model, ids int) {
	live := map[keys.ID]*metapb.Version{}
	for _, list := range m.versions {
		for _, v := range list {
			if id, ok := keys.ParseID(v.ContentId); ok {
				live[id] = v
			}
		}
	}
	for i := range ids {
		content, _ := keys.ParseID(id(i + 1))
		v := live[content]
		q := &metapb.GetContent{ContentId: content[:], Multipart: v.GetParts() > 0, Length: v.GetSize()}
		a := machine.query(&metapb.Query{Op: &metapb.Query_Content{Content: q}})
		if v != nil {
			require.Equal(t, metapb.Refusal_REFUSAL_NONE, a.Refusal)
			require.Equal(t, v.Size, a.Content.Length)
		} else if d := m.dropped[content]; d != nil {
			require.Equal(t, metapb.Refusal_REFUSAL_NO_SUCH_VERSION, a.Refusal)
		}
	}
}
