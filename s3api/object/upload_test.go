package object

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sse"
)

func TestMultipart(t *testing.T) {
	w := newWorld(t, setup{})
	for _, k := range []*sse.CustomerKey{nil, testKey('1')} {
		id := w.upload("k", k, "", false)
		require.Regexp(t, "^[0-9a-f]{32}$", id)
		sizes := []int{testExtent + 1, 10, 3 * testExtent, 0}
		var want []byte
		var list []CompletePart
		h := md5.New()
		for i, n := range sizes {
			b := contentOf(n, uint64(i))
			w.part("k", id, 2*i+1, contentOf(n+1, 99), k) // Replaced below.
			p := w.part("k", id, 2*i+1, b, k)
			if k == nil {
				require.Equal(t, md5hex(b), p.Etag)
			}
			sum, err := hex.DecodeString(p.Etag[:2*md5.Size])
			require.NoError(t, err)
			h.Write(sum)
			want = append(want, b...)
			list = append(list, CompletePart{Number: 2*i + 1, ETag: p.Etag})
		}
		w.part("k", id, 100, contentOf(testExtent, 5), k) // Not listed: dropped.
		a, err := w.ListParts(t.Context(), alice, testBucket, "k", id, 1, 2)
		require.NoError(t, err)
		require.True(t, a.Truncated)
		require.EqualValues(t, 3, a.Parts[0].Number)

		v := w.complete("k", id, list)
		require.Equal(t, hex.EncodeToString(h.Sum(nil))+"-4", v.Etag)
		sum := checksum.New(checksum.CRC64NVME)
		sum.Write(want)
		require.Equal(t, sum.Sum(nil), valueOf(v.Checksums, checksum.CRC64NVME), "combined from the parts'")
		w.same(want, "k", k)

		again := w.complete("k", id, list)
		require.Equal(t, v.Etag, again.Etag, "a repeat answers the same")
		require.Equal(t, v.ModifiedMs, again.ModifiedMs)
		_, err = w.Complete(t.Context(), &CompleteInput{Caller: alice, Bucket: testBucket, Key: "k", UploadID: id, Parts: list[:1]})
		wantCode(t, err, s3err.NoSuchUpload)
		_, err = w.PutPart(t.Context(), &PartInput{Caller: alice, Bucket: testBucket, Key: "k", UploadID: id, PartNumber: 1, Body: bodyOf(nil), CustomerKey: k})
		wantCode(t, err, s3err.NoSuchUpload)
		wantCode(t, w.Abort(t.Context(), alice, testBucket, "k", id), s3err.NoSuchUpload)
	}
	require.Zero(t, w.orphans())
}

