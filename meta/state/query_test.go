package state

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/meta/metapb"
)

func list(m *machine, q *metapb.ListObjects) *metapb.ListAnswer {
	return m.query(&metapb.Query{Op: &metapb.Query_ListObjects{ListObjects: q}}).List
}

// listPlainly is ListObjects by the book: roll up all names, then cut the page.
func listPlainly(names []string, q *metapb.ListObjects) (entries []string, truncated bool) {
	seen := map[string]bool{}
	for _, n := range slices.Sorted(slices.Values(names)) {
		if !strings.HasPrefix(n, q.Prefix) {
			continue
		}
		entry := n
		if q.Delimiter != "" {
			if i := strings.Index(n[len(q.Prefix):], q.Delimiter); i >= 0 {
				entry = "prefix " + n[:len(q.Prefix)+i+len(q.Delimiter)]
			}
		}
		if bare := strings.TrimPrefix(entry, "prefix "); seen[entry] || bare < q.After || bare == q.After && !q.Inclusive {
			continue
		}
		if n < q.After || n == q.After && !q.Inclusive {
			continue
		}
		seen[entry] = true
		entries = append(entries, entry)
	}
	if q.MaxKeys == 0 {
		return nil, false
	}
	if len(entries) > int(q.MaxKeys) {
		return entries[:q.MaxKeys], true
	}
	return entries, false
}

func entryNames(a *metapb.ListAnswer) (names []string) {
	for _, e := range a.Entries {
		if e.Prefix {
			names = append(names, "prefix "+e.Key)
		} else {
			names = append(names, e.Key)
		}
	}
	return names
}

func drawText(t *rapid.T, label string, n int) string {
	return string(rapid.SliceOfN(rapid.SampledFrom([]rune("ab/\x00\U0010ffff-é")), 0, n).Draw(t, label))
}

func TestListObjectsIsThePlainList(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newMachine(rt, nil)
		defer m.close()
		c := newClient(t, m, 0, 1, 0)
		c.bucket(t, "bucket")
		c.bucket(t, "next") // Its keys follow: a list must not run into them.
		var names []string
		for i := range rapid.IntRange(0, 12).Draw(rt, "names") {
			n := drawText(rt, "name", 5)
			if n != "" && !slices.Contains(names, n) {
				names = append(names, n)
				m.append(c.stamp(put("bucket", n, i, nil)))
			}
		}
		m.append(c.stamp(put("next", "a", 100, nil)))
		m.catchUp()
		for range 5 {
			q := &metapb.ListObjects{Bucket: "bucket", Prefix: drawText(rt, "prefix", 2), After: drawText(rt, "after", 4),
				Delimiter: rapid.SampledFrom([]string{"", "/", "a", "b/", "\x00"}).Draw(rt, "delimiter"),
				Inclusive: rapid.Bool().Draw(rt, "inclusive"), MaxKeys: uint32(rapid.IntRange(0, 6).Draw(rt, "max"))}
			if len(names) > 0 && rapid.Bool().Draw(rt, "after a name") {
				q.After = rapid.SampledFrom(names).Draw(rt, "after")
			}
			a := list(m, q)
			want, truncated := listPlainly(names, q)
			require.Equal(rt, want, entryNames(a), "%v of %q", q, names)
			require.Equal(rt, truncated, a.Truncated, "%v of %q", q, names)
		}
	})
}

// Each page goes on after the last entry of the one before, common prefixes too.
func TestListObjectsPages(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	c := newClient(t, m, 0, 1, 0)
	c.bucket(t, "b")
	var names []string
	for i := range 40 {
		names = append(names, fmt.Sprintf("d%d/%02d", i%4, i), fmt.Sprintf("z%02d", i))
		m.append(c.stamp(put("b", names[2*i], 2*i, nil)))
		m.append(c.stamp(put("b", names[2*i+1], 2*i+1, nil)))
	}
	m.catchUp()
	want, _ := listPlainly(names, &metapb.ListObjects{Delimiter: "/", MaxKeys: 1000})
	require.Len(t, want, 44)
	var got []string
	for q := (&metapb.ListObjects{Bucket: "b", Delimiter: "/", MaxKeys: 3}); ; {
		a := list(m, q)
		got = append(got, entryNames(a)...)
		if !a.Truncated {
			break
		}
		q.After = a.Entries[len(a.Entries)-1].Key
	}
	require.Equal(t, want, got)
}

