package object

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sse"
	"github.com/cairnstore/cairn/shard"
)

// borderSizes are sizes around every border that an object's bytes cross.
func borderSizes() []int {
	block := shard.BlockBytes
	var sizes []int
	for _, b := range []int{0, 1, 64, meta.InlineMaxBytes, block, 4 * block, testExtent, 2 * testExtent} {
		for _, d := range []int{-1, 0, 1} {
			if n := b + d; n >= 0 {
				sizes = append(sizes, n)
			}
		}
	}
	return append(sizes, block-sse.TagBytes, 4*(block-sse.TagBytes)+1, 3*testExtent+12345)
}

func TestPutGetEverySize(t *testing.T) {
	w := newWorld(t, setup{})
	for _, k := range []*sse.CustomerKey{nil, testKey('1')} {
		for i, n := range borderSizes() {
			b := contentOf(n, uint64(i))
			v := w.put("k", b, k)
			require.EqualValues(t, n, v.Size)
			if k == nil {
				require.Equal(t, md5hex(b), v.Etag)
			} else {
				require.Contains(t, v.Etag, "-")
				require.NotContains(t, v.Etag, md5hex(b))
			}
			sum := checksum.New(checksum.CRC64NVME)
			sum.Write(b)
			require.Equal(t, sum.Sum(nil), valueOf(v.Checksums, checksum.CRC64NVME), "size %d", n)
			w.same(b, "k", k)
		}
	}
	require.Zero(t, w.orphans())
}

func TestRanges(t *testing.T) {
	w := newWorld(t, setup{})
	first, last := metapb.RangeKind_RANGE_FIRST_LAST, metapb.RangeKind_RANGE_SUFFIX
	for _, k := range []*sse.CustomerKey{nil, testKey('1')} {
		b := w.multipart("k", k, contentOf(2*testExtent+100, 1), contentOf(100, 2), contentOf(testExtent, 3), contentOf(1, 4))
		n := uint64(len(b))
		for _, border := range []uint64{0, shard.BlockBytes - sse.TagBytes, shard.BlockBytes, testExtent, 2 * testExtent,
			2*testExtent + 100, 2*testExtent + 200, n - 1} {
			for _, length := range []uint64{1, 2, 100, testExtent + 1, n} {
				from := max(border, 1) - 1
				to := min(from+length, n)
				got, g := w.get("k", k, Range{Kind: first, First: from, Last: from + length - 1})
				require.True(t, bytes.Equal(b[from:to], got), "%d-%d", from, to)
				require.Equal(t, from, g.First)
			}
		}
		got, _ := w.get("k", k, Range{Kind: last, Last: 10})
		require.Equal(t, b[n-10:], got)
		got, g := w.get("k", k, Range{Kind: metapb.RangeKind_RANGE_PART, Part: 2})
		require.Equal(t, b[2*testExtent+100:2*testExtent+200], got)
		require.NotEmpty(t, g.PartChecksums)
		_, g = w.get("k", k, Range{Kind: first, First: n, Last: n})
		require.True(t, g.Unsatisfiable)
		_, g = w.get("k", k, Range{Kind: metapb.RangeKind_RANGE_NONE})
		require.EqualValues(t, n, g.Version.Size)
	}
}

func TestCustomerKeyOfReads(t *testing.T) {
	w := newWorld(t, setup{})
	w.put("plain", contentOf(100, 1), nil)
	w.put("sealed", contentOf(100, 1), testKey('1'))
	for _, c := range []struct {
		key  string
		k    *sse.CustomerKey
		code s3err.Code
		say  string
	}{
		{"plain", testKey('1'), s3err.InvalidRequest, msgKeyNotNeeded},
		{"sealed", nil, s3err.InvalidRequest, msgKeyNeeded},
		{"sealed", testKey('2'), s3err.InvalidArgument, msgKeyDiffers},
		{"absent", nil, s3err.NoSuchKey, ""},
		{"absent", testKey('1'), s3err.NoSuchKey, ""},
	} {
		for _, r := range []metapb.RangeKind{metapb.RangeKind_RANGE_ALL, metapb.RangeKind_RANGE_NONE} {
			_, err := w.Get(t.Context(), &GetInput{Caller: alice, Bucket: testBucket, Key: c.key, CustomerKey: c.k, Range: Range{Kind: r}})
			wantCode(t, err, c.code)
			require.Contains(t, err.Error(), c.say)
		}
	}
	_, err := w.Get(t.Context(), &GetInput{Caller: alice, Bucket: "other-bucket", Key: "k"})
	wantCode(t, err, s3err.NoSuchBucket)
	_, err = w.Get(t.Context(), &GetInput{Caller: alice, Bucket: testBucket, Key: "plain", VersionID: "17"})
	wantCode(t, err, s3err.NoSuchVersion)
}

