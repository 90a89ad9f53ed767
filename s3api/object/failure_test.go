package object

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/alloc"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sse"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/shardtest"
)

// TestOneNodeDies: what it misses is recorded, and nothing moves.
func TestOneNodeDies(t *testing.T) {
	w := newWorld(t, setup{})
	w.put("before", contentOf(testExtent+1, 1), nil)
	w.kill(false, 3)
	for i := range 3 {
		b := contentOf(2*testExtent, uint64(i))
		w.put("k", b, nil)
		w.same(b, "k", nil)
		require.Equal(t, "4+2", w.scheme("k"), "a quorum is left")
	}
	a, err := w.meta.Read(t.Context(), &metapb.Query{Op: &metapb.Query_ListWork{ListWork: &metapb.ListWork{Kind: metapb.WorkKind_WORK_MISSING, Max: 100}}})
	require.NoError(t, err)
	require.Len(t, a.Work.Items, 6)
	require.Zero(t, w.count("salvaged"))
}

// TestTwoNodesDie: before anybody knows, what was written is saved into a
// narrower scheme; then writes go there at once.
func TestTwoNodesDie(t *testing.T) {
	for _, k := range []*sse.CustomerKey{nil, testKey('1')} {
		w := newWorld(t, setup{})
		before := contentOf(testExtent+1, 9)
		w.put("before", before, k)
		w.kill(false, 2, 5)
		b := contentOf(3*testExtent+1, 1)
		w.put("k", b, k)
		w.same(b, "k", k)
		require.Equal(t, "2+2", w.scheme("k"))
		saved := w.count("salvaged")
		require.Positive(t, saved)
		for range 3 {
			w.put("k", b, k)
		}
		require.Equal(t, saved, w.count("salvaged"), "the dead are known now")
		w.same(b, "k", k)
		w.same(before, "before", k)
		_, err := w.copyPart(CopySource{Bucket: testBucket, Key: "before", CustomerKey: k}, fromTo(5, testExtent), testKey('2'), "")
		require.NoError(t, err)
		w.same(before[5:testExtent+1], "dst", testKey('2'))
	}
}

// TestNodesDieInMidWrite: at every write of the extent, two drives break.
func TestNodesDieInMidWrite(t *testing.T) {
	for at := 1; at < 12; at += 3 {
		w := newWorld(t, setup{config: Config{ExtentMaxBytes: 4 << 20}})
		w.drives[101].dieAfter(at, errs.Newf("test", errs.Unavailable, "dead"))
		w.drives[104].dieAfter(at, errs.Newf("test", errs.NoSpace, "full"))
		b := contentOf(7<<20, 1)
		w.put("k", b, nil)
		w.same(b, "k", nil)
	}
}

// TestTooManyDie: fewer than k slots are left, so the write fails, and nothing of
// it is committed.
func TestTooManyDie(t *testing.T) {
	w := newWorld(t, setup{config: Config{ExtentMaxBytes: 8 << 20}})
	for d := range w.drives {
		if d < 103 {
			w.drives[d].dieAfter(3, errs.Newf("test", errs.Unavailable, "dead"))
		}
	}
	_, err := w.Put(t.Context(), &PutInput{Caller: alice, Bucket: testBucket, Key: "k", Body: bodyOf(contentOf(8<<20, 1))})
	wantCode(t, err, s3err.ServiceUnavailable)
	_, err = w.Get(t.Context(), &GetInput{Caller: alice, Bucket: testBucket, Key: "k"})
	wantCode(t, err, s3err.NoSuchKey)
	require.Zero(t, w.shards()-w.deadShards(100, 101, 102))
	b := contentOf(8<<20, 2)
	w.put("k", b, nil)
	w.same(b, "k", nil)
	require.Equal(t, "2+1", w.scheme("k"), "three nodes are left")
}

// deadShards counts shards on drives that cannot be told to delete them.
func (w *world) deadShards(drives ...int) (n int) {
	for _, d := range drives {
		n += w.drives[cluster.DriveID(d)].Len()
	}
	return n
}

func TestSchemesByLivingNodes(t *testing.T) {
	w := newWorld(t, setup{})
	b := contentOf(testExtent, 1)
	for i, scheme := range []string{"4+2", "2+2", "2+2", "2+1", "1+1"} {
		if i > 0 {
			w.kill(true, i)
		}
		w.put("k", b, nil)
		w.same(b, "k", nil)
		require.Equal(t, scheme, w.scheme("k"), "%d nodes dead", i)
	}
	w.kill(true, 5)
	_, err := w.Put(t.Context(), &PutInput{Caller: alice, Bucket: testBucket, Key: "k", Body: bodyOf(b)})
	wantCode(t, err, s3err.ServiceUnavailable)
	require.Zero(t, w.count("salvaged"))
}