func TestListEntryIsTheVersion(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	c := newClient(t, m, 0, 1, 0)
	c.bucket(t, "b")
	cmd := put("b", "k", 1, []byte("four"))
	v := cmd.GetPutObject().Version
	v.Attributes.StorageClass = "STANDARD_IA"
	v.Checksums = []*metapb.Checksum{{Algorithm: "CRC32", Value: []byte{1}}, {Algorithm: "SHA256", Composite: true}}
	c.ok(t, cmd)
	require.True(t, proto.Equal(&metapb.ListEntry{Key: "k", Size: 4, Etag: v.Etag, ModifiedMs: 1, StorageClass: "STANDARD_IA",
		Owner: "me", ChecksumAlgorithms: []string{"CRC32", "SHA256"}, ChecksumComposite: true},
		list(m, &metapb.ListObjects{Bucket: "b", MaxKeys: 1}).Entries[0]))
}

func (m *machine) get(q *metapb.GetObject) *metapb.ObjectAnswer {
	return m.query(&metapb.Query{Op: &metapb.Query_Object{Object: q}}).Object
}

func TestRanges(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	c := newClient(t, m, 0, 1, 0)
	c.bucket(t, "b")
	c.ok(t, put("b", "ten", 1, []byte("0123456789")))
	c.ok(t, put("b", "empty", 2, nil))
	const all, firstLast, from, suffix, part, none = metapb.RangeKind_RANGE_ALL, metapb.RangeKind_RANGE_FIRST_LAST,
		metapb.RangeKind_RANGE_FROM, metapb.RangeKind_RANGE_SUFFIX, metapb.RangeKind_RANGE_PART, metapb.RangeKind_RANGE_NONE
	for _, tc := range []struct {
		key                string
		kind               metapb.RangeKind
		first, last        uint64
		part               uint32
		wantFirst, wantLen uint64
		bad, whole         bool
	}{
		{key: "ten", kind: all, wantLen: 10, whole: true},
		{key: "ten", kind: firstLast, first: 0, last: 9, wantLen: 10, whole: true},
		{key: "ten", kind: firstLast, first: 3, last: 3, wantFirst: 3, wantLen: 1},
		{key: "ten", kind: firstLast, first: 9, last: 1 << 40, wantFirst: 9, wantLen: 1},
		{key: "ten", kind: firstLast, first: 10, last: 11, bad: true},
		{key: "ten", kind: firstLast, first: 4, last: 3, bad: true},
		{key: "ten", kind: from, first: 4, wantFirst: 4, wantLen: 6},
		{key: "ten", kind: from, first: 10, bad: true},
		{key: "ten", kind: suffix, last: 3, wantFirst: 7, wantLen: 3},
		{key: "ten", kind: suffix, last: 30, wantLen: 10, whole: true},
		{key: "ten", kind: suffix, bad: true},
		{key: "ten", kind: part, part: 1, wantLen: 10, whole: true},
		{key: "ten", kind: part, part: 2, bad: true},
		{key: "ten", kind: none, wantLen: 10},
		{key: "empty", kind: all, whole: true},
		{key: "empty", kind: part, part: 1, whole: true},
		{key: "empty", kind: from, bad: true},
		{key: "empty", kind: suffix, last: 1, bad: true},
	} {
		a := m.get(&metapb.GetObject{Bucket: "b", Key: tc.key, Range: tc.kind, First: tc.first, Last: tc.last, Part: tc.part})
		name := fmt.Sprint(tc)
		require.Equal(t, tc.bad, a.Unsatisfiable, name)
		require.NotNil(t, a.Version, name)
		require.Equal(t, tc.whole, a.WholePart, name)
		if !tc.bad {
			require.Equal(t, tc.wantFirst, a.First, name)
			require.Equal(t, tc.wantLen, a.Length, name)
		}
		if tc.wantLen > 0 && !tc.bad && tc.kind != none {
			require.Equal(t, tc.wantLen, a.Content.Length, name)
			require.Equal(t, "0123456789", string(a.Content.Pieces[0].Inline), name)
			require.Equal(t, tc.wantFirst, a.Content.Pieces[0].Ref.Offset, name)
		}
	}
	a := m.get(&metapb.GetObject{Bucket: "b", Key: "t+n", AlternateKey: "ten"})
	require.True(t, a.Alternate)
	require.Equal(t, metapb.Refusal_REFUSAL_NO_SUCH_KEY,
		m.query(&metapb.Query{Op: &metapb.Query_Object{Object: &metapb.GetObject{Bucket: "b", Key: "no"}}}).Refusal)
	require.Equal(t, metapb.Refusal_REFUSAL_NO_SUCH_VERSION,
		m.query(&metapb.Query{Op: &metapb.Query_Object{Object: &metapb.GetObject{Bucket: "b", Key: "ten", VersionId: "v"}}}).Refusal)
	require.Equal(t, metapb.Refusal_REFUSAL_NO_SUCH_BUCKET,
		m.query(&metapb.Query{Op: &metapb.Query_Object{Object: &metapb.GetObject{Bucket: "c", Key: "ten"}}}).Refusal)
	require.NotNil(t, m.get(&metapb.GetObject{Bucket: "b", Key: "ten", VersionId: "null"}).Version)
}

