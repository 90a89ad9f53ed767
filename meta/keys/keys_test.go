package keys

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// allKinds is every kind, with a draw of the fields that it has.
func allKinds() []Kind {
	return []Kind{KindApplied, KindBucket, KindCluster, KindDropped, KindExtent, KindUnreferenced, KindCompleted,
		KindLayout, KindLease, KindMissing, KindNode, KindObject, KindPart, KindPin, KindNextBlock, KindRef,
		KindSession, KindResult, KindUpload, KindOpenUpload, KindVolume, KindUploadState, KindDoomed,
		KindVersionID, KindRestore, KindEntry, KindConfig, KindRemoved, KindVolumeStats, KindUsage, KindEvent, KindEventQueue,
		KindRefused}
}

// small draws numbers that often meet and often differ in a high byte.
func small(t *rapid.T, label string) uint64 {
	return rapid.SampledFrom([]uint64{0, 1, 2, 255, 256, 1 << 32, 1<<64 - 1}).Draw(t, label)
}

func drawID(t *rapid.T) ID {
	var id ID
	id[0], id[15] = byte(small(t, "id")), byte(small(t, "id"))
	return id
}

func drawName(t *rapid.T) string {
	return string(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 'a', 0xfe, 0xff}), 0, 5).Draw(t, "name"))
}

func drawKey(t *rapid.T, kind Kind) Key {
	k := Key{Kind: kind}
	extent := shard.ExtentID{Volume: shard.VolumeID(small(t, "volume")), Seq: small(t, "seq")}
	switch kind {
	case KindBucket, KindEventQueue:
		k.Name = drawName(t)
	case KindEvent:
		k.Name, k.Index, k.Part = drawName(t), small(t, "index"), uint32(small(t, "part"))
	case KindNode, KindRemoved:
		k.Node = small(t, "node")
	case KindVolume, KindNextBlock, KindVolumeStats:
		k.Volume = extent.Volume
	case KindLease:
		k.Volume, k.Block = extent.Volume, small(t, "block")
	case KindObject:
		k.Bucket, k.Name, k.Older = small(t, "bucket"), drawName(t), rapid.Bool().Draw(t, "older")
		if k.Older {
			k.Order = small(t, "order")
		}
	case KindVersionID:
		k.Bucket, k.Name, k.VersionID = small(t, "bucket"), drawName(t), drawName(t)
	case KindRestore:
		k.Index, k.Bucket, k.Name, k.Order = small(t, "time"), small(t, "bucket"), drawName(t), small(t, "order")
	case KindEntry:
		k.Entry, k.Name = uint8(small(t, "entry kind")), drawName(t)
	case KindConfig, KindUsage:
		k.Bucket = small(t, "bucket")
	case KindPart:
		k.ID, k.Part = drawID(t), uint32(small(t, "part"))
	case KindLayout, KindDropped, KindUpload, KindUploadState, KindPin, KindSession:
		k.ID = drawID(t)
	case KindOpenUpload:
		k.Bucket, k.Name, k.Order, k.ID = small(t, "bucket"), drawName(t), small(t, "order"), drawID(t)
	case KindCompleted:
		k.Index, k.ID = small(t, "index"), drawID(t)
	case KindExtent, KindMissing, KindDoomed:
		k.Extent = extent
	case KindRef:
		k.Extent = extent
		k.Owner = Owner{Pin: rapid.Bool().Draw(t, "pin"), ID: drawID(t), Number: uint32(small(t, "number"))}
	case KindUnreferenced:
		k.Index, k.Extent = small(t, "index"), extent
	case KindResult:
		k.ID, k.Seq = drawID(t), small(t, "seq")
	}
	return k
}

// compareKeys orders keys by their fields.
func compareKeys(a, b Key) int {
	number := func(v bool) int {
		if v {
			return 1
		}
		return 0
	}
	target := 0 // Events sort by their target first, restores by their time.
	if a.Kind == KindEvent {
		target = strings.Compare(a.Name, b.Name)
	}
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), target, cmp.Compare(a.Node, b.Node), cmp.Compare(a.Volume, b.Volume),
		cmp.Compare(a.Block, b.Block), cmp.Compare(a.Index, b.Index), cmp.Compare(a.Bucket, b.Bucket),
		cmp.Compare(a.Entry, b.Entry),
		strings.Compare(a.Name, b.Name), strings.Compare(a.VersionID, b.VersionID), cmp.Compare(number(a.Older), number(b.Older)),
		compareOrder(a, b), bytes.Compare(a.ID[:], b.ID[:]), cmp.Compare(a.Part, b.Part), cmp.Compare(a.Seq, b.Seq),
		cmp.Compare(a.Extent.Volume, b.Extent.Volume), cmp.Compare(a.Extent.Seq, b.Extent.Seq),
		cmp.Compare(number(a.Owner.Pin), number(b.Owner.Pin)), bytes.Compare(a.Owner.ID[:], b.Owner.ID[:]),
		cmp.Compare(a.Owner.Number, b.Owner.Number))
}

