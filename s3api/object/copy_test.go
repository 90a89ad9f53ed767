package object

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/s3api/etag"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sse"
	"github.com/cairnstore/cairn/shard"
)

// copyPart copies a range (nil: all) of a source into part 1 of a new upload,
// completes it as "dst" and returns the copy's result.
func (w *world) copyPart(src CopySource, r *Range, k *sse.CustomerKey, algorithm string) (*Copied, error) {
	w.t.Helper()
	id := w.upload("dst", k, algorithm, algorithm == checksum.CRC64NVME)
	src.Range = r
	c, err := w.CopyPart(w.t.Context(), &CopyPartInput{Caller: alice, Source: src, Bucket: testBucket, Key: "dst",
		UploadID: id, PartNumber: 1, CustomerKey: k})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	done, err := c.Run(w.t.Context())
	if err != nil {
		return nil, err
	}
	w.complete("dst", id, []CompletePart{{1, done.ETag, done.Checksums}})
	return done, nil
}

func fromTo(first, last int) *Range {
	return &Range{Kind: metapb.RangeKind_RANGE_FIRST_LAST, First: uint64(first), Last: uint64(last)}
}

// TestCopyPartMatrix copies ranges that cross part, extent, stripe and block
// borders between all kinds of sources and destinations.
func TestCopyPartMatrix(t *testing.T) {
	w := newWorld(t, setup{})
	for ks, srcKey := range []*sse.CustomerKey{nil, testKey('1')} {
		sources := map[string][]byte{}
		put := func(key string, b []byte) { w.put(key, b, srcKey); sources[key] = b }
		put("inline", contentOf(5000, 1))
		put("single", contentOf(2*testExtent+300_000, 2))
		put("small", contentOf(100_000, 3))
		sources["multi"] = w.multipart("multi", srcKey, contentOf(testExtent+1, 4), contentOf(200, 5), contentOf(3000, 6),
			contentOf(testExtent-1, 7), contentOf(20, 8))
		for name, b := range sources {
			src := CopySource{Bucket: testBucket, Key: name, CustomerKey: srcKey}
			for kd, dstKey := range []*sse.CustomerKey{nil, testKey('2'), srcKey} {
				for i, r := range rangesOf(len(b)) {
					if effort.Leaves(i, 3) {
						continue
					}
					want := b
					if r != nil {
						want = b[r.First : r.Last+1]
					}
					done, err := w.copyPart(src, r, dstKey, "")
					require.NoError(t, err, "%s %v", name, r)
					w.same(want, "dst", dstKey)
					if etag.IsMD5(done.ETag) {
						require.Nil(t, dstKey)
						require.Equal(t, md5hex(want), done.ETag, "an ETag that looks like an MD5 is one")
					}
					_, _ = ks, kd
				}
			}
			w.same(b, name, srcKey)
		}
	}
	require.Zero(t, w.orphans())
	require.Positive(t, w.count("reference"))
	require.Positive(t, w.count("read"))
}

func rangesOf(n int) []*Range {
	out := []*Range{nil, fromTo(0, 0), fromTo(n-1, n-1), fromTo(0, n-1)}
	for _, b := range []int{100, shard.BlockBytes - sse.TagBytes, 4 * shard.BlockBytes, testExtent, testExtent + 1, testExtent + 201} {
		if b+1 < n {
			out = append(out, fromTo(b-1, b+1), fromTo(b, n-1), fromTo(1, b))
		}
	}
	return out
}