func TestDigestsAreVerified(t *testing.T) {
	w := newWorld(t, setup{})
	for _, n := range []int{0, 10, testExtent + 10} {
		b := contentOf(n, 1)
		sum := md5.Sum(b)
		wrong := md5.Sum([]byte("wrong"))
		for _, k := range []*sse.CustomerKey{nil, testKey('1')} {
			try := func(change func(*Body)) error {
				body := bodyOf(b)
				change(&body)
				_, err := w.Put(t.Context(), &PutInput{Description: Description{CustomerKey: k}, Caller: alice, Bucket: testBucket, Key: "k", Body: body})
				return err
			}
			require.NoError(t, try(func(b *Body) { b.ContentMD5 = sum[:] }))
			wantCode(t, try(func(b *Body) { b.ContentMD5 = wrong[:] }), s3err.BadDigest)
			for _, a := range checksum.Algorithms() {
				h := checksum.New(a)
				h.Write(b)
				right := h.Sum(nil)
				require.NoError(t, try(func(b *Body) {
					b.Digest = Digest{a, func() ([]byte, error) { return right, nil }}
				}))
				_, g := w.get("k", k, Range{Kind: metapb.RangeKind_RANGE_NONE})
				require.Equal(t, right, valueOf(g.Version.Checksums, a))
				wantCode(t, try(func(b *Body) {
					b.Digest = Digest{a, func() ([]byte, error) { return bytes.Repeat([]byte{0xff}, len(right)), nil }}
				}), s3err.BadDigest)
				broken := errors.New("trailer")
				require.ErrorIs(t, try(func(b *Body) { b.Digest = Digest{a, func() ([]byte, error) { return nil, broken }} }), broken)
			}
			wantCode(t, try(func(b *Body) { b.Digest.Algorithm = "ROT13" }), s3err.InvalidRequest)
		}
	}
	require.Zero(t, w.orphans(), "what failed left shards")
}

// failing reads n bytes and then fails.
type failing struct {
	n   int
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	if f.n == 0 {
		return 0, f.err
	}
	n := min(f.n, len(p))
	f.n -= n
	return n, nil
}

func TestBrokenBodiesLeaveNothing(t *testing.T) {
	w := newWorld(t, setup{})
	gone := errors.New("the signature of the last chunk is wrong")
	for _, size := range []int{100, testExtent, 3 * testExtent} {
		for _, at := range []int{0, 1, size / 2, size - 1, size} {
			for _, k := range []*sse.CustomerKey{nil, testKey('1')} {
				put := func(r io.Reader) error {
					_, err := w.Put(t.Context(), &PutInput{Description: Description{CustomerKey: k}, Caller: alice, Bucket: testBucket, Key: "k",
						Body: Body{Reader: r, Size: int64(size)}})
					return err
				}
				require.ErrorIs(t, put(&failing{at, gone}), gone, "size %d, fails at %d", size, at)
				if at < size {
					wantCode(t, put(&failing{at, io.EOF}), s3err.IncompleteBody)
					wantCode(t, put(&failing{at, io.ErrUnexpectedEOF}), s3err.IncompleteBody)
				}
			}
		}
	}
	wantCode(t, func() error {
		_, err := w.Put(t.Context(), &PutInput{Caller: alice, Bucket: testBucket, Key: "k", Body: Body{Reader: &failing{11, io.EOF}, Size: 10}})
		return err
	}(), s3err.InvalidRequest)
	require.Zero(t, w.shards())
	_, err := w.Get(t.Context(), &GetInput{Caller: alice, Bucket: testBucket, Key: "k"})
	wantCode(t, err, s3err.NoSuchKey)
}