// compareOrder puts newer versions of an object first, and older uploads.
func compareOrder(a, b Key) int {
	if a.Kind == KindObject {
		return cmp.Compare(b.Order, a.Order)
	}
	return cmp.Compare(a.Order, b.Order)
}

func TestKeysSortByTheirFieldsAndComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(allKinds()).Draw(t, "kind")
		other := kind
		if rapid.IntRange(0, 9).Draw(t, "other kind") == 0 {
			other = rapid.SampledFrom(allKinds()).Draw(t, "kind")
		}
		a, b := drawKey(t, kind), drawKey(t, other)
		ea, eb := a.Append(nil), b.Append([]byte("before"))[len("before"):]
		require.Equal(t, compareKeys(a, b), bytes.Compare(ea, eb), "%v\n%v\n%x\n%x", a, b, ea, eb)
		back, err := Decode(ea)
		require.NoError(t, err)
		require.Equal(t, a, back)
	})
}

func TestObjectNameIsDecode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := drawKey(t, KindObject)
		name, isLatest, err := ObjectName(nil, k.Append(nil))
		require.NoError(t, err)
		require.Equal(t, k.Name, string(name))
		require.Equal(t, !k.Older, isLatest)
	})
}

// A prefix's run holds the names that begin with it and no others.
func TestPrefixBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefix, k := drawName(t), drawKey(t, KindObject)
		lower := AppendNames(nil, KindObject, k.Bucket, prefix)
		upper := PrefixEnd(slices.Clone(lower))
		key := k.Append(nil)
		in := bytes.Compare(key, lower) >= 0 && bytes.Compare(key, upper) < 0
		require.Equal(t, strings.HasPrefix(k.Name, prefix), in)

		olders := AppendOlderVersions(nil, k.Bucket, prefix)
		require.Equal(t, k.Name == prefix && k.Older, bytes.HasPrefix(key, olders))

		one := AppendName(nil, KindObject, k.Bucket, prefix)
		require.Equal(t, k.Name == prefix, bytes.HasPrefix(key, one))
	})
	require.Nil(t, PrefixEnd([]byte{0xff, 0xff}))
	require.Nil(t, PrefixEnd(nil))
	require.Equal(t, []byte{2}, PrefixEnd([]byte{1, 0xff}))
}

// What Pebble demands of a comparer, on whole keys, pieces of keys and separators.
func TestComparer(t *testing.T) {
	c := Comparer()
	var prefixes [][]byte
	id := ID{1}
	for _, k := range [][]byte{AppendRef(nil, shard.ExtentID{Volume: 1, Seq: 2}, Owner{ID: id, Number: 3}),
		AppendRef(nil, shard.ExtentID{Volume: 1, Seq: 3}, Owner{Pin: true, ID: id}),
		AppendOlder(nil, 1, "a\x00b", 7), AppendObject(nil, 1, "a")} {
		prefixes = append(prefixes, c.Split.Prefix(k))
	}
	slices.SortFunc(prefixes, bytes.Compare)
	require.Len(t, prefixes[2], 1+4+8, "references to one extent share a prefix")
	rapid.Check(t, func(t *rapid.T) {
		a := drawKey(t, rapid.SampledFrom(allKinds()).Draw(t, "kind")).Append(nil)
		b := drawKey(t, rapid.SampledFrom([]Kind{Kind(a[0]), KindRef, KindObject}).Draw(t, "kind")).Append(nil)
		a = a[:rapid.IntRange(1, len(a)).Draw(t, "cut")]
		checkSplit(t, c, a, b)
		if c.Compare(a, b) > 0 {
			a, b = b, a
		}
		if c.Compare(a, b) < 0 {
			s := c.Separator(nil, a, b)
			require.LessOrEqual(t, c.Compare(a, s), 0)
			require.Less(t, c.Compare(s, b), 0)
			checkSplit(t, c, a, s)
			checkSplit(t, c, s, b)
		}
	})
}

func checkSplit(t *rapid.T, c *pebble.Comparer, a, b []byte) {
	pa, pb := c.Split.Prefix(a), c.Split.Prefix(b)
	require.Equal(t, len(pa), c.Split(pa), "a prefix is its own prefix: %x", a)
	if c.Compare(a, b) <= 0 {
		require.LessOrEqual(t, c.Compare(pa, pb), 0, "%x %x", a, b)
	}
	if c.Compare(pa, pb) < 0 {
		require.Less(t, c.Compare(a, b), 0, "%x %x", a, b)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, bad := range []string{"", "?", "n123", "cx", "o12345678", "o12345678a", "o12345678a\x00\x01", "o12345678a\x00\x01\x02",
		"o12345678a\x00\x02\x00\x01\x00", "o12345678a\x00\x01\x01short", "r1234123456789" + "\x02" + strings.Repeat("i", 20),
		"V12345678a", "R1234567812345678a\x00\x01short", "D", "B1234567"} {
		_, err := Decode([]byte(bad))
		require.True(t, errs.Is(err, errs.Corrupt), "%q: %v", bad, err)
		_, _, err = ObjectName(nil, []byte(bad))
		require.True(t, errs.Is(err, errs.Corrupt), "%q: %v", bad, err)
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 256)
	name, id := "photos/\x00/1.jpg", ID{1}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		key := AppendObject(buf, 7, name)
		var n [64]byte
		if _, _, err := ObjectName(n[:0], key); err != nil {
			panic(err)
		}
		AppendRef(buf, shard.ExtentID{Volume: 1, Seq: 1}, Owner{ID: id})
		AppendPart(buf, id, 1)
		PrefixEnd(AppendNames(buf, KindObject, 7, name))
	}))
}