// TestCopyPartByReference: no byte moves, whatever the size.
func TestCopyPartByReference(t *testing.T) {
	w := newWorld(t, setup{})
	b := contentOf(3*testExtent+5, 1)
	v := w.put("src", b, nil)
	before := w.shards()
	src := CopySource{Bucket: testBucket, Key: "src"}
	done, err := w.copyPart(src, nil, nil, "")
	require.NoError(t, err)
	require.Equal(t, v.Etag, done.ETag, "the whole object's MD5 is known")
	w.same(b, "dst", nil)

	done, err = w.copyPart(src, fromTo(7, 3*testExtent), nil, "")
	require.NoError(t, err)
	require.Regexp(t, "^[0-9a-f]{32}-1$", done.ETag)
	again, err := w.copyPart(src, fromTo(7, 3*testExtent), nil, "")
	require.NoError(t, err)
	require.Equal(t, done.ETag, again.ETag, "the same bytes have the same ETag")
	other, err := w.copyPart(src, fromTo(8, 3*testExtent), nil, "")
	require.NoError(t, err)
	require.NotEqual(t, done.ETag, other.ETag)
	require.Equal(t, before, w.shards())
	require.Equal(t, 4, w.count("reference"))

	_, err = w.Delete(t.Context(), alice, testBucket, []*metapb.ObjectName{{Key: "src"}})
	require.NoError(t, err)
	w.same(b[8:3*testExtent+1], "dst", nil)
}

// TestCopyPartFillsInlineGaps: inline parts of the source become extents, and the
// rest is still referred to.
func TestCopyPartFillsInlineGaps(t *testing.T) {
	w := newWorld(t, setup{})
	b := w.multipart("src", nil, contentOf(testExtent, 1), contentOf(10, 2), contentOf(20, 3), contentOf(2*testExtent, 4), contentOf(5, 5))
	before := w.shards()
	_, err := w.copyPart(CopySource{Bucket: testBucket, Key: "src"}, nil, nil, "")
	require.NoError(t, err)
	w.same(b, "dst", nil)
	require.Equal(t, 1, w.count("reference"))
	require.Equal(t, before+2*6, w.shards(), "one extent for each run of inline parts")
}

func TestCopyPartMD5Setting(t *testing.T) {
	w := newWorld(t, setup{knobs: Knobs{CopyPartETag: profile.CopyETagMD5}})
	b := contentOf(2*testExtent, 1)
	w.put("src", b, nil)
	done, err := w.copyPart(CopySource{Bucket: testBucket, Key: "src"}, fromTo(5, testExtent+5), nil, "")
	require.NoError(t, err)
	require.Equal(t, md5hex(b[5:testExtent+6]), done.ETag)
	require.Equal(t, 1, w.count("reference"))
}

func TestCopyPartChecksums(t *testing.T) {
	w := newWorld(t, setup{})
	b := contentOf(2*testExtent+10, 1)
	w.put("src", b, nil)
	for _, algorithm := range checksum.Algorithms() {
		for _, r := range []*Range{nil, fromTo(0, testExtent-1), fromTo(3, testExtent+3), fromTo(3, 5)} {
			for _, k := range []*sse.CustomerKey{nil, testKey('1')} {
				done, err := w.copyPart(CopySource{Bucket: testBucket, Key: "src"}, r, k, algorithm)
				require.NoError(t, err)
				want := b
				if r != nil {
					want = b[r.First : r.Last+1]
				}
				h := checksum.New(algorithm)
				h.Write(want)
				require.Equal(t, h.Sum(nil), valueOf(done.Checksums, algorithm), "%s %v", algorithm, r)
			}
		}
	}
}

