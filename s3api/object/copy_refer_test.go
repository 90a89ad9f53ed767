package object

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/s3api/etag"
	"github.com/cairnstore/cairn/shard"
)

// envelopes returns those of an object's parts.
func (w *world) envelopes(key string) []*metapb.Envelope {
	w.t.Helper()
	a, err := w.meta.Read(w.t.Context(), &metapb.Query{Op: &metapb.Query_Object{Object: &metapb.GetObject{Bucket: testBucket, Key: key}}})
	require.NoError(w.t, err)
	return a.Object.Content.Envelopes
}

// TestSealedByReference: under the same customer's key no byte moves, wherever in a
// package the range begins and ends, and the envelope is another.
func TestSealedByReference(t *testing.T) {
	w := newWorld(t, setup{})
	key, b := testKey('1'), contentOf(3*testExtent+300_000, 1)
	w.put("src", b, key)
	src := CopySource{Bucket: testBucket, Key: "src", CustomerKey: key}
	const pkg = shard.BlockBytes - 16
	before := w.shards()
	for _, r := range []*Range{nil, fromTo(0, len(b)-1), fromTo(1, len(b)-2), fromTo(pkg-1, 2*testExtent), fromTo(pkg, 2*testExtent-1),
		fromTo(pkg+1, 2*testExtent+1), fromTo(testExtent-1, testExtent+20_000), fromTo(testExtent, 2*testExtent-1), fromTo(5, 20_000)} {
		want := b
		if r != nil {
			want = b[r.First : r.Last+1]
		}
		refs := w.count("reference")
		done, err := w.copyPart(src, r, key, "")
		require.NoError(t, err)
		require.False(t, etag.IsMD5(done.ETag))
		require.Equal(t, refs+1, w.count("reference"), "%v", r)
		w.same(want, "dst", key)
		got, _ := w.get("dst", key, *fromTo(len(want)/3, len(want)/2))
		require.True(t, bytes.Equal(want[len(want)/3:len(want)/2+1], got))
		require.Len(t, w.envelopes("dst"), 1)
		require.NotEqual(t, w.envelopes("src")[0].WrappedKey, w.envelopes("dst")[0].WrappedKey)
	}
	require.Equal(t, before, w.shards())
	require.Zero(t, w.count("here"))

	// Of another key, or of none: fresh data keys, fresh extents.
	for _, k := range []byte{'2', 0} {
		other := testKey(k)
		if k == 0 {
			other = nil
		}
		_, err := w.copyPart(src, nil, other, "")
		require.NoError(t, err)
		w.same(b, "dst", other)
		require.Greater(t, w.shards(), before)
	}
}

// TestSealedByReferenceOutlivesItsSource: a chain of copies keeps the bytes when
// what it came from is gone.
func TestSealedByReferenceOutlivesItsSource(t *testing.T) {
	w := newWorld(t, setup{})
	key := testKey('1')
	b := w.multipart("src", key, contentOf(testExtent+100, 1), contentOf(300, 2), contentOf(40, 3), contentOf(2*testExtent, 4))
	src := CopySource{Bucket: testBucket, Key: "src", CustomerKey: key}
	_, err := w.copyPart(src, fromTo(7, len(b)-8), key, "")
	require.NoError(t, err)
	require.Equal(t, 1, w.count("reference"))
	require.Len(t, w.envelopes("dst"), 3, "two of the source's parts, and one for what was inline")
	copyObject := func(from, to string) {
		c, err := w.Copy(t.Context(), &CopyInput{Caller: alice, Source: CopySource{Bucket: testBucket, Key: from, CustomerKey: key},
			Bucket: testBucket, Key: to, Description: Description{CustomerKey: key}})
		require.NoError(t, err)
		defer c.Close()
		_, err = c.Run(t.Context())
		require.NoError(t, err)
	}
	copyObject("dst", "again")
	copyObject("again", "last")
	require.Equal(t, 3, w.count("reference"))
	for _, name := range []string{"src", "dst", "again"} {
		_, err := w.Delete(t.Context(), alice, testBucket, []*metapb.ObjectName{{Key: name}})
		require.NoError(t, err)
	}
	w.collect()
	w.same(b[7:len(b)-7], "last", key)
	got, _ := w.get("last", key, *fromTo(testExtent, testExtent+600))
	require.Equal(t, b[testExtent+7:testExtent+608], got)
	_, err = w.Get(t.Context(), &GetInput{Caller: alice, Bucket: testBucket, Key: "last", CustomerKey: testKey('2')})
	require.Error(t, err)
	require.Zero(t, w.orphans())
}

// TestReferenceReadsEdgesOnly: the CRC of a copy by reference takes those runs
// alone that are not whole extents; a SHA the whole range.
func TestReferenceReadsEdgesOnly(t *testing.T) {
	w := newWorld(t, setup{})
	key, b := testKey('1'), contentOf(4*testExtent, 1)
	for _, sealed := range []bool{false, true} {
		k := key
		if !sealed {
			k = nil
		}
		w.put("src", b, k)
		for _, c := range []struct{ first, last, edges int }{
			{0, len(b) - 1, 0},
			{testExtent, 3*testExtent - 1, 0},
			{testExtent - 10, 3*testExtent - 1, 10},
			{testExtent - 10, 3*testExtent + 4, 15},
			{7, testExtent - 1, testExtent - 7},
			{20_000, 40_000, 20_001},
		} {
			for _, algorithm := range checksum.Algorithms() {
				read := w.count("bytes read")
				done, err := w.copyPart(CopySource{Bucket: testBucket, Key: "src", CustomerKey: k}, fromTo(c.first, c.last), k, algorithm)
				require.NoError(t, err)
				h := checksum.New(algorithm)
				h.Write(b[c.first : c.last+1])
				require.Equal(t, h.Sum(nil), valueOf(done.Checksums, algorithm), "%s %v", algorithm, c)
				want := c.edges
				if !checksum.Combines(algorithm) {
					want = c.last - c.first + 1
				}
				require.Equal(t, want, w.count("bytes read")-read, "%s %v", algorithm, c)
			}
		}
	}
	require.Zero(t, w.count("here"))
}