// secondDrives gives each node another drive, which is never unreachable.
func (w *world) secondDrives(nodes int) {
	for i := range nodes {
		first, second := cluster.DriveID(100+i), cluster.DriveID(200+i)
		w.drives[second] = &drive{Memory: shardtest.NewMemory()}
		w.meta.must(&metapb.Command{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{Node: &metapb.Node{Id: uint64(i + 1),
			Drives: []*metapb.Drive{{Id: uint64(first), CapacityBytes: 1 << 40}, {Id: uint64(second), CapacityBytes: 1 << 40}}}}}})
	}
}

// TestNeverOnOneNode: the drives of a node are no failure domains where there are other
// nodes, whether those are dead, suspected, or were not there when volumes were made.
func TestNeverOnOneNode(t *testing.T) {
	w := newWorld(t, setup{nodes: 3})
	w.secondDrives(3)
	topo, err := w.meta.Topology(t.Context())
	require.NoError(t, err)
	w.meta.must(&metapb.Command{Op: &metapb.Command_CreateVolumes{CreateVolumes: &metapb.CreateVolumes{ViewEpoch: topo.View.Epoch,
		Volumes: slices.Repeat([]*metapb.Volume{{K: 1, M: 1, Slots: []uint64{101, 201}}}, 20)}}})
	b := contentOf(testExtent, 1)
	spread := func(key, scheme string) {
		t.Helper()
		w.put(key, b, nil)
		require.Equal(t, scheme, w.scheme(key))
		topo, err := w.meta.Topology(t.Context())
		require.NoError(t, err)
		nodes := map[cluster.NodeID]bool{}
		v := topo.Volumes[w.extents(key)[0].Volume]
		for _, d := range v.Slots {
			nodes[topo.View.NodeOf(d).ID] = true
		}
		require.Len(t, nodes, v.Scheme.N(), "volume %d: %v", v.ID, v.Slots)
	}
	spread("whole", "2+1")
	for _, d := range []cluster.DriveID{100, 200, 102, 202} {
		w.Allocator().Suspect(&shard.Volume{Slots: []cluster.DriveID{d}}, 1)
	}
	spread("two nodes suspected", "2+1")
	w.kill(true, 1)
	for i := range 20 { // Any volume may be chosen.
		spread(fmt.Sprintf("one node dead %d", i), "1+1")
	}
	w.kill(true, 3)
	_, err = w.Put(t.Context(), &PutInput{Caller: alice, Bucket: testBucket, Key: "k", Body: bodyOf(b)})
	wantCode(t, err, s3err.ServiceUnavailable)
}

func TestSingleNode(t *testing.T) {
	w := newWorld(t, setup{nodes: 1})
	b := contentOf(testExtent+1, 1)
	w.put("k", b, nil)
	w.same(b, "k", nil)
	require.Equal(t, "1+0", w.scheme("k"))
}

// TestVolumesAreMadeOnce: by two nodes that both find none.
func TestVolumesAreMadeOnce(t *testing.T) {
	w := newWorld(t, setup{})
	other := New(Deps{Meta: w.meta, Topology: w.meta, Engine: w.engine, Budget: w.budget}, w.cfg, Events{})
	var all sync.WaitGroup
	var failed [16]error
	for i := range failed {
		all.Go(func() {
			s := w.Service
			if i%2 == 1 {
				s = other
			}
			_, failed[i] = s.Put(context.Background(), &PutInput{Caller: alice, Bucket: testBucket, Key: fmt.Sprint(i),
				Body: bodyOf(contentOf(20_000, uint64(i)))})
		})
	}
	all.Wait()
	for i, err := range failed {
		require.NoError(t, err)
		w.same(contentOf(20_000, uint64(i)), fmt.Sprint(i), nil)
	}
	top, err := w.meta.Topology(t.Context())
	require.NoError(t, err)
	require.Len(t, top.Volumes, 12)
}