func TestCopyPartErrors(t *testing.T) {
	w := newWorld(t, setup{config: Config{MaxPartBytes: 3 * testExtent}})
	key := testKey('1')
	w.put("plain", contentOf(1000, 1), nil)
	w.put("empty", nil, nil)
	w.put("sealed", contentOf(1000, 1), key)
	w.multipart("large", nil, contentOf(2*testExtent, 1), contentOf(2*testExtent, 2))
	plain, sealed := w.upload("dst", nil, "", false), w.upload("dst", key, "", false)
	for name, c := range map[string]struct {
		change func(*CopyPartInput)
		code   s3err.Code
		say    string
	}{
		"number":                  {func(in *CopyPartInput) { in.PartNumber = 0 }, s3err.InvalidArgument, "between 1 and 10000"},
		"destination bucket":      {func(in *CopyPartInput) { in.Bucket = "none"; in.UploadID = "x" }, s3err.NoSuchBucket, ""},
		"source bucket before id": {func(in *CopyPartInput) { in.Source.Bucket = "none"; in.UploadID = "x" }, s3err.NoSuchBucket, ""},
		"upload before source":    {func(in *CopyPartInput) { in.Source.Key = "none"; in.UploadID = "x" }, s3err.NoSuchUpload, ""},
		"initiator before source": {func(in *CopyPartInput) { in.Source.Key = "none"; in.Caller.User = "bob" }, s3err.AccessDenied, ""},
		"source":                  {func(in *CopyPartInput) { in.Source.Key = "none" }, s3err.NoSuchKey, ""},
		"source version":          {func(in *CopyPartInput) { in.Source.VersionID = "5" }, s3err.NoSuchVersion, ""},
		"source before its key":   {func(in *CopyPartInput) { in.Source.Key = "none"; in.Source.CustomerKey = key }, s3err.NoSuchKey, ""},
		"source key missing":      {func(in *CopyPartInput) { in.Source.Key = "sealed" }, s3err.InvalidRequest, msgKeyNeeded},
		"source key wrong":        {func(in *CopyPartInput) { in.Source.Key = "sealed"; in.Source.CustomerKey = testKey('2') }, s3err.InvalidArgument, msgKeyDiffers},
		"source key not needed":   {func(in *CopyPartInput) { in.Source.CustomerKey = key }, s3err.InvalidRequest, msgKeyNotNeeded},
		"key missing":             {func(in *CopyPartInput) { in.UploadID = sealed }, s3err.InvalidRequest, msgUploadKeyNeeded},
		"key wrong":               {func(in *CopyPartInput) { in.UploadID = sealed; in.CustomerKey = testKey('2') }, s3err.InvalidArgument, msgKeyDiffers},
		"key not needed":          {func(in *CopyPartInput) { in.CustomerKey = key }, s3err.InvalidRequest, msgKeyNotNeeded},
		"condition before range":  {func(in *CopyPartInput) { in.Source.Conditions.IfMatch = "x"; in.Source.Range = fromTo(1000, 1000) }, s3err.PreconditionFailed, ""},
		"key before condition":    {func(in *CopyPartInput) { in.Source.Conditions.IfMatch = "x"; in.CustomerKey = key }, s3err.InvalidRequest, ""},
		"range outside":           {func(in *CopyPartInput) { in.Source.Range = fromTo(1000, 1001) }, s3err.InvalidRange, ""},
		"range of nothing":        {func(in *CopyPartInput) { in.Source.Key = "empty"; in.Source.Range = fromTo(0, 0) }, s3err.InvalidRange, ""},
		"too large":               {func(in *CopyPartInput) { in.Source.Key = "large" }, s3err.EntityTooLarge, ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := &CopyPartInput{Caller: alice, Source: CopySource{Bucket: testBucket, Key: "plain"}, Bucket: testBucket, Key: "dst",
				UploadID: plain, PartNumber: 1}
			c.change(in)
			_, err := w.CopyPart(t.Context(), in)
			wantCode(t, err, c.code)
			require.Contains(t, err.Error(), c.say)
		})
	}
	_, err := w.copyPart(CopySource{Bucket: testBucket, Key: "empty"}, nil, nil, "")
	require.NoError(t, err, "an empty source is an empty part")
	w.same(nil, "dst", nil)
	_, err = w.copyPart(CopySource{Bucket: testBucket, Key: "large"}, fromTo(0, 3*testExtent-1), nil, "")
	require.NoError(t, err)
}

func TestCopyRangePastEnd(t *testing.T) {
	for setting, code := range map[profile.PastEnd]s3err.Code{
		profile.PastEndClamp: "", profile.PastEndInvalidRange: s3err.InvalidRange, profile.PastEndInvalidArgument: s3err.InvalidArgument,
	} {
		w := newWorld(t, setup{knobs: Knobs{CopyRangePastEnd: setting}})
		b := contentOf(1000, 1)
		w.put("src", b, nil)
		src := CopySource{Bucket: testBucket, Key: "src"}
		_, err := w.copyPart(src, fromTo(500, 1000), nil, "")
		if code == "" {
			require.NoError(t, err)
			w.same(b[500:], "dst", nil)
		} else {
			wantCode(t, err, code)
		}
		_, err = w.copyPart(src, fromTo(500, 999), nil, "")
		require.NoError(t, err)
		_, err = w.copyPart(src, fromTo(1000, 1000), nil, "")
		wantCode(t, err, s3err.InvalidRange)
	}
}

