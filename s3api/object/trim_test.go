package object

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sse"
)

const crumb = 8 << 10 // An extent of what is appended here.

// appended makes an object by the append idiom: each time, part 1 is a copy of the
// object as it is, and part 2 is what is added to it. Its part 1 then has more
// references than a page of its content.
func (w *world) appended(key string, k *sse.CustomerKey, rounds int) (all []byte) {
	w.t.Helper()
	for round := range rounds {
		id := w.upload(key, k, "", false)
		var list []CompletePart
		if round > 0 {
			c, err := w.CopyPart(w.t.Context(), &CopyPartInput{Caller: alice, Bucket: testBucket, Key: key, UploadID: id, PartNumber: 1,
				CustomerKey: k, Source: CopySource{Bucket: testBucket, Key: key, CustomerKey: k}})
			require.NoError(w.t, err)
			done, err := c.Run(w.t.Context())
			require.NoError(w.t, err)
			c.Close()
			list = append(list, CompletePart{Number: 1, ETag: done.ETag})
		}
		more := contentOf(100*crumb, uint64(round))
		list = append(list, CompletePart{Number: 2, ETag: w.part(key, id, 2, more, k).Etag})
		w.complete(key, id, list)
		all = append(all, more...)
	}
	return all
}

// overwriting is a receiver that has the object overwritten when it has taken some
// bytes, and all that was dropped trimmed by so much.
type overwriting struct {
	bytes.Buffer
	at   int
	then func()
}

func (o *overwriting) Write(p []byte) (int, error) {
	n, err := o.Buffer.Write(p)
	if o.then != nil && o.Len() >= o.at {
		then := o.then
		o.then = nil
		then()
	}
	return n, err
}

// TestReadWhileTrimmed: the first references of a part are dropped between two pages
// of a read. What was sent is right, and the read ends with an error: the content is
// gone, whatever is left of it.
func TestReadWhileTrimmed(t *testing.T) {
	for _, k := range []*sse.CustomerKey{nil, testKey('1')} {
		for name, rest := range map[string]func(w *world){
			"as the command left it": func(*world) {},
			"trimmed on":             func(w *world) { w.trim(64) },
			"trimmed to the end":     func(w *world) { w.trim(1 << 20) },
		} {
			if effort.Lessened() && (k == nil || name != "trimmed on") {
				continue
			}
			t.Run(fmt.Sprintf("sealed=%v/%s", k != nil, name), func(t *testing.T) {
				w := newWorld(t, setup{config: Config{ExtentMaxBytes: crumb}})
				all := w.appended("k", k, 15)
				g, err := w.Get(t.Context(), &GetInput{Caller: alice, Bucket: testBucket, Key: "k", CustomerKey: k,
					Range: *fromTo(0, 1100*crumb-1)})
				require.NoError(t, err)
				out := &overwriting{at: 500 * crumb, then: func() {
					w.put("k", []byte("another"), nil)
					rest(w)
				}}
				n, err := g.WriteTo(t.Context(), out)
				require.EqualValues(t, out.Len(), n)
				require.True(t, bytes.Equal(all[:n], out.Bytes()), "%d bytes, some of them wrong", n)
				wantCode(t, err, s3err.NoSuchKey)
			})
		}
	}
}

// trim goes on with what was dropped.
func (w *world) trim(most uint32) {
	w.t.Helper()
	a, err := w.meta.Read(w.t.Context(), &metapb.Query{Op: &metapb.Query_ListWork{ListWork: &metapb.ListWork{
		Kind: metapb.WorkKind_WORK_DROPPED, Max: 100}}})
	require.NoError(w.t, err)
	trim := &metapb.TrimContents{Max: most}
	for _, it := range a.Work.Items {
		trim.ContentIds = append(trim.ContentIds, it.Id)
	}
	w.meta.must(&metapb.Command{Op: &metapb.Command_TrimContents{TrimContents: trim}})
}

// TestCopyWhileTrimmed: a copy under another key reads its source while it is
// overwritten. Either the bytes are right, or there is no copy.
func TestCopyWhileTrimmed(t *testing.T) {
	for _, from := range []*sse.CustomerKey{nil, testKey('1')} {
		for _, algorithm := range []string{"", "SHA256"} { // In tasks, and as one stream.
			if effort.Lessened() && (from == nil || algorithm != "") {
				continue
			}
			t.Run(fmt.Sprintf("sealed=%v/%s", from != nil, algorithm), func(t *testing.T) {
				w := newWorld(t, setup{config: Config{ExtentMaxBytes: crumb, PinAboveBytes: 1 << 40}})
				all := w.appended("k", from, 15)
				r := fromTo(0, 1100*crumb-1)
				id := w.upload("dst", testKey('2'), algorithm, false)
				c, err := w.CopyPart(t.Context(), &CopyPartInput{Caller: alice, Bucket: testBucket, Key: "dst", UploadID: id, PartNumber: 1,
					CustomerKey: testKey('2'), Source: CopySource{Bucket: testBucket, Key: "k", CustomerKey: from, Range: r}})
				require.NoError(t, err)
				defer c.Close()
				w.put("k", []byte("another"), nil)
				w.trim(64)
				done, err := c.Run(t.Context())
				if err != nil {
					wantCode(t, err, s3err.NoSuchKey)
					return
				}
				w.complete("dst", id, []CompletePart{{Number: 1, ETag: done.ETag}})
				w.same(all[:r.Last+1], "dst", testKey('2'))
			})
		}
	}
}
