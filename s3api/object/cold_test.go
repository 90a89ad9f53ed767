package object

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sse"
	"github.com/cairnstore/cairn/s3api/wirexml"
	"github.com/cairnstore/cairn/shard"
)

var glacier = &metapb.Attributes{StorageClass: profile.ClassGlacier}

func (w *world) putClass(key string, b []byte, k *sse.CustomerKey, class string) {
	w.t.Helper()
	_, err := w.Put(w.t.Context(), &PutInput{Caller: alice, Bucket: testBucket, Key: key, Body: bodyOf(b),
		Description: Description{CustomerKey: k, Attributes: &metapb.Attributes{StorageClass: class}}})
	require.NoError(w.t, err)
}

// coldUpload makes a cold object of parts under the given numbers.
func (w *world) coldUpload(key string, k *sse.CustomerKey, numbers []int, parts ...[]byte) (whole []byte) {
	w.t.Helper()
	id, err := w.CreateUpload(w.t.Context(), &UploadInput{Caller: alice, Bucket: testBucket, Key: key,
		Description: Description{CustomerKey: k, Attributes: glacier}})
	require.NoError(w.t, err)
	var list []CompletePart
	for i, b := range parts {
		list = append(list, CompletePart{Number: numbers[i], ETag: w.part(key, id, numbers[i], b, k).Etag})
		whole = append(whole, b...)
	}
	w.complete(key, id, list)
	return whole
}

// restoreNow asks for a restore that is due at once.
func (w *world) restoreNow(key, version string) {
	w.t.Helper()
	extended, err := w.Restore(w.t.Context(), &RestoreInput{Caller: alice, Bucket: testBucket, Key: key, VersionID: version, Days: 1, Tier: wirexml.TierBulk})
	require.NoError(w.t, err)
	require.False(w.t, extended)
}

// restores returns the versions whose restore is under way, or ends.
func (w *world) restores() []*metapb.WorkItem {
	w.t.Helper()
	a, err := w.meta.Read(w.t.Context(), &metapb.Query{Op: &metapb.Query_ListWork{ListWork: &metapb.ListWork{Kind: metapb.WorkKind_WORK_RESTORES}}})
	require.NoError(w.t, err)
	return a.Work.Items
}

func (w *world) onlyRestore() *metapb.WorkItem {
	w.t.Helper()
	items := w.restores()
	require.Len(w.t, items, 1)
	return items[0]
}

// expire puts the end of the only restore into the past.
func (w *world) expire() {
	w.t.Helper()
	it := w.onlyRestore()
	r := proto.CloneOf(it.Version.Restore)
	r.ExpiresMs = nowMS() - 1
	w.meta.must(&metapb.Command{Op: &metapb.Command_UpdateVersion{UpdateVersion: &metapb.UpdateVersion{
		Bucket: it.Bucket, Key: it.Key, VersionId: nameOf(it.Version), Restore: r}}})
}

// coldNow requires that an object cannot be read or copied.
func (w *world) coldNow(t *testing.T, key string, k *sse.CustomerKey) {
	t.Helper()
	_, err := w.Get(t.Context(), &GetInput{Caller: alice, Bucket: testBucket, Key: key, CustomerKey: k})
	wantCode(t, err, s3err.InvalidObjectState)
	require.ErrorContains(t, err, msgColdRead)
	src := CopySource{Bucket: testBucket, Key: key, CustomerKey: testKey('9')} // The class comes before any key.
	_, err = w.Copy(t.Context(), &CopyInput{Caller: alice, Source: src, Bucket: testBucket, Key: "copy"})
	wantCode(t, err, s3err.InvalidObjectState)
	id := w.upload("copy", nil, "", false)
	_, err = w.CopyPart(t.Context(), &CopyPartInput{Caller: alice, Source: src, Bucket: testBucket, Key: "copy", UploadID: id, PartNumber: 1})
	wantCode(t, err, s3err.InvalidObjectState)
	_, err = w.Get(t.Context(), &GetInput{Caller: alice, Bucket: testBucket, Key: key, CustomerKey: k, Head: true,
		Range: Range{Kind: metapb.RangeKind_RANGE_PART, Part: 1}})
	require.NoError(t, err)
}

// warmScheme returns the scheme of every extent that a read of a restored object
// meets.
func (w *world) warmScheme(key string) (schemes []string) {
	w.t.Helper()
	a, err := w.meta.Read(w.t.Context(), &metapb.Query{Op: &metapb.Query_Object{Object: &metapb.GetObject{Bucket: testBucket, Key: key, Restored: true}}})
	require.NoError(w.t, err)
	top, err := w.meta.Topology(w.t.Context())
	require.NoError(w.t, err)
	for _, p := range a.Object.Content.Pieces {
		if !isInline(p) {
			schemes = append(schemes, top.Volumes[shard.VolumeID(p.Ref.Volume)].Scheme.String())
		}
	}
	return schemes
}