// goldenKeys is one key of each kind.
func goldenKeys() []Key {
	id := ID{0xaa, 15: 0xbb}
	e := shard.ExtentID{Volume: 3, Seq: 260}
	return []Key{{Kind: KindApplied}, {Kind: KindBucket, Name: "photos"}, {Kind: KindCluster}, {Kind: KindRefused}, {Kind: KindDropped, ID: id},
		{Kind: KindExtent, Extent: e}, {Kind: KindUnreferenced, Index: 9, Extent: e}, {Kind: KindCompleted, Index: 9, ID: id},
		{Kind: KindLayout, ID: id}, {Kind: KindLease, Volume: 3, Block: 1}, {Kind: KindMissing, Extent: e},
		{Kind: KindNode, Node: 5}, {Kind: KindObject, Bucket: 1, Name: "a\x00b"},
		{Kind: KindObject, Bucket: 1, Name: "a", Older: true, Order: 9}, {Kind: KindPart, ID: id, Part: 2},
		{Kind: KindPin, ID: id}, {Kind: KindNextBlock, Volume: 3}, {Kind: KindRef, Extent: e, Owner: Owner{ID: id, Number: 2}},
		{Kind: KindRef, Extent: e, Owner: Owner{Pin: true, ID: id}}, {Kind: KindSession, ID: id},
		{Kind: KindResult, ID: id, Seq: 4}, {Kind: KindUpload, ID: id},
		{Kind: KindOpenUpload, Bucket: 1, Name: "a", Order: 9, ID: id}, {Kind: KindVolume, Volume: 3},
		{Kind: KindUploadState, ID: id}, {Kind: KindDoomed, Extent: e},
		{Kind: KindVersionID, Bucket: 1, Name: "a", VersionID: "v1"}, {Kind: KindVersionID, Bucket: 1, Name: "a"},
		{Kind: KindRestore, Index: 1700000000000, Bucket: 1, Name: "a", Order: 9},
		{Kind: KindEntry, Entry: 2, Name: "root"}, {Kind: KindConfig, Bucket: 1}, {Kind: KindUsage, Bucket: 1},
		{Kind: KindRemoved, Node: 5}, {Kind: KindVolumeStats, Volume: 3},
		{Kind: KindEvent, Name: "t", Index: 9, Part: 1}, {Kind: KindEventQueue, Name: "t"}}
}

// TestEveryKindIsTested proves that the tests here draw every kind of key, and that the
// golden file has one of each.
func TestEveryKindIsTested(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "keys.go", nil, 0)
	require.NoError(t, err)
	drawn, golden := map[Kind]bool{}, map[Kind]bool{}
	for _, k := range allKinds() {
		drawn[k] = true
	}
	for _, k := range goldenKeys() {
		golden[k.Kind] = true
	}
	kinds := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Kind") {
			return true
		}
		letter, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		require.NoError(t, err)
		kinds++
		assert.True(t, drawn[Kind(letter[0])], "allKinds does not have %s", spec.Names[0])
		assert.True(t, golden[Kind(letter[0])], "goldenKeys does not have %s (and -rewrite)", spec.Names[0])
		return true
	})
	require.Greater(t, kinds, 20)
}

func TestGolden(t *testing.T) {
	var b strings.Builder
	for _, k := range goldenKeys() {
		fmt.Fprintf(&b, "%-60s %x\n", k, k.Append(nil))
	}
	const file = "testdata/keys.golden"
	if *rewrite {
		require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String())
}

func FuzzDecode(f *testing.F) {
	for _, k := range goldenKeys() {
		f.Add(k.Append(nil))
	}
	f.Fuzz(func(t *testing.T, key []byte) {
		Split(key)
		k, err := Decode(key)
		if err != nil {
			require.True(t, errs.Is(err, errs.Corrupt))
			return
		}
		require.Equal(t, key, append([]byte{}, k.Append(nil)...), "decoding and encoding gives the same key")
	})
}

// A page of restores goes on after the key that its last item came from.
func TestRestoreFromIsTheKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := drawKey(t, KindRestore)
		key := k.Append(nil)
		require.Equal(t, key, AppendRestoreFrom(nil, k.Index, RestoreRest(key)))
	})
}

func TestEntriesOfAKindAreOneRun(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind, k := uint8(small(t, "kind")), drawKey(t, KindEntry)
		require.Equal(t, k.Entry == kind, bytes.HasPrefix(k.Append(nil), AppendEntries(nil, kind)))
	})
}
