package object

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sse"
	"github.com/cairnstore/cairn/shard"
)

// TestCopySourceChanges: a copy is of the version it was readied with, whatever
// happens to the key before it runs.
func TestCopySourceChanges(t *testing.T) {
	w := newWorld(t, setup{})
	old := contentOf(2*testExtent, 1)
	for _, change := range []func(){
		func() { w.put("src", contentOf(10, 2), nil) },
		func() {
			_, err := w.Delete(t.Context(), alice, testBucket, []*metapb.ObjectName{{Key: "src"}})
			require.NoError(t, err)
		},
	} {
		for _, k := range []*sse.CustomerKey{nil, testKey('1')} {
			w.put("src", old, nil)
			id := w.upload("dst", k, "", false)
			c, err := w.CopyPart(t.Context(), &CopyPartInput{Caller: alice, Source: CopySource{Bucket: testBucket, Key: "src"},
				Bucket: testBucket, Key: "dst", UploadID: id, PartNumber: 1, CustomerKey: k})
			require.NoError(t, err)
			change()
			done, err := c.Run(t.Context())
			require.NoError(t, err)
			c.Close()
			w.complete("dst", id, []CompletePart{{Number: 1, ETag: done.ETag}})
			w.same(old, "dst", k)
		}
	}
}

// collect does what upkeep does, with no grace period: extents without references
// are doomed, their shards deleted, and they are forgotten.
func (w *world) collect() {
	list := func(kind metapb.WorkKind) []*metapb.ExtentSlots {
		a, err := w.meta.Read(context.Background(), &metapb.Query{Op: &metapb.Query_ListWork{ListWork: &metapb.ListWork{
			Kind: kind, BeforeIndex: 1 << 60, Max: 1000}}})
		require.NoError(w.t, err)
		var out []*metapb.ExtentSlots
		for _, it := range a.Work.Items {
			out = append(out, &metapb.ExtentSlots{Volume: it.Volume, Seq: it.Seq, Slots: it.Doomed.GetSlots()})
		}
		return out
	}
	w.meta.must(&metapb.Command{Op: &metapb.Command_DoomExtents{DoomExtents: &metapb.DoomExtents{
		BeforeIndex: 1 << 60, Extents: list(metapb.WorkKind_WORK_GC)}}})
	doomed := list(metapb.WorkKind_WORK_DOOMED)
	for _, e := range doomed {
		for _, d := range w.drives {
			for slot := range uint8(6) {
				_ = d.Memory.Delete(context.Background(), []shard.ID{{Extent: shard.ExtentID{Volume: shard.VolumeID(e.Volume), Seq: e.Seq}, Slot: slot}})
			}
		}
	}
	w.meta.must(&metapb.Command{Op: &metapb.Command_ForgetExtents{ForgetExtents: &metapb.ForgetExtents{Extents: doomed}}})
}

// TestCopyRaces copies a key that is overwritten, deleted and collected all the
// time, without any grace: what a copy makes is the bytes of one version, or it
// fails; never a part of nothing.
func TestCopyRaces(t *testing.T) {
	w := newWorld(t, setup{config: Config{PinAboveBytes: testExtent}})
	size := testExtent + 1000
	version := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, size) }
	put := func(i int) error {
		_, err := w.Put(context.Background(), &PutInput{Caller: alice, Bucket: testBucket, Key: "src", Body: bodyOf(version(i))})
		return err
	}
	require.NoError(t, put(0))
	var writers, copiers sync.WaitGroup
	stop := make(chan struct{})
	writers.Go(func() {
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := put(i % 256); err != nil {
				t.Error(err)
			}
			if i%7 == 0 {
				_, _ = w.Delete(context.Background(), alice, testBucket, []*metapb.ObjectName{{Key: "src"}})
			}
			w.collect()
		}
	})
	for i, k := range []*sse.CustomerKey{nil, testKey('1')} {
		copiers.Go(func() { w.copyWhile(fmt.Sprint("dst", i), k, size) })
	}
	copiers.Wait()
	close(stop)
	writers.Wait()
	require.Zero(t, w.orphans())
}