func TestPlacementOfClasses(t *testing.T) {
	w := newWorld(t, setup{nodes: 8})
	b := contentOf(testExtent, 1)
	for class, want := range map[string]string{"": "4+2", profile.ClassStandardIA: "4+2", profile.ClassGlacier: "6+2"} {
		w.putClass("k", b, nil, class)
		require.Equal(t, want, w.scheme("k"), class)
	}
	w.coldUpload("k", nil, []int{1}, b)
	require.Equal(t, "6+2", w.scheme("k"))
	w.put("warm", b, nil)
	_, err := w.copyObject("warm", "frozen", nil, nil, glacier)
	require.NoError(t, err)
	require.Equal(t, "6+2", w.scheme("frozen"), "a colder copy does not refer to warm extents")
	w.kill(true, 8)
	w.putClass("k", b, nil, profile.ClassGlacier)
	require.Equal(t, "4+2", w.scheme("k"), "too few domains are alive")
}

// copyObject copies within the bucket.
func (w *world) copyObject(from, to string, src, dst *sse.CustomerKey, a *metapb.Attributes) (*Copied, error) {
	c, err := w.Copy(w.t.Context(), &CopyInput{Caller: alice, Source: CopySource{Bucket: testBucket, Key: from, CustomerKey: src},
		Bucket: testBucket, Key: to, Description: Description{CustomerKey: dst, Attributes: a}})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Run(w.t.Context())
}

func TestLifeOfAColdObject(t *testing.T) {
	for _, k := range []*sse.CustomerKey{nil, testKey('1')} {
		w := newWorld(t, setup{nodes: 8, config: Config{RestoreBulk: time.Nanosecond}})
		bodies := map[string][]byte{"inline": contentOf(100, 1), "single": contentOf(2*testExtent+5, 2), "empty": nil}
		for key, b := range bodies {
			w.putClass(key, b, k, profile.ClassGlacier)
		}
		bodies["multi"] = w.coldUpload("multi", k, []int{1, 7, MaxPartNumber}, contentOf(testExtent+1, 3), contentOf(testExtent, 4), contentOf(10, 5))
		for key, b := range bodies {
			t.Run(fmt.Sprintf("%s sealed=%v", key, k != nil), func(t *testing.T) {
				w.coldNow(t, key, k)
				w.restoreNow(key, "")
				_, err := w.Restore(t.Context(), &RestoreInput{Caller: alice, Bucket: testBucket, Key: key, Days: 1})
				wantCode(t, err, s3err.RestoreAlreadyInProgress)
				w.coldNow(t, key, k)
				before := w.extents(key)

				require.NoError(t, w.Warm(t.Context(), w.onlyRestore()))
				w.lose(before) // From here on only the warm copy can be read.
				require.NoError(t, w.meta.state.Check())
				w.same(b, key, k)
				for _, s := range w.warmScheme(key) {
					require.Equal(t, "4+2", s)
				}
				require.Equal(t, before, w.extents(key), "the cold extents stay")
				if key == "multi" {
					got, g := w.get(key, k, Range{Kind: metapb.RangeKind_RANGE_PART, Part: 7})
					require.Equal(t, b[testExtent+1:2*testExtent+1], got)
					require.NotEmpty(t, g.PartChecksums)
				}
				if len(b) > testExtent {
					refs := w.count("reference")
					_, err := w.copyObject(key, "thawed", k, k, nil)
					require.NoError(t, err)
					require.Equal(t, refs+1, w.count("reference"), "a standard copy refers to the warm extents")
				}
				_, err = w.copyObject(key, "frozen", k, k, glacier)
				require.NoError(t, err)

				w.expire()
				w.coldNow(t, key, k)
				garbage := w.garbage()
				require.NoError(t, w.EndRestore(t.Context(), w.onlyRestore()))
				require.Empty(t, w.restores())
				require.Nil(t, w.onlyVersion(key).Restore)
				w.coldNow(t, key, k)
				if len(b) > testExtent {
					w.same(b, "thawed", k) // It keeps the extents that it refers to.
				} else {
					require.Equal(t, garbage, w.garbage())
				}
				require.NoError(t, w.meta.state.Check())
				require.Zero(t, w.orphans())
			})
		}
	}
}