// TestNewDriveGetsVolumes: a node that joins takes part in new writes.
func TestNewDriveGetsVolumes(t *testing.T) {
	w := newWorld(t, setup{})
	w.put("k", contentOf(20_000, 1), nil)
	w.drives[200] = &drive{Memory: shardtest.NewMemory()}
	w.meta.must(&metapb.Command{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{
		Node: &metapb.Node{Id: 50, Drives: []*metapb.Drive{{Id: 200, CapacityBytes: 1 << 40}}}}}})
	w.put("k", contentOf(20_000, 1), nil)
	top, err := w.meta.Topology(t.Context())
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(slices.Collect(maps.Values(top.Volumes)), func(v *shard.Volume) bool {
		return slices.Contains(v.Slots, 200)
	}))
}

// TestLeasesAreGivenBack once all their numbers are resolved.
func TestLeasesAreGivenBack(t *testing.T) {
	w := newWorld(t, setup{config: Config{Alloc: alloc.Config{VolumesPerScheme: 1, VolumesPerDrive: 1}, InlineMaxBytes: -1}})
	for i := range 600 {
		_, err := w.Put(t.Context(), &PutInput{Caller: alice, Bucket: testBucket, Key: "k", Body: Body{Reader: &failing{i % 2, io.EOF}, Size: 1}})
		if i%2 == 1 {
			require.NoError(t, err)
		} else {
			wantCode(t, err, s3err.IncompleteBody)
		}
	}
	leased, released := 0, 0
	w.meta.sent(func(cmd *metapb.Command) bool {
		leased += len(cmd.GetLeaseExtents().GetVolumes())
		released += len(cmd.GetReleaseLeases().GetBlocks())
		return false
	})
	require.Equal(t, 2, released)
	require.Equal(t, 3, leased)
}

// TestMetadataAway: a request fails in time, and what it wrote is deleted.
func TestMetadataAway(t *testing.T) {
	w := newWorld(t, setup{})
	w.put("warm", contentOf(20_000, 1), nil)
	before := w.shards()
	w.meta.before = func(*metapb.Command) error { return errs.Newf("test", errs.Unavailable, "no quorum") }
	for _, n := range []int{10, testExtent + 1} {
		_, err := w.Put(t.Context(), &PutInput{Caller: alice, Bucket: testBucket, Key: "k", Body: bodyOf(contentOf(n, 1))})
		wantCode(t, err, s3err.ServiceUnavailable)
	}
	require.Equal(t, before, w.shards())
}

// TestReadsGoOn with as many nodes dead as the scheme has parity.
func TestReadsGoOn(t *testing.T) {
	w := newWorld(t, setup{})
	b := w.multipart("k", testKey('1'), contentOf(testExtent+7, 1), contentOf(10, 2))
	w.kill(false, 1, 6)
	w.same(b, "k", testKey('1'))
	got, _ := w.get("k", testKey('1'), *fromTo(100, testExtent+10))
	require.Equal(t, b[100:testExtent+11], got)
	w.kill(false, 2)
	g, err := w.Get(t.Context(), &GetInput{Caller: alice, Bucket: testBucket, Key: "k", CustomerKey: testKey('1')})
	require.NoError(t, err)
	_, err = g.WriteTo(t.Context(), io.Discard)
	wantCode(t, err, s3err.ServiceUnavailable)
}

// TestMetadataSilent: a query that is not answered in time is the cluster's
// fault, not the client's.
func TestMetadataSilent(t *testing.T) {
	w := newWorld(t, setup{config: Config{MetaTimeout: 10 * time.Millisecond}})
	silent := New(Deps{Meta: silentMeta{}, Topology: w.meta, Engine: w.engine, Budget: w.budget}, w.cfg, Events{})
	_, err := silent.Get(t.Context(), &GetInput{Caller: alice, Bucket: testBucket, Key: "k"})
	wantCode(t, err, s3err.ServiceUnavailable)
	_, err = silent.Put(t.Context(), &PutInput{Caller: alice, Bucket: testBucket, Key: "k", Body: bodyOf(contentOf(20_000, 1))})
	wantCode(t, err, s3err.ServiceUnavailable)
	_, err = silent.Put(t.Context(), &PutInput{Caller: alice, Bucket: testBucket, Key: "k", Body: bodyOf([]byte("inline"))})
	wantCode(t, err, s3err.ServiceUnavailable)
}

// silentMeta never answers.
type silentMeta struct{}

func (silentMeta) Propose(ctx context.Context, _ *metapb.Command) (*metapb.Result, error) {
	<-ctx.Done()
	return nil, errs.New("test", errs.Unknown, ctx.Err())
}

func (silentMeta) Read(ctx context.Context, _ *metapb.Query) (*metapb.Answer, error) {
	<-ctx.Done()
	return nil, errs.New("test", errs.Canceled, ctx.Err())
}