func TestCopyConditions(t *testing.T) {
	now := time.Now()
	v := &metapb.Version{Etag: "abc", ModifiedMs: now.Add(-time.Hour).UnixMilli()}
	before, after, future := now.Add(-2*time.Hour), now.Add(-time.Minute), now.Add(time.Hour)
	for _, c := range []struct {
		c    ReadConditions
		fine bool
	}{
		{ReadConditions{}, true},
		{ReadConditions{IfMatch: `"abc"`}, true},
		{ReadConditions{IfMatch: `abc`}, true},
		{ReadConditions{IfMatch: `"x", "abc"`}, true},
		{ReadConditions{IfMatch: `*`}, true},
		{ReadConditions{IfMatch: `"x"`}, false},
		{ReadConditions{IfNoneMatch: `"abc"`}, false},
		{ReadConditions{IfNoneMatch: `*`}, false},
		{ReadConditions{IfNoneMatch: `"x"`}, true},
		{ReadConditions{IfUnmodifiedSince: before}, false},
		{ReadConditions{IfUnmodifiedSince: after}, true},
		{ReadConditions{IfUnmodifiedSince: future}, true},
		{ReadConditions{IfModifiedSince: before}, true},
		{ReadConditions{IfModifiedSince: after}, false},
		{ReadConditions{IfModifiedSince: future}, true},
		{ReadConditions{IfMatch: `"abc"`, IfUnmodifiedSince: before}, true},
		{ReadConditions{IfMatch: `"x"`, IfUnmodifiedSince: after}, false},
		{ReadConditions{IfNoneMatch: `"abc"`, IfModifiedSince: before}, false},
		{ReadConditions{IfNoneMatch: `"x"`, IfModifiedSince: after}, true},
		{ReadConditions{IfMatch: `"abc"`, IfNoneMatch: `"abc"`}, false},
	} {
		require.Equal(t, c.fine, failedCondition(&c.c, v) == "", "%+v", c.c)
	}
}

func TestAlternateKey(t *testing.T) {
	w := newWorld(t, setup{})
	w.put("a b", []byte("space"), nil)
	_, err := w.copyPart(CopySource{Bucket: testBucket, Key: "a+b", AlternateKey: "a b"}, nil, nil, "")
	require.NoError(t, err)
	w.same([]byte("space"), "dst", nil)
	w.put("a+b", []byte("plus"), nil)
	_, err = w.copyPart(CopySource{Bucket: testBucket, Key: "a+b", AlternateKey: "a b"}, nil, nil, "")
	require.NoError(t, err)
	w.same([]byte("plus"), "dst", nil)
}