// lose deletes all shards of extents, behind the metadata's back.
func (w *world) lose(extents []shard.ExtentID) {
	w.t.Helper()
	for _, d := range w.drives {
		for _, id := range d.IDs() {
			if slices.Contains(extents, id.Extent) {
				require.NoError(w.t, d.Delete(w.t.Context(), []shard.ID{id}))
			}
		}
	}
}

// garbage returns how many extents nothing refers to.
func (w *world) garbage() uint64 {
	w.t.Helper()
	a, err := w.meta.Read(w.t.Context(), &metapb.Query{Op: &metapb.Query_Status{Status: &metapb.GetStatus{}}})
	require.NoError(w.t, err)
	return a.Status.ExtentsGc
}

func (w *world) onlyVersion(key string) *metapb.Version {
	w.t.Helper()
	a, err := w.meta.Read(w.t.Context(), &metapb.Query{Op: &metapb.Query_Object{Object: &metapb.GetObject{Bucket: testBucket, Key: key}}})
	require.NoError(w.t, err)
	return a.Object.Version
}

// A warm copy is the object, whatever parts it has, wherever they came from, and in
// however many steps it is brought.
func TestWarmCopyIsTheObject(t *testing.T) {
	w := newWorld(t, setup{nodes: 8, config: Config{RestoreBulk: time.Nanosecond, ExtentMaxBytes: 64 << 10}})
	source := contentOf(500_000, 9)
	key := testKey('1')
	w.put("plain source", source, nil)
	_, err := w.copyObject("plain source", "sealed source", nil, key, nil)
	require.NoError(t, err)
	rapid.Check(t, func(r *rapid.T) {
		var k *sse.CustomerKey
		from := "plain source"
		if rapid.Bool().Draw(r, "sealed") {
			k, from = key, "sealed source"
		}
		id, err := w.CreateUpload(t.Context(), &UploadInput{Caller: alice, Bucket: testBucket, Key: "k",
			Description: Description{CustomerKey: k, Attributes: glacier}})
		require.NoError(t, err)
		var want []byte
		var list []CompletePart
		number := 0
		for range rapid.IntRange(1, 5).Draw(r, "parts") {
			number += rapid.IntRange(1, 3).Draw(r, "gap")
			first := rapid.IntRange(0, 300_000).Draw(r, "first")
			b := source[first:][:rapid.SampledFrom([]int{1, 9000, 64 << 10, 64<<10 + 1, 200_000}).Draw(r, "size")]
			want = append(want, b...)
			if rapid.Bool().Draw(r, "copied") {
				c, err := w.CopyPart(t.Context(), &CopyPartInput{Caller: alice, Bucket: testBucket, Key: "k", UploadID: id, PartNumber: number,
					CustomerKey: k, Source: CopySource{Bucket: testBucket, Key: from, CustomerKey: k,
						Range: &Range{Kind: metapb.RangeKind_RANGE_FIRST_LAST, First: uint64(first), Last: uint64(first + len(b) - 1)}}})
				require.NoError(t, err)
				done, err := c.Run(t.Context())
				c.Close()
				require.NoError(t, err)
				list = append(list, CompletePart{Number: number, ETag: done.ETag})
				continue
			}
			list = append(list, CompletePart{Number: number, ETag: w.part("k", id, number, b, k).Etag})
		}
		w.complete("k", id, list)
		w.restoreNow("k", "")
		require.NoError(t, w.Warm(t.Context(), w.onlyRestore()))
		w.same(want, "k", k)
		for i := range 3 {
			first := rapid.IntRange(0, len(want)-1).Draw(r, fmt.Sprint("from ", i))
			got, _ := w.get("k", k, Range{Kind: metapb.RangeKind_RANGE_FROM, First: uint64(first)})
			require.Equal(t, want[first:], got)
		}
		require.NotContains(t, w.warmScheme("k"), "6+2")
	})
	require.NoError(t, w.meta.state.Check())
}