// multipart makes an object of parts, each of two extents of 10 bytes whose
// plaintext byte i, counted over the object, is found at (seq-1)*10 + offset.
func multipart(t *testing.T, c *client, parts int) {
	c.bucket(t, "b")
	c.ok(t, createUpload(1, "b", "k"))
	for n := range parts {
		seq := uint64(2*n + 1)
		p := &metapb.Part{Number: uint32(n + 1), Size: 20, Etag: fmt.Sprint("part", n+1),
			Envelopes: []*metapb.Envelope{{WrappedKey: []byte{9}}, {WrappedKey: []byte{byte(n)}}},
			Extents: []*metapb.ExtentRef{{Volume: 1, Seq: seq, Length: 10, Envelope: 2},
				{Volume: 1, Seq: seq + 1, Length: 10, Envelope: 1}}}
		c.ok(t, putPart(1, "b", "k", p, []*metapb.NewExtent{
			{Volume: 1, Seq: seq, Extent: &metapb.Extent{PlainBytes: 10}},
			{Volume: 1, Seq: seq + 1, Extent: &metapb.Extent{PlainBytes: 10}}}))
	}
	c.ok(t, completeAll(1, parts, 20, "b", "k"))
}

func TestContentOfAnyRangeInPages(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	c := newClient(t, m, 1, 2, 1)
	const parts = 5
	multipart(t, c, parts)
	for first := uint64(0); first < 20*parts; first += 3 {
		for last := first; last < 20*parts; last += 7 {
			for _, maxRefs := range []uint32{0, 1, 3} {
				a := m.get(&metapb.GetObject{Bucket: "b", Key: "k", Range: metapb.RangeKind_RANGE_FIRST_LAST,
					First: first, Last: last, MaxRefs: maxRefs})
				whole := first%20 == 0 && last == first+19
				require.Equal(t, whole, a.WholePart, "%d-%d", first, last)
				if whole {
					require.Equal(t, fmt.Sprint("part", first/20+1), a.PartEtag)
				}
				at := first
				for page := a.Content; ; {
					require.NotZero(t, page.Length)
					require.LessOrEqual(t, len(page.Pieces), int(maxRefs)+1000*int(1-min(maxRefs, 1)))
					at += checkPage(t, page, at)
					if at > last {
						break
					}
					page = m.query(&metapb.Query{Op: &metapb.Query_Content{Content: &metapb.GetContent{
						ContentId: a.Version.ContentId, Multipart: true, Offset: at, Length: last + 1 - at, MaxRefs: maxRefs}}}).Content
				}
				require.Equal(t, last+1, at)
			}
		}
	}
	a := m.get(&metapb.GetObject{Bucket: "b", Key: "k", Range: metapb.RangeKind_RANGE_PART, Part: 3})
	require.Equal(t, []uint64{40, 20, 20}, []uint64{a.First, a.Length, a.PartSize})
	require.True(t, a.WholePart)
}