func TestCanceledPutLeavesNothing(t *testing.T) {
	w := newWorld(t, setup{})
	ctx, cancel := context.WithCancel(t.Context())
	size := 3 * testExtent
	_, err := w.Put(ctx, &PutInput{Caller: alice, Bucket: testBucket, Key: "k",
		Body: Body{Reader: io.MultiReader(bytes.NewReader(make([]byte, size-1)), callback(func() { cancel() }), bytes.NewReader([]byte{0})), Size: int64(size)}})
	require.Error(t, err)
	require.Zero(t, w.shards())
}

// callback is a reader of nothing that calls a function.
type callback func()

func (f callback) Read([]byte) (int, error) { f(); return 0, io.EOF }

// TestClientGoneDuringCommit: a commit that is under way goes on, and what it
// refers to stays.
func TestClientGoneDuringCommit(t *testing.T) {
	w := newWorld(t, setup{})
	ctx, cancel := context.WithCancel(t.Context())
	w.meta.before = func(cmd *metapb.Command) error {
		if cmd.GetPutObject() != nil {
			cancel()
		}
		return nil
	}
	b := contentOf(testExtent+1, 1)
	_, err := w.Put(ctx, &PutInput{Caller: alice, Bucket: testBucket, Key: "k", Body: bodyOf(b)})
	require.NoError(t, err)
	w.meta.before = nil
	w.same(b, "k", nil)
}

// TestUncertainCommit: shards of a commit that may have happened are not deleted.
func TestUncertainCommit(t *testing.T) {
	w := newWorld(t, setup{})
	b := contentOf(testExtent+1, 1)
	w.meta.after = func(cmd *metapb.Command) error {
		if cmd.GetPutObject() != nil {
			return errs.Newf("test", errs.Unknown, "timed out")
		}
		return nil
	}
	_, err := w.Put(t.Context(), &PutInput{Caller: alice, Bucket: testBucket, Key: "k", Body: bodyOf(b)})
	wantCode(t, err, s3err.ServiceUnavailable)
	require.Contains(t, s3err.FromError(err).Text(), "outcome of this request is not known", "the client is told so")
	w.meta.after = nil
	w.same(b, "k", nil)
}

// TestRefusedCommit: shards of a commit that was refused are.
func TestRefusedCommit(t *testing.T) {
	w := newWorld(t, setup{})
	for code, refuse := range map[s3err.Code]func() *metapb.Conditions{
		s3err.NoSuchKey:          func() *metapb.Conditions { return &metapb.Conditions{IfMatch: "nothing"} },
		s3err.PreconditionFailed: func() *metapb.Conditions { w.put("other", nil, nil); return &metapb.Conditions{IfNoneMatch: "*"} },
	} {
		key := map[s3err.Code]string{s3err.NoSuchKey: "k", s3err.PreconditionFailed: "other"}[code]
		_, err := w.Put(t.Context(), &PutInput{Caller: alice, Bucket: testBucket, Key: key,
			Body: bodyOf(contentOf(testExtent+1, 1)), Conditions: refuse()})
		wantCode(t, err, code)
		require.Zero(t, w.shards())
	}
	_, err := w.Put(t.Context(), &PutInput{Caller: alice, Bucket: "no-bucket", Key: "k", Body: bodyOf(contentOf(10<<10, 1))})
	wantCode(t, err, s3err.NoSuchBucket)
	_, err = w.Put(t.Context(), &PutInput{Caller: alice, Bucket: "no-bucket", Key: "k", Body: Body{Reader: failOnRead{t}, Size: 2 << 20}})
	wantCode(t, err, s3err.NoSuchBucket)
	require.Zero(t, w.shards())
}

type failOnRead struct{ t *testing.T }

func (f failOnRead) Read([]byte) (int, error) {
	f.t.Error("the body was read")
	return 0, io.EOF
}

// TestLeaseGone: a node whose session has ended commits nothing under the leases
// it had, and goes on with new ones.
func TestLeaseGone(t *testing.T) {
	w := newWorld(t, setup{})
	b := contentOf(testExtent+1, 1)
	w.put("k", b, nil)
	w.meta.newSession()
	_, err := w.Put(t.Context(), &PutInput{Caller: alice, Bucket: testBucket, Key: "k2", Body: bodyOf(b)})
	wantCode(t, err, s3err.ServiceUnavailable)
	require.Zero(t, w.orphans())
	w.put("k2", b, nil)
	w.same(b, "k2", nil)
	w.same(b, "k", nil)
}

