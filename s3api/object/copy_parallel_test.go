package object

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/s3api/etag"
	"github.com/cairnstore/cairn/s3api/lanes"
	"github.com/cairnstore/cairn/s3api/sse"
	"github.com/cairnstore/cairn/shard"
)

// readyCopy readies a copy of all of a source into part 1 of a new upload.
func (w *world) readyCopy(src CopySource, k *sse.CustomerKey) Copy {
	w.t.Helper()
	c, err := w.CopyPart(w.t.Context(), &CopyPartInput{Caller: alice, Source: src, Bucket: testBucket, Key: "dst",
		UploadID: w.upload("dst", k, "", false), PartNumber: 1, CustomerKey: k})
	require.NoError(w.t, err)
	w.t.Cleanup(c.Close)
	return c
}

var fromSrc = CopySource{Bucket: testBucket, Key: "src"}

// TestExtentsAtOnce: CopyParallel tasks run at the same time, and no more.
func TestExtentsAtOnce(t *testing.T) {
	const most = 3
	var (
		mu      sync.Mutex
		running int
		all     = make(chan struct{})
	)
	w := newWorld(t, setup{config: Config{CopyParallel: most, CopyTasks: 100}, begun: func(TaskPlace) {
		mu.Lock()
		if running++; running == most {
			close(all)
		}
		mu.Unlock()
		<-all // Only as many as may run at once get past it together.
	}})
	b := contentOf(most*testExtent, 1)
	w.put("src", b, nil)
	_, err := w.copyPart(fromSrc, nil, testKey('1'), "")
	require.NoError(t, err)
	w.same(b, "dst", testKey('1'))
	require.Equal(t, most, w.count("here"))
}

// TestSmallCopiesGoToOtherNodes: one of a single extent may, where the node has
// enough to do; with a digest in order it stays.
func TestSmallCopiesGoToOtherNodes(t *testing.T) {
	w, p, other := helped(t, Config{})
	p[2] = other.DoTask
	b := contentOf(testExtent, 1)
	w.put("src", b, nil)
	_, err := w.copyPart(fromSrc, nil, testKey('1'), "")
	require.NoError(t, err)
	w.same(b, "dst", testKey('1'))
	require.Equal(t, 1, w.count("sent"))
	_, err = w.copyPart(fromSrc, nil, testKey('1'), checksum.SHA256)
	require.NoError(t, err)
	_, err = w.copyPart(fromSrc, fromTo(0, 20_000), testKey('1'), "")
	require.NoError(t, err)
	require.Equal(t, 1, w.count("sent"))
}