func TestCopyObject(t *testing.T) {
	w := newWorld(t, setup{})
	key := testKey('1')
	attrs := &metapb.Attributes{ContentType: "text/x", Metadata: []*metapb.Pair{{Name: "a", Value: "b"}}}
	sources := map[string]*sse.CustomerKey{"inline": nil, "single": nil, "multi": nil, "sealed": key}
	bodies := map[string][]byte{"inline": contentOf(100, 1), "single": contentOf(testExtent+5, 2), "sealed": contentOf(testExtent+5, 3)}
	for name, b := range bodies {
		_, err := w.Put(t.Context(), &PutInput{Description: Description{Attributes: attrs, CustomerKey: sources[name]}, Caller: alice, Bucket: testBucket, Key: name, Body: bodyOf(b)})
		require.NoError(t, err)
	}
	bodies["multi"] = w.multipart("multi", nil, contentOf(testExtent, 4), contentOf(10, 5))
	copyTo := func(src, dst string, k *sse.CustomerKey, replace *metapb.Attributes) (*Copied, error) {
		c, err := w.Copy(t.Context(), &CopyInput{Caller: alice, Source: CopySource{Bucket: testBucket, Key: src, CustomerKey: sources[src]},
			Bucket: testBucket, Key: dst, Description: Description{Attributes: replace, CustomerKey: k}, ReplaceAttributes: replace != nil})
		if err != nil {
			return nil, err
		}
		defer c.Close()
		return c.Run(t.Context())
	}
	for name, b := range bodies {
		for _, k := range []*sse.CustomerKey{nil, testKey('2')} {
			done, err := copyTo(name, "dst", k, nil)
			require.NoError(t, err)
			w.same(b, "dst", k)
			require.Zero(t, done.Version.Parts)
			if etag.IsMD5(done.ETag) {
				require.Equal(t, md5hex(b), done.ETag)
			}
			sum := checksum.New(checksum.CRC64NVME)
			sum.Write(b)
			require.Equal(t, sum.Sum(nil), valueOf(done.Checksums, checksum.CRC64NVME))
			if name != "multi" {
				require.Equal(t, "text/x", done.Version.Attributes.ContentType)
			}
			done, err = copyTo(name, "dst", k, &metapb.Attributes{ContentType: "new"})
			require.NoError(t, err)
			require.Equal(t, "new", done.Version.Attributes.ContentType)
		}
	}
	// Onto itself.
	_, err := copyTo("single", "single", nil, nil)
	wantCode(t, err, s3err.InvalidRequest)
	_, err = copyTo("sealed", "sealed", key, nil)
	wantCode(t, err, s3err.InvalidRequest)
	for _, name := range []string{"inline", "single", "multi"} {
		_, err = copyTo(name, name, nil, &metapb.Attributes{ContentType: "again"})
		require.NoError(t, err)
		w.same(bodies[name], name, nil)
	}
	_, err = copyTo("sealed", "sealed", testKey('2'), nil)
	require.NoError(t, err, "another key is a change")
	w.same(bodies["sealed"], "sealed", testKey('2'))
	w.collect()
	w.same(bodies["single"], "single", nil)
	require.Zero(t, w.orphans())
}

// TestCopyStopsWithItsReader: the goroutine that reads the source ends when the
// write fails.
func TestCopyStopsWithItsReader(t *testing.T) {
	w := newWorld(t, setup{})
	w.put("src", contentOf(3*testExtent, 1), nil)
	g, err := w.Get(t.Context(), &GetInput{Caller: alice, Bucket: testBucket, Key: "src"})
	require.NoError(t, err)
	r, stop := w.stream(t.Context(), g.content)
	_, err = io.ReadFull(r, make([]byte, 10))
	require.NoError(t, err)
	stop()
	_, err = r.Read(make([]byte, 1))
	require.Error(t, err)
}

// TestReceiverFails: an error of the client's connection ends a read, and is not
// taken for one of the store.
func TestReceiverFails(t *testing.T) {
	w := newWorld(t, setup{})
	b := contentOf(3*testExtent, 1)
	w.put("k", b, nil)
	g, err := w.Get(t.Context(), &GetInput{Caller: alice, Bucket: testBucket, Key: "k"})
	require.NoError(t, err)
	gone := errors.New("connection reset")
	n, err := g.WriteTo(t.Context(), &limited{left: testExtent + 7, err: gone})
	require.ErrorIs(t, err, gone)
	require.LessOrEqual(t, n, int64(testExtent+7))
}

type limited struct {
	bytes.Buffer
	left int
	err  error
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return 0, l.err
	}
	l.left -= len(p)
	return l.Buffer.Write(p)
}

func TestManyPieces(t *testing.T) {
	w := newWorld(t, setup{config: Config{InlineMaxBytes: -1}})
	// Tiny extents from a part copied out of crumbs: more than one page.
	var parts [][]byte
	for i := range 1100 {
		parts = append(parts, contentOf(3, uint64(i)))
	}
	b := w.multipart("src", nil, parts...)
	w.same(b, "src", nil)
	_, err := w.copyPart(CopySource{Bucket: testBucket, Key: "src"}, nil, nil, "")
	require.NoError(t, err)
	require.Equal(t, 1, w.count("reference"))
	w.same(b, "dst", nil)
	got, _ := w.get("dst", nil, *fromTo(3290, 3299))
	require.Equal(t, b[3290:3300], got, fmt.Sprint(len(b)))
}