func TestWarmCopyInSteps(t *testing.T) {
	w := newWorld(t, setup{nodes: 8, config: Config{RestoreBulk: time.Nanosecond, ExtentMaxBytes: 16 << 10}})
	whole := w.coldUpload("k", nil, []int{2, 3}, contentOf(40*16<<10, 1), contentOf((2*warmStepExtents+3)*16<<10, 2))
	single := contentOf((warmStepExtents+1)*16<<10, 3)
	w.putClass("one part", single, testKey('1'), profile.ClassGlacier)
	updates := func(c *metapb.Command) bool { return c.GetUpdateVersion() != nil }
	w.restoreNow("k", "")
	sent := w.meta.sent(updates)

	boom := errors.New("boom")
	w.meta.before = func(c *metapb.Command) error {
		if updates(c) && w.meta.sent(updates) == sent+1 {
			return errs.New("test", errs.Unavailable, boom)
		}
		return nil
	}
	require.ErrorIs(t, w.Warm(t.Context(), w.onlyRestore()), boom)
	require.Zero(t, w.orphans(), "what was not committed is deleted")
	require.NoError(t, w.meta.state.Check())
	w.coldNow(t, "k", nil)
	half := w.onlyRestore().Version.Restore
	require.NotEmpty(t, half.ContentId)
	require.True(t, half.Ongoing)

	w.meta.before = nil
	require.Zero(t, w.garbage())
	require.NoError(t, w.Warm(t.Context(), w.onlyRestore()))
	require.EqualValues(t, warmStepExtents, w.garbage(), "the half copy is dropped")
	require.Equal(t, sent+1+3, w.meta.sent(updates))
	w.same(whole, "k", nil)
	w.expire()
	require.NoError(t, w.EndRestore(t.Context(), w.onlyRestore()))
	require.EqualValues(t, warmStepExtents+40+2*warmStepExtents+3, w.garbage(), "and so is the whole one in the end")

	w.restoreNow("one part", "")
	require.NoError(t, w.Warm(t.Context(), w.onlyRestore()))
	w.same(single, "one part", testKey('1'))
	require.NoError(t, w.meta.state.Check())
}

func TestWarmCopyGoesRoundDeadDrives(t *testing.T) {
	w := newWorld(t, setup{nodes: 8, config: Config{RestoreBulk: time.Nanosecond}})
	b := contentOf(5*testExtent, 1)
	w.putClass("k", b, nil, profile.ClassGlacier)
	w.restoreNow("k", "")
	w.kill(false, 1, 2) // Nobody knows yet: 6+2 can be read, 4+2 is written below quorum.
	require.NoError(t, w.Warm(t.Context(), w.onlyRestore()))
	w.same(b, "k", nil)
	require.NoError(t, w.meta.state.Check())
}

// A busy node and drives that are away for a moment do not end a copy.
func TestWarmCopyIsPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, setup{nodes: 8, config: Config{RestoreBulk: time.Nanosecond}})
		b := contentOf(3*testExtent, 1)
		w.putClass("k", b, nil, profile.ClassGlacier)
		w.restoreNow("k", "")
		warm := func(meanwhile func()) error {
			done := make(chan error)
			go func() { done <- w.Warm(t.Context(), w.onlyRestore()) }()
			meanwhile()
			return <-done
		}
		require.NoError(t, w.budget.Acquire(t.Context(), w.budget.Total()))
		require.NoError(t, warm(func() {
			time.Sleep(time.Minute)
			w.budget.Release(w.budget.Total())
		}))
		w.same(b, "k", nil)

		w.expire()
		w.restoreNow("k", "")
		w.kill(false, 1, 2, 3)
		require.NoError(t, warm(func() {
			time.Sleep(warmPause / 2)
			for _, d := range w.drives {
				d.set(nil)
			}
		}))
		w.same(b, "k", nil)

		w.expire()
		w.restoreNow("k", "")
		w.kill(false, 1, 2, 3)
		require.True(t, errs.Is(warm(func() {}), errs.Unavailable), "in the end it is given up")
		require.Zero(t, w.alloc.Outstanding())
	})
}

func TestWarmCopyOfWhatIsGone(t *testing.T) {
	w := newWorld(t, setup{nodes: 8, config: Config{RestoreBulk: time.Nanosecond}})
	b := contentOf(2*testExtent, 1)
	for name, gone := range map[string]func(){
		"deleted": func() {
			_, err := w.Delete(t.Context(), alice, testBucket, []*metapb.ObjectName{{Key: "k"}})
			require.NoError(t, err)
		},
		"overwritten": func() { w.put("k", b, nil) },
	} {
		w.putClass("k", b, nil, profile.ClassGlacier)
		w.restoreNow("k", "")
		it := w.onlyRestore()
		w.meta.before = func(c *metapb.Command) error { // Between the work and its commit.
			if c.GetUpdateVersion() != nil {
				w.meta.before = nil
				gone()
			}
			return nil
		}
		require.NoError(t, w.Warm(t.Context(), it), name)
		require.Zero(t, w.orphans(), name)
		require.NoError(t, w.Warm(t.Context(), it), name)
		require.NoError(t, w.EndRestore(t.Context(), it), name)
		require.Empty(t, w.restores(), name)
	}
}