func TestCompleteRules(t *testing.T) {
	w := newWorld(t, setup{knobs: Knobs{MinPartBytes: 1000}})
	id := w.upload("k", nil, "", false)
	e := map[int]string{}
	for n, size := range map[int]int{1: 1000, 2: 1000, 3: 999, 4: 10} {
		e[n] = w.part("k", id, n, contentOf(size, uint64(n)), nil).Etag
	}
	row := func(n int) CompletePart { return CompletePart{Number: n, ETag: e[n]} }
	size := uint64(2000)
	for name, c := range map[string]struct {
		parts []CompletePart
		more  func(*CompleteInput)
		code  s3err.Code
		has   string
	}{
		"no parts":          {nil, nil, s3err.MalformedXML, ""},
		"descending":        {[]CompletePart{row(2), row(1)}, nil, s3err.InvalidPartOrder, ""},
		"twice":             {[]CompletePart{row(1), row(1)}, nil, s3err.InvalidPartOrder, ""},
		"unknown part":      {[]CompletePart{row(1), {Number: 7, ETag: e[1]}}, nil, s3err.InvalidPart, "7"},
		"other etag":        {[]CompletePart{row(1), {Number: 2, ETag: e[1]}}, nil, s3err.InvalidPart, "2"},
		"number 0":          {[]CompletePart{{Number: 0, ETag: e[1]}}, nil, s3err.InvalidArgument, ""},
		"number 10001":      {[]CompletePart{{Number: 10001, ETag: e[1]}}, nil, s3err.InvalidArgument, ""},
		"too small":         {[]CompletePart{row(1), row(3), row(4)}, nil, s3err.EntityTooSmall, "999"},
		"unknown and small": {[]CompletePart{row(3), {Number: 9}}, nil, s3err.InvalidPart, "9"},
		"size":              {[]CompletePart{row(1), row(4)}, func(in *CompleteInput) { in.ObjectSize = &size }, s3err.InvalidRequest, ""},
		"checksum": {[]CompletePart{row(1), row(4)}, func(in *CompleteInput) {
			in.Checksums = []*metapb.Checksum{{Algorithm: checksum.CRC64NVME, Value: make([]byte, 8)}}
		}, s3err.BadDigest, ""},
		"part checksum": {[]CompletePart{{1, e[1], []*metapb.Checksum{{Algorithm: checksum.CRC64NVME, Value: make([]byte, 8)}}}},
			nil, s3err.InvalidPart, ""},
		"condition": {[]CompletePart{row(1)}, func(in *CompleteInput) { in.Conditions = &metapb.Conditions{IfMatch: "x"} },
			s3err.NoSuchKey, ""},
		"key of a plain upload": {[]CompletePart{row(1)}, func(in *CompleteInput) { in.CustomerKey = testKey('1') },
			s3err.InvalidRequest, ""},
		"not the initiator": {[]CompletePart{row(1)}, func(in *CompleteInput) { in.Caller.User = "bob" }, s3err.AccessDenied, ""},
		"other object":      {[]CompletePart{row(1)}, func(in *CompleteInput) { in.Key = "other" }, s3err.NoSuchUpload, ""},
		"other bucket":      {[]CompletePart{row(1)}, func(in *CompleteInput) { in.Bucket = "other" }, s3err.NoSuchBucket, ""},
		"malformed id":      {[]CompletePart{row(1)}, func(in *CompleteInput) { in.UploadID = "../x" }, s3err.NoSuchUpload, ""},
		"unknown id":        {[]CompletePart{row(1)}, func(in *CompleteInput) { in.UploadID = strings.Repeat("0", 32) }, s3err.NoSuchUpload, ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := &CompleteInput{Caller: alice, Bucket: testBucket, Key: "k", UploadID: id, Parts: c.parts}
			if c.more != nil {
				c.more(in)
			}
			_, err := w.Complete(t.Context(), in)
			wantCode(t, err, c.code)
			if c.has != "" {
				var s3 *s3err.Error
				require.ErrorAs(t, err, &s3)
				require.Contains(t, fmt.Sprint(s3.Extra), c.has)
			}
		})
	}
	v := w.complete("k", id, []CompletePart{row(1), row(2), row(4)})
	require.EqualValues(t, 2010, v.Size)
}