func TestBuckets(t *testing.T) {
	w := newWorld(t, setup{})
	for _, name := range []string{"ab", "Abc", "a_b", "-ab", "ab-", "a..b", "a.-b", "a-.b", ".ab", "ab.", "192.168.5.4",
		strings.Repeat("a", 64), "", "a b", "ümlaut"} {
		_, err := w.CreateBucket(t.Context(), alice, name, "", nil)
		wantCode(t, err, s3err.InvalidBucketName)
	}
	for _, name := range []string{"abc", "a-b", "a.b", "1a2", strings.Repeat("a", 63), "192.168.5"} {
		b, err := w.CreateBucket(t.Context(), alice, name, "r", nil)
		require.NoError(t, err)
		require.Equal(t, name, b.Name)
	}
	_, err := w.CreateBucket(t.Context(), alice, "abc", "", nil)
	wantCode(t, err, s3err.BucketAlreadyOwnedByYou)
	_, err = w.CreateBucket(t.Context(), Caller{Account: "other"}, "abc", "", nil)
	wantCode(t, err, s3err.BucketAlreadyExists)
	list, err := w.ListBuckets(t.Context(), alice)
	require.NoError(t, err)
	require.Len(t, list, 7)
	wantCode(t, w.DeleteBucket(t.Context(), alice, "nothing"), s3err.NoSuchBucket)
	w.put("k", nil, nil)
	wantCode(t, w.DeleteBucket(t.Context(), alice, testBucket), s3err.BucketNotEmpty)
	_, err = w.Delete(t.Context(), alice, testBucket, []*metapb.ObjectName{{Key: "k"}, {Key: "nothing"}})
	require.NoError(t, err)
	require.NoError(t, w.DeleteBucket(t.Context(), alice, testBucket))
	_, err = w.HeadBucket(t.Context(), alice, testBucket)
	wantCode(t, err, s3err.NoSuchBucket)
	_, err = w.ListObjects(t.Context(), alice, &metapb.ListObjects{Bucket: testBucket, MaxKeys: 10})
	wantCode(t, err, s3err.NoSuchBucket)
}

func TestListAndDelete(t *testing.T) {
	w := newWorld(t, setup{})
	for i := range 5 {
		w.put(fmt.Sprintf("k%d", i), contentOf(10, 1), nil)
	}
	a, err := w.ListObjects(t.Context(), alice, &metapb.ListObjects{Bucket: testBucket, After: "k1", MaxKeys: 2})
	require.NoError(t, err)
	require.True(t, a.Truncated)
	require.Equal(t, "k2", a.Entries[0].Key)
	r, err := w.Delete(t.Context(), alice, testBucket, []*metapb.ObjectName{{Key: "k2"}, {Key: "k2"}, {Key: "nope"}})
	require.NoError(t, err)
	require.Len(t, r, 3)
	require.True(t, r[0].Existed)
	_, err = w.Delete(t.Context(), alice, "no-bucket", []*metapb.ObjectName{{Key: "k2"}})
	wantCode(t, err, s3err.NoSuchBucket)
	_, err = w.Delete(t.Context(), alice, testBucket, nil)
	wantCode(t, err, s3err.MalformedXML)
}

func TestLimits(t *testing.T) {
	w := newWorld(t, setup{config: Config{MaxPartBytes: 1000}})
	_, err := w.Put(t.Context(), &PutInput{Caller: alice, Bucket: testBucket, Key: "k", Body: Body{Reader: failOnRead{t}, Size: 1001}})
	wantCode(t, err, s3err.EntityTooLarge)
	_, err = w.Put(t.Context(), &PutInput{Caller: alice, Bucket: testBucket, Key: strings.Repeat("k", 1025), Body: bodyOf(nil)})
	wantCode(t, err, s3err.KeyTooLong)
}

func TestBudgetTurnsAway(t *testing.T) {
	w := newWorld(t, setup{})
	require.NoError(t, w.budget.Acquire(t.Context(), w.budget.Total()))
	w.Service.budget = rejecting{w.budget}
	_, err := w.Put(t.Context(), &PutInput{Caller: alice, Bucket: testBucket, Key: "k", Body: bodyOf(contentOf(testExtent, 1))})
	wantCode(t, err, s3err.SlowDown)
	w.budget.Release(w.budget.Total())
}

// rejecting is a budget that does not wait.
type rejecting struct{ Budget }

func (r rejecting) Acquire(context.Context, int64) error {
	return errs.Newf("test", errs.Overloaded, "full")
}