// checkPage checks that a page's pieces are the bytes from at on.
func checkPage(t *testing.T, page *metapb.ContentAnswer, at uint64) (n uint64) {
	for _, p := range page.Pieces {
		require.Equal(t, at+n, (p.Ref.Seq-1)*10+p.Ref.Offset)
		require.Equal(t, uint64(10), p.Extent.PlainBytes)
		wrapped := byte(9)
		if p.Ref.Seq%2 == 1 {
			wrapped = byte((p.Ref.Seq - 1) / 2)
		}
		require.Equal(t, []byte{wrapped}, page.Envelopes[p.Ref.Envelope-1].WrappedKey)
		n += p.Ref.Length
	}
	require.Equal(t, n, page.Length)
	for i, e := range page.Envelopes {
		for _, other := range page.Envelopes[:i] {
			require.False(t, proto.Equal(e, other), "an envelope is sent once a page")
		}
	}
	return n
}

// TestSealedInlineBytes: inline bytes that are sealed come whole, with what opens them,
// whatever range of their plaintext is asked for.
func TestSealedInlineBytes(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	c := newClient(t, m, 0, 1, 0)
	c.bucket(t, "b")
	sealed := []byte("ten bytes and what sealing adds")
	p := put("b", "k", 1, sealed)
	envelope := &metapb.Envelope{WrappedKey: []byte{9}, Salt: []byte{1}}
	p.GetPutObject().Version.Size, p.GetPutObject().Part.Size = 10, 10
	p.GetPutObject().Part.Envelopes = []*metapb.Envelope{envelope}
	c.ok(t, p)
	for first := range uint64(10) {
		for last := first; last < 10; last++ {
			a := m.get(&metapb.GetObject{Bucket: "b", Key: "k", Range: metapb.RangeKind_RANGE_FIRST_LAST,
				First: first, Last: last})
			require.Len(t, a.Content.Pieces, 1)
			piece := a.Content.Pieces[0]
			require.Equal(t, sealed, piece.Inline)
			require.Equal(t, []uint64{first, last - first + 1}, []uint64{piece.Ref.Offset, piece.Ref.Length})
			require.Equal(t, last-first+1, a.Content.Length)
			require.EqualValues(t, 1, piece.Ref.Envelope)
			require.Len(t, a.Content.Envelopes, 1)
			require.True(t, proto.Equal(envelope, a.Content.Envelopes[0]))
			require.Equal(t, first == 0 && last == 9, a.WholePart)
		}
	}
}

func TestListUploadsOrderAndMarkers(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	c := newClient(t, m, 0, 1, 0)
	c.bucket(t, "b")
	// Ids do not sort as uploads were begun.
	for i, u := range []struct {
		key string
		id  int
	}{{"k", 9}, {"k", 3}, {"a/x", 5}, {"k", 7}, {"a/y", 1}, {"z", 2}} {
		_ = i
		c.ok(t, createUpload(u.id, "b", u.key))
	}
	page := func(q *metapb.ListUploads) string {
		q.Bucket = "b"
		a := m.query(&metapb.Query{Op: &metapb.Query_ListUploads{ListUploads: q}}).Uploads
		var b strings.Builder
		for _, e := range a.Entries {
			if e.Upload == nil {
				fmt.Fprintf(&b, "%s ", e.Prefix)
				continue
			}
			fmt.Fprintf(&b, "%s=%s ", e.Upload.Key, strings.TrimLeft(string(e.Upload.Id), "0"))
		}
		return fmt.Sprint(b.String(), a.Truncated)
	}
	require.Equal(t, "a/x=5 a/y=1 k=9 k=3 k=7 z=2 false", page(&metapb.ListUploads{MaxUploads: 10}))
	require.Equal(t, "a/ k=9 true", page(&metapb.ListUploads{Delimiter: "/", MaxUploads: 2}))
	require.Equal(t, "k=9 k=3 k=7 z=2 false", page(&metapb.ListUploads{Delimiter: "/", KeyMarker: "a/", MaxUploads: 9}))
	require.Equal(t, "k=3 k=7 true", page(&metapb.ListUploads{KeyMarker: "k", UploadIdMarker: id(9), MaxUploads: 2}))
	require.Equal(t, "z=2 false", page(&metapb.ListUploads{KeyMarker: "k", MaxUploads: 2}))
	require.Equal(t, "k=9 k=3 k=7 false", page(&metapb.ListUploads{Prefix: "k", MaxUploads: 9}))
	require.Equal(t, "k=9 k=3 true", page(&metapb.ListUploads{KeyMarker: "k", UploadIdMarker: id(77), MaxUploads: 2}),
		"after a marker that is gone its key is listed again")
	require.Equal(t, "false", page(&metapb.ListUploads{MaxUploads: 0}))
}