func TestUploadRules(t *testing.T) {
	w := newWorld(t, setup{})
	key := testKey('1')
	plain, sealed := w.upload("k", nil, "", false), w.upload("k", key, "", false)
	in := func(id string, k *sse.CustomerKey) *PartInput {
		return &PartInput{Caller: alice, Bucket: testBucket, Key: "k", UploadID: id, PartNumber: 1, CustomerKey: k,
			Body: Body{Reader: failOnRead{t}, Size: 10}}
	}
	for name, c := range map[string]struct {
		in   *PartInput
		more func(*PartInput)
		code s3err.Code
		say  string
	}{
		"number 0":     {in(plain, nil), func(in *PartInput) { in.PartNumber = 0 }, s3err.InvalidArgument, "between 1 and 10000"},
		"number 10001": {in(plain, nil), func(in *PartInput) { in.PartNumber = 10001 }, s3err.InvalidArgument, "between 1 and 10000"},
		"too large":    {in(plain, nil), func(in *PartInput) { in.Body.Size = 5<<30 + 1 }, s3err.EntityTooLarge, ""},
		"key":          {in(plain, key), nil, s3err.InvalidRequest, msgKeyNotNeeded},
		"no key":       {in(sealed, nil), nil, s3err.InvalidRequest, msgUploadKeyNeeded},
		"other key":    {in(sealed, testKey('2')), nil, s3err.InvalidArgument, msgKeyDiffers},
		"initiator":    {in(plain, nil), func(in *PartInput) { in.Caller.User = "bob" }, s3err.AccessDenied, ""},
		"bucket":       {in(plain, nil), func(in *PartInput) { in.Bucket = "none" }, s3err.NoSuchBucket, ""},
		"bucket, id":   {in("x", nil), func(in *PartInput) { in.Bucket = "none" }, s3err.NoSuchBucket, ""},
		"object":       {in(plain, nil), func(in *PartInput) { in.Key = "none" }, s3err.NoSuchUpload, ""},
		"id":           {in("x", nil), nil, s3err.NoSuchUpload, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if c.more != nil {
				c.more(c.in)
			}
			_, err := w.PutPart(t.Context(), c.in)
			wantCode(t, err, c.code)
			require.Contains(t, err.Error(), c.say)
		})
	}
	_, err := w.CreateUpload(t.Context(), &UploadInput{Caller: alice, Bucket: "none", Key: "k"})
	wantCode(t, err, s3err.NoSuchBucket)
	for algorithm, full := range map[string]bool{checksum.SHA256: true, checksum.CRC64NVME: false, "X": true} {
		_, err := w.CreateUpload(t.Context(), &UploadInput{Caller: alice, Bucket: testBucket, Key: "k",
			ChecksumAlgorithm: algorithm, ChecksumFullObject: full})
		wantCode(t, err, s3err.InvalidRequest)
	}
	wantCode(t, w.Abort(t.Context(), Caller{Account: "x", User: "bob"}, testBucket, "k", plain), s3err.AccessDenied)
	require.NoError(t, w.Abort(t.Context(), Caller{Account: alice.Account, User: "bob"}, testBucket, "k", plain), "the bucket's owner may")
	wantCode(t, w.Abort(t.Context(), alice, testBucket, "k", plain), s3err.NoSuchUpload)
	list, err := w.ListUploads(t.Context(), alice, &metapb.ListUploads{Bucket: testBucket, MaxUploads: 10})
	require.NoError(t, err)
	require.Len(t, list.Entries, 1)
	require.Equal(t, sealed, FormatUploadID(list.Entries[0].Upload.Id))
}