// copyWhile copies "src" over and over and checks what comes of it.
func (w *world) copyWhile(key string, k *sse.CustomerKey, size int) {
	ctx := context.Background()
	for range 40 {
		id, err := w.CreateUpload(ctx, &UploadInput{Description: Description{CustomerKey: k}, Caller: alice, Bucket: testBucket, Key: key})
		if err != nil {
			w.t.Error(err)
			return
		}
		done, err := w.copyOnce(ctx, key, id, k)
		if err != nil {
			continue // Some version of the source was gone before it could be held.
		}
		if _, err := w.Complete(ctx, &CompleteInput{Caller: alice, Bucket: testBucket, Key: key, UploadID: id,
			Parts: []CompletePart{{Number: 1, ETag: done.ETag}}}); err != nil {
			w.t.Error(err)
			return
		}
		var out bytes.Buffer
		g, err := w.Get(ctx, &GetInput{Caller: alice, Bucket: testBucket, Key: key, CustomerKey: k})
		if err == nil {
			_, err = g.WriteTo(ctx, &out)
		}
		if b := out.Bytes(); err != nil || len(b) != size || bytes.Count(b, b[:1]) != size {
			w.t.Errorf("%d bytes of more than one version, or %v", len(b), err)
		}
	}
}

func (w *world) copyOnce(ctx context.Context, key, id string, k *sse.CustomerKey) (*Copied, error) {
	c, err := w.CopyPart(ctx, &CopyPartInput{Caller: alice, Source: CopySource{Bucket: testBucket, Key: "src"},
		Bucket: testBucket, Key: key, UploadID: id, PartNumber: 1, CustomerKey: k})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Run(ctx)
}

// TestCopyMeetsCollection: when the source's extents are gone at the commit, no
// part is made of nothing.
func TestCopyMeetsCollection(t *testing.T) {
	w := newWorld(t, setup{})
	w.put("src", contentOf(2*testExtent, 1), nil)
	id := w.upload("dst", nil, "", false)
	c, err := w.CopyPart(t.Context(), &CopyPartInput{Caller: alice, Source: CopySource{Bucket: testBucket, Key: "src"},
		Bucket: testBucket, Key: "dst", UploadID: id, PartNumber: 1})
	require.NoError(t, err)
	defer c.Close()
	w.put("src", contentOf(3*testExtent, 2), nil)
	w.collect()
	_, err = c.Run(t.Context())
	wantCode(t, err, s3err.NoSuchKey)
	a, err := w.ListParts(t.Context(), alice, testBucket, "dst", id, 0, 10)
	require.NoError(t, err)
	require.Empty(t, a.Parts)
}

// TestPins: a long re-encoding copy holds its source until it is committed or
// closed.
func TestPins(t *testing.T) {
	w := newWorld(t, setup{config: Config{PinAboveBytes: testExtent}})
	b := contentOf(3*testExtent, 1)
	key := testKey('1')
	for _, run := range []bool{true, false} {
		w.put("src", b, nil)
		id := w.upload("dst", key, "", false)
		c, err := w.CopyPart(t.Context(), &CopyPartInput{Caller: alice, Source: CopySource{Bucket: testBucket, Key: "src"},
			Bucket: testBucket, Key: "dst", UploadID: id, PartNumber: 1, CustomerKey: key})
		require.NoError(t, err)
		_, err = w.Delete(t.Context(), alice, testBucket, []*metapb.ObjectName{{Key: "src"}})
		require.NoError(t, err)
		w.collect()
		if run {
			done, err := c.Run(t.Context())
			require.NoError(t, err)
			w.complete("dst", id, []CompletePart{{Number: 1, ETag: done.ETag}})
		}
		c.Close()
		w.collect()
		w.same(b, "dst", key)
		require.Equal(t, 3*6, w.shards(), "the source's extents are free")
	}
	drops := func(cmd *metapb.Command) bool { return cmd.GetDropPins() != nil }
	require.Equal(t, 1, w.meta.sent(drops), "the commit of a copy drops its pin")
}

func TestFailedCopyKeepsTheOldPart(t *testing.T) {
	w := newWorld(t, setup{})
	b, key := contentOf(3*testExtent, 1), testKey('1')
	w.put("src", b, nil)
	id := w.upload("dst", key, "", false)
	old := contentOf(100_000, 2)
	p := w.part("dst", id, 1, old, key)
	before := w.shards()
	c, err := w.CopyPart(t.Context(), &CopyPartInput{Caller: alice, Source: CopySource{Bucket: testBucket, Key: "src"},
		Bucket: testBucket, Key: "dst", UploadID: id, PartNumber: 1, CustomerKey: key})
	require.NoError(t, err)
	defer c.Close()
	for slot := range uint8(3) { // Of six, in the second extent.
		for _, d := range w.drives {
			d.Corrupt(shard.ID{Extent: w.extents("src")[1], Slot: slot}, 70_000)
		}
	}
	_, err = c.Run(t.Context())
	require.Error(t, err)
	noSecrets(t, err)
	require.Equal(t, before, w.shards())
	w.complete("dst", id, []CompletePart{{Number: 1, ETag: p.Etag}})
}