// TestCopyWithLittleMemory: with a budget for one task many copies still end, each
// at least with its own lane.
func TestCopyWithLittleMemory(t *testing.T) {
	w := newWorld(t, setup{budget: 3 << 20})
	require.Greater(t, 2*w.taskBound(testExtent), w.budget.Total())
	b := contentOf(5*testExtent, 1)
	w.put("src", b, nil)
	var copies sync.WaitGroup
	for range 6 {
		c := w.readyCopy(fromSrc, testKey('1'))
		copies.Go(func() {
			if _, err := c.Run(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	copies.Wait()
}

// TestParallelChecksums: CRCs are combined from those of the extents; other digests
// are computed in order.
func TestParallelChecksums(t *testing.T) {
	w := newWorld(t, setup{})
	b := contentOf(4*testExtent+123, 1)
	w.put("src", b, testKey('1'))
	src := CopySource{Bucket: testBucket, Key: "src", CustomerKey: testKey('1')}
	for _, algorithm := range checksum.Algorithms() {
		tasks := w.count("here")
		done, err := w.copyPart(src, fromTo(1, len(b)-1), testKey('2'), algorithm)
		require.NoError(t, err)
		h := checksum.New(algorithm)
		h.Write(b[1:])
		require.Equal(t, h.Sum(nil), valueOf(done.Checksums, algorithm), algorithm)
		require.Equal(t, checksum.Combines(algorithm), w.count("here") > tasks, algorithm)
	}
	done, err := w.copyPart(src, nil, nil, "")
	require.NoError(t, err)
	require.False(t, etag.IsMD5(done.ETag), "an MD5 would have to see the extents in order")
	done, err = w.copyPart(src, fromTo(5, testExtent+4), nil, "")
	require.NoError(t, err)
	require.Equal(t, md5hex(b[5:testExtent+5]), done.ETag, "of one extent it costs no order")
}

// TestTaskFails: one extent of the source is unreadable, whichever it is; nothing is
// left of the others.
func TestTaskFails(t *testing.T) {
	const tasks = 6
	for bad := range tasks {
		w := newWorld(t, setup{})
		w.put("src", contentOf(tasks*testExtent, 1), nil)
		for slot := range uint8(3) { // Of six.
			for _, d := range w.drives {
				d.Corrupt(shard.ID{Extent: w.extents("src")[bad], Slot: slot}, 70_000)
			}
		}
		before := w.shards()
		_, err := w.readyCopy(fromSrc, testKey('1')).Run(t.Context())
		require.True(t, errs.Is(err, errs.Corrupt), "%v", err)
		noSecrets(t, err)
		require.Equal(t, before, w.shards())
	}
}

// TestClientLeavesCopy: the client goes away when the n-th task has begun.
func TestClientLeavesCopy(t *testing.T) {
	const tasks = 6
	for n := 1; n <= tasks; n++ {
		ctx, leave := context.WithCancel(t.Context())
		var mu sync.Mutex
		begun := 0
		w := newWorld(t, setup{begun: func(TaskPlace) {
			mu.Lock()
			defer mu.Unlock()
			if begun++; begun == n {
				leave()
			}
		}})
		w.put("src", contentOf(tasks*testExtent, 1), nil)
		before := w.shards()
		_, err := w.readyCopy(fromSrc, testKey('1')).Run(ctx)
		require.Error(t, err)
		require.Equal(t, before, w.shards())
		require.Zero(t, w.count("read"))
	}
}

// peers are other nodes; each is a function that does tasks.
type peers map[cluster.NodeID]func(context.Context, *Task) (*metapb.Extent, error)

func (p peers) Nodes() (ids []cluster.NodeID) {
	for id := range p {
		ids = append(ids, id)
	}
	return ids
}

func (p peers) Do(ctx context.Context, n cluster.NodeID, t *Task) (*metapb.Extent, error) {
	return p[n](ctx, t)
}

// helped returns a world whose node does no task of a copy that another does, and
// another node with the same drives.
func helped(t testing.TB, c Config) (w *world, p peers, other *Service) {
	p, c.CopyTasks = peers{}, -1
	w = newWorld(t, setup{config: c, workers: p})
	c.CopyTasks = 100
	other = New(Deps{Meta: w.meta, Topology: w.meta, Engine: w.engine, Budget: w.budget}, c, Events{})
	return w, p, other
}

// TestTasksOnOtherNodes copies all kinds of sources with another node's help.
func TestTasksOnOtherNodes(t *testing.T) {
	w, p, other := helped(t, Config{})
	var mu sync.Mutex
	var seen []*Task
	p[2] = func(ctx context.Context, t *Task) (*metapb.Extent, error) {
		mu.Lock()
		seen = append(seen, t)
		mu.Unlock()
		return other.DoTask(ctx, t)
	}
	for ks, srcKey := range []*sse.CustomerKey{nil, testKey('1')} {
		w.put("single", contentOf(4*testExtent+300_000, 1), srcKey)
		w.multipart("multi", srcKey, contentOf(testExtent+1, 2), contentOf(200, 3), contentOf(3000, 4), contentOf(2*testExtent-1, 5))
		for _, name := range []string{"single", "multi"} {
			b, _ := w.get(name, srcKey, Range{})
			ranges := []*Range{nil, fromTo(1, len(b)-2), fromTo(testExtent, 3*testExtent), fromTo(testExtent-1, 3*testExtent-1)}
			for i, r := range ranges {
				if effort.Leaves(i, 2) {
					continue
				}
				want := b
				if r != nil {
					want = b[r.First : r.Last+1]
				}
				for _, algorithm := range []string{"", checksum.CRC32, checksum.CRC32C} {
					done, err := w.copyPart(CopySource{Bucket: testBucket, Key: name, CustomerKey: srcKey}, r, testKey('2'), algorithm)
					require.NoError(t, err, "%d %s %v", ks, name, r)
					w.same(want, "dst", testKey('2'))
					if algorithm != "" {
						h := checksum.New(algorithm)
						h.Write(want)
						require.Equal(t, h.Sum(nil), valueOf(done.Checksums, algorithm))
					}
				}
			}
		}
	}
	require.Positive(t, w.count("sent"))
	require.Zero(t, w.count("here"))
	require.Zero(t, w.count("sent failed"))
	require.Zero(t, w.orphans())
	for _, task := range seen {
		for _, k := range append(task.Keys, task.Key) {
			require.Equal(t, make([]byte, sse.KeyBytes), k.AppendKey(nil), "a task's keys are wiped when it has ended")
		}
	}
}

// TestOtherNodesFail: whatever becomes of a task elsewhere, it is done here, and
// nothing is left of the attempt.
func TestOtherNodesFail(t *testing.T) {
	w, p, other := helped(t, Config{})
	key, b := testKey('1'), contentOf(5*testExtent, 1)
	w.put("src", b, nil)
	before := w.shards()
	unavailable := errs.Newf("test", errs.Unavailable, "gone")
	for name, do := range map[string]func(context.Context, *Task) (*metapb.Extent, error){
		"refuses": func(context.Context, *Task) (*metapb.Extent, error) {
			return nil, errs.Newf("test", errs.Overloaded, "busy")
		},
		"is not there": func(context.Context, *Task) (*metapb.Extent, error) { return nil, unavailable },
		"dies after writing": func(ctx context.Context, t *Task) (*metapb.Extent, error) {
			_, err := other.DoTask(ctx, t)
			return nil, firstErr(err, unavailable)
		},
		"is cut off": func(ctx context.Context, t *Task) (*metapb.Extent, error) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			_, err := other.DoTask(ctx, t)
			return nil, firstErr(err, unavailable)
		},
		"made something else": func(ctx context.Context, t *Task) (*metapb.Extent, error) {
			x, err := other.DoTask(ctx, t)
			if err == nil {
				x.SealId = sse.NewSealID()
			}
			return x, err
		},
		"says nothing": func(context.Context, *Task) (*metapb.Extent, error) { return nil, nil },
		"lacks a quorum": func(ctx context.Context, t *Task) (*metapb.Extent, error) {
			x, err := other.DoTask(ctx, t)
			if err == nil {
				x.Missing = 0b111
			}
			return x, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			// As if a second had passed: node 2 may be asked again.
			w.lanes = lanes.New(lanes.Config{Budget: w.budget, Tasks: w.cfg.CopyTasks, Parallel: w.cfg.CopyParallel, Others: p.Nodes})
			p[2] = do
			failed := w.count("sent failed")
			_, err := w.copyPart(fromSrc, nil, key, "")
			require.NoError(t, err)
			w.same(b, "dst", key)
			require.Greater(t, w.count("sent failed"), failed)
			_, err = w.Delete(t.Context(), alice, testBucket, []*metapb.ObjectName{{Key: "dst"}})
			require.NoError(t, err)
			w.collect()
			require.Equal(t, before, w.shards())
			require.Equal(t, w.budget.Total(), w.budget.Free())
		})
	}
}

func firstErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestClientLeavesWhileOthersWork: the other node's context ends, and what it has
// written is freed.
func TestClientLeavesWhileOthersWork(t *testing.T) {
	w, p, other := helped(t, Config{})
	ctx, leave := context.WithCancel(t.Context())
	p[2] = func(ctx context.Context, t *Task) (*metapb.Extent, error) {
		x, err := other.DoTask(ctx, t)
		leave()
		return x, err
	}
	w.put("src", contentOf(8*testExtent, 1), nil)
	before := w.shards()
	_, err := w.readyCopy(fromSrc, testKey('1')).Run(ctx)
	require.Error(t, err)
	require.Equal(t, before, w.shards())
}

// TestWorkerRefuses what it has no room for, at once, and what makes no sense.
func TestWorkerRefuses(t *testing.T) {
	w, p, other := helped(t, Config{})
	w.put("src", contentOf(2*testExtent, 1), testKey('1'))
	tasks := make(chan *Task, 8)
	p[2] = func(_ context.Context, t *Task) (*metapb.Extent, error) {
		tasks <- &Task{Source: t.Source, Keys: []*sse.DataKey{t.Keys[0].Clone()}, Extent: t.Extent, Epoch: t.Epoch, Key: t.Key.Clone(), SealID: t.SealID}
		return nil, errs.Newf("test", errs.Overloaded, "busy")
	}
	src := CopySource{Bucket: testBucket, Key: "src", CustomerKey: testKey('1')}
	_, err := w.copyPart(src, nil, testKey('2'), "")
	require.NoError(t, err)
	seen := <-tasks
	require.NoError(t, seen.valid())

	_, err = w.DoTask(t.Context(), seen) // Its own CopyTasks is none.
	require.True(t, errs.Is(err, errs.Overloaded), "%v", err)
	require.True(t, w.budget.TryAcquire(w.budget.Total()))
	_, err = other.DoTask(t.Context(), seen)
	w.budget.Release(w.budget.Total())
	require.True(t, errs.Is(err, errs.Overloaded), "%v", err)

	for name, c := range map[string]struct {
		change func(*Task)
		kind   errs.Kind
	}{
		"nothing":          {func(t *Task) { t.Source = nil }, errs.Invalid},
		"length":           {func(t *Task) { t.Source.Length++ }, errs.Invalid},
		"too long":         {func(t *Task) { t.Source.Length = 1 << 40 }, errs.Invalid},
		"source key":       {func(t *Task) { t.Keys = nil }, errs.Invalid},
		"source seal id":   {func(t *Task) { t.Source.Pieces[0].Extent.SealId = nil }, errs.Invalid},
		"seal id":          {func(t *Task) { t.SealID = t.SealID[:15] }, errs.Invalid},
		"seal id, no key":  {func(t *Task) { t.Key = nil }, errs.Invalid},
		"epoch":            {func(t *Task) { t.Epoch++ }, errs.Unavailable},
		"volume":           {func(t *Task) { t.Extent.Volume = 999 }, errs.Unavailable},
		"extent":           {func(t *Task) { t.Extent.Seq = 0 }, errs.Invalid},
		"wrong source key": {func(t *Task) { t.Keys[0] = sse.NewDataKey() }, errs.Corrupt},
	} {
		t.Run(name, func(t *testing.T) {
			bad := &Task{Source: proto.CloneOf(seen.Source), Keys: []*sse.DataKey{seen.Keys[0].Clone()}, Extent: seen.Extent,
				Epoch: seen.Epoch, Key: seen.Key, SealID: seen.SealID}
			c.change(bad)
			before := w.shards()
			_, err := other.DoTask(t.Context(), bad)
			require.Equal(t, c.kind, errs.KindOf(err), "%v", err)
			require.Equal(t, before, w.shards())
		})
	}
}