func TestChecksumsOfUploads(t *testing.T) {
	w := newWorld(t, setup{})
	a, b := contentOf(testExtent+10, 1), contentOf(77, 2)
	of := func(algorithm string, p ...[]byte) []byte {
		h := checksum.New(algorithm)
		for _, p := range p {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	for _, algorithm := range checksum.Algorithms() {
		for _, full := range []bool{false, true} {
			if full && !checksum.Combines(algorithm) || !full && !checksum.Composes(algorithm) {
				continue
			}
			id := w.upload("k", nil, algorithm, full)
			p := w.part("k", id, 1, a, nil)
			require.Equal(t, of(algorithm, a), valueOf(p.Checksums, algorithm))
			q := w.part("k", id, 2, b, nil)
			list := []CompletePart{{1, p.Etag, p.Checksums}, {2, q.Etag, q.Checksums}}
			v := w.complete("k", id, list)
			require.Len(t, v.Checksums, 1)
			require.Equal(t, !full, v.Checksums[0].Composite)
			require.Equal(t, algorithm, v.Checksums[0].Algorithm)
			if full {
				require.Equal(t, of(algorithm, a, b), v.Checksums[0].Value)
			} else {
				require.Equal(t, of(algorithm, of(algorithm, a), of(algorithm, b)), v.Checksums[0].Value)
			}
		}
	}
	id := w.upload("k", nil, checksum.SHA256, false)
	body := bodyOf(b)
	body.Digest.Algorithm = checksum.CRC32
	_, err := w.PutPart(t.Context(), &PartInput{Caller: alice, Bucket: testBucket, Key: "k", UploadID: id, PartNumber: 1, Body: body})
	wantCode(t, err, s3err.InvalidRequest)
}

func TestCompleteMayRequireKey(t *testing.T) {
	w := newWorld(t, setup{knobs: Knobs{CompleteRequiresSSEC: true}})
	id := w.upload("k", testKey('1'), "", false)
	p := w.part("k", id, 1, []byte("x"), testKey('1'))
	in := &CompleteInput{Caller: alice, Bucket: testBucket, Key: "k", UploadID: id, Parts: []CompletePart{{Number: 1, ETag: p.Etag}}}
	_, err := w.Complete(t.Context(), in)
	wantCode(t, err, s3err.InvalidRequest)
	in.CustomerKey = testKey('2')
	_, err = w.Complete(t.Context(), in)
	wantCode(t, err, s3err.InvalidArgument)
	in.CustomerKey = testKey('1')
	_, err = w.Complete(t.Context(), in)
	require.NoError(t, err)
}

// TestCompleteMeetsParts: parts that land between reading the list and the commit
// make Complete look again, and what it makes is what its list says.
func TestCompleteMeetsParts(t *testing.T) {
	w := newWorld(t, setup{})
	id := w.upload("k", nil, "", false)
	b := contentOf(testExtent+1, 1)
	p := w.part("k", id, 1, b, nil)
	meets := 3
	w.meta.before = func(cmd *metapb.Command) error {
		if cmd.GetCompleteUpload() != nil && meets > 0 {
			meets--
			w.part("k", id, 2+meets, contentOf(10, 7), nil)
		}
		return nil
	}
	v := w.complete("k", id, []CompletePart{{Number: 1, ETag: p.Etag}})
	require.EqualValues(t, len(b), v.Size)
	w.meta.before = nil
	w.same(b, "k", nil)

	// The listed part itself is replaced: the list is wrong now.
	id = w.upload("k", nil, "", false)
	p = w.part("k", id, 1, b, nil)
	once := true
	w.meta.before = func(cmd *metapb.Command) error {
		if cmd.GetCompleteUpload() != nil && once {
			once = false
			w.part("k", id, 1, contentOf(10, 7), nil)
		}
		return nil
	}
	_, err := w.Complete(t.Context(), &CompleteInput{Caller: alice, Bucket: testBucket, Key: "k", UploadID: id,
		Parts: []CompletePart{{Number: 1, ETag: p.Etag}}})
	wantCode(t, err, s3err.InvalidPart)
}

func TestCompleteRace(t *testing.T) {
	w := newWorld(t, setup{})
	id := w.upload("k", nil, "", false)
	p := w.part("k", id, 1, contentOf(10, 1), nil)
	var all sync.WaitGroup
	var etags [8]string
	for i := range etags {
		all.Go(func() {
			v, err := w.Complete(context.Background(), &CompleteInput{Caller: alice, Bucket: testBucket, Key: "k", UploadID: id,
				Parts: []CompletePart{{Number: 1, ETag: p.Etag}}})
			if err == nil {
				etags[i] = v.Etag
			}
		})
	}
	all.Wait()
	for _, e := range etags {
		require.Equal(t, etags[0], e)
		require.NotEmpty(t, e)
	}
}

// TestPartAfterAbort: a part whose upload was aborted while its body came is
// refused, and its shards are deleted.
func TestPartAfterAbort(t *testing.T) {
	w := newWorld(t, setup{})
	id := w.upload("k", nil, "", false)
	w.meta.before = func(cmd *metapb.Command) error {
		if cmd.GetPutPart() != nil {
			w.meta.before = nil
			require.NoError(t, w.Abort(t.Context(), alice, testBucket, "k", id))
		}
		return nil
	}
	_, err := w.PutPart(t.Context(), &PartInput{Caller: alice, Bucket: testBucket, Key: "k", UploadID: id, PartNumber: 1,
		Body: bodyOf(contentOf(2*testExtent, 1))})
	wantCode(t, err, s3err.NoSuchUpload)
	require.Zero(t, w.shards())
}
