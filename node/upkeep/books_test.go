package upkeep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/drive"
	"github.com/cairnstore/cairn/shard/shardtest"
)

// books are metadata as far as garbage, orphans and adoption ask for them, with pages.
type books struct {
	topo    *meta.Topology
	work    map[metapb.WorkKind][]*metapb.WorkItem
	extents map[shard.ExtentID]*metapb.Extent // Those that exist.
	refuse  metapb.Refusal                    // The answer to every DriveReconciled.

	fail  string // What fails, in the words of asked and done.
	asked []string
	done  []string
}

var errBooks = errors.New("the books are closed")

func (b *books) Topology(context.Context) (*meta.Topology, error) {
	if b.fail == "topology" {
		return nil, errBooks
	}
	return b.topo, nil
}

func (b *books) Read(_ context.Context, q *metapb.Query) (*metapb.Answer, error) {
	what := "work " + q.GetListWork().GetKind().String()
	switch {
	case q.GetVolumeStats() != nil:
		what = "stats"
	case q.GetKnownExtents() != nil:
		what = "known"
	case q.GetShardDigest() != nil:
		what = "digest"
	case q.GetExtents() != nil:
		what = "extents"
	}
	b.asked = append(b.asked, what)
	switch {
	case b.fail == what:
		return nil, errBooks
	case q.GetVolumeStats() != nil:
		return &metapb.Answer{VolumeStats: &metapb.VolumeStatsAnswer{Volumes: b.stats()}}, nil
	case q.GetKnownExtents() != nil:
		return &metapb.Answer{Known: b.known(q.GetKnownExtents())}, nil
	case q.GetShardDigest() != nil:
		return &metapb.Answer{ShardDigest: b.digest(q.GetShardDigest())}, nil
	case q.GetExtents() != nil:
		a := &metapb.ExtentsAnswer{}
		for _, e := range q.GetExtents().Extents {
			a.Extents = append(a.Extents, &metapb.ExtentInfo{
				Extent: b.extents[shard.ExtentID{Volume: shard.VolumeID(e.Volume), Seq: e.Seq}]})
		}
		return &metapb.Answer{Extents: a}, nil
	}
	return &metapb.Answer{Work: b.page(q.GetListWork())}, nil
}

// digest sums up all that a drive must hold of a volume.
func (b *books) digest(q *metapb.DigestShards) *metapb.ShardDigest {
	var d shard.Digest
	for id, e := range b.extents {
		v := b.topo.Volumes[id.Volume]
		for slot, at := range v.Slots {
			if uint32(id.Volume) == q.Volume && uint64(at) == q.Drive && !shard.SlotSet(e.Missing).Has(slot) {
				d.Add(id.Seq, shard.SlotSet(0).With(slot))
			}
		}
	}
	return &metapb.ShardDigest{Count: d.Count, Sum: d.Sum, ThroughSeq: math.MaxUint64}
}

func (b *books) page(q *metapb.ListWork) *metapb.WorkAnswer {
	a := &metapb.WorkAnswer{AppliedIndex: 5}
	list := b.work[q.Kind]
	if q.Kind == metapb.WorkKind_WORK_VOLUME {
		list = nil
		for id, e := range b.extents {
			if id.Volume == shard.VolumeID(q.Volume) {
				list = append(list, &metapb.WorkItem{Volume: q.Volume, Seq: id.Seq, Extent: e})
			}
		}
		slices.SortFunc(list, func(x, y *metapb.WorkItem) int { return cmp.Compare(x.Seq, y.Seq) })
	}
	for _, it := range list {
		after := it.Volume > q.AfterVolume || it.Volume == q.AfterVolume && it.Seq > q.AfterSeq
		if q.Kind == metapb.WorkKind_WORK_VOLUME {
			after = it.Seq > q.AfterSeq
		}
		timed := q.Kind == metapb.WorkKind_WORK_GC || q.Kind == metapb.WorkKind_WORK_COMPLETED
		if !after || timed && q.BeforeIndex != 0 && it.Index >= q.BeforeIndex {
			continue
		}
		if len(a.Items) == int(q.Max) {
			a.Truncated = true
			break
		}
		a.Items = append(a.Items, it)
	}
	return a
}

// stats counts what volumes miss.
func (b *books) stats() (out []*metapb.VolumeStat) {
	for _, id := range sortedVolumes(b.topo) {
		s := &metapb.VolumeStats{}
		for at, e := range b.extents {
			if at.Volume != id {
				continue
			}
			for slot := range b.topo.Volumes[id].Slots {
				if s.MissingSlots == nil {
					s.MissingSlots = make([]uint64, len(b.topo.Volumes[id].Slots))
				}
				if shard.SlotSet(e.Missing).Has(slot) {
					s.MissingSlots[slot]++
					s.Missing = []uint64{1}
				}
			}
		}
		out = append(out, &metapb.VolumeStat{Volume: uint32(id), Stats: s})
	}
	return out
}

// known: a shard stays where its extent exists; one that its extent misses is wanted.
func (b *books) known(q *metapb.KnownExtents) *metapb.KnownAnswer {
	a := &metapb.KnownAnswer{AppliedIndex: 5}
	for _, e := range q.Extents {
		rec := b.extents[shard.ExtentID{Volume: shard.VolumeID(e.Volume), Seq: e.Seq}]
		a.Known = append(a.Known, rec != nil)
		a.Wanted = append(a.Wanted, rec != nil && rec.Missing&e.Slots != 0)
	}
	return a
}

func (b *books) Propose(_ context.Context, c *metapb.Command) (*metapb.Result, error) {
	what := fmt.Sprintf("%T", c.Op)[len("*metapb.Command_"):]
	if b.fail == what {
		return nil, errBooks
	}
	r := &metapb.Result{}
	switch {
	case c.GetDoomExtents() != nil:
		for _, e := range c.GetDoomExtents().Extents {
			b.strike(metapb.WorkKind_WORK_GC, e)
			b.work[metapb.WorkKind_WORK_DOOMED] = append(b.work[metapb.WorkKind_WORK_DOOMED], &metapb.WorkItem{
				Volume: e.Volume, Seq: e.Seq, Doomed: &metapb.Doomed{Slots: 0b111}})
		}
	case c.GetForgetExtents() != nil:
		for _, e := range c.GetForgetExtents().Extents {
			b.forget(e)
		}
	case c.GetTrimContents() != nil:
		b.work[metapb.WorkKind_WORK_DROPPED] = nil
	case c.GetForgetUploads() != nil:
		b.work[metapb.WorkKind_WORK_COMPLETED] = nil
	case c.GetSetMissing() != nil:
		for _, e := range c.GetSetMissing().Add {
			b.extents[shard.ExtentID{Volume: shard.VolumeID(e.Volume), Seq: e.Seq}].Missing |= e.Slots
		}
		for _, e := range c.GetSetMissing().Remove {
			b.extents[shard.ExtentID{Volume: shard.VolumeID(e.Volume), Seq: e.Seq}].Missing &^= e.Slots
		}
	case c.GetDriveReconciled() != nil:
		r.Refusal = b.refuse
	}
	b.done = append(b.done, what)
	return r, nil
}

func (b *books) strike(kind metapb.WorkKind, e *metapb.ExtentSlots) {
	b.work[kind] = slices.DeleteFunc(b.work[kind], func(it *metapb.WorkItem) bool {
		return it.Volume == e.Volume && it.Seq == e.Seq
	})
}

func (b *books) forget(e *metapb.ExtentSlots) {
	for _, it := range b.work[metapb.WorkKind_WORK_DOOMED] {
		if it.Volume == e.Volume && it.Seq == e.Seq {
			if it.Doomed.Slots &^= e.Slots; it.Doomed.Slots == 0 {
				b.strike(metapb.WorkKind_WORK_DOOMED, e)
				return
			}
		}
	}
}

// small is an extent of 1,000 bytes that misses slots.
func small(missing uint32) *metapb.Extent {
	return &metapb.Extent{PlainBytes: 1000, TailBlockBytes: 1000, Missing: missing}
}

// trash is books full of garbage: three pages of extents in volumes 1 and 5, whose slots
// lie on drives 1 to 3, some in a volume between them that nobody knows any more, a dropped
// content and a finished upload.
func trash() *books {
	p := newPlanned(3)
	b := &books{topo: &meta.Topology{View: cluster.NewView(1, p.nodes), Volumes: map[shard.VolumeID]*shard.Volume{}},
		work: map[metapb.WorkKind][]*metapb.WorkItem{
			metapb.WorkKind_WORK_DROPPED:   {{Id: []byte("c"), Volume: 1}},
			metapb.WorkKind_WORK_COMPLETED: {{Id: []byte("u"), Volume: 1, Index: 3}},
		}}
	for _, id := range []shard.VolumeID{1, 5} {
		b.topo.Volumes[id] = &shard.Volume{ID: id, Scheme: shard.Scheme{K: 2, M: 1}, Slots: drives(1, 2, 3)}
	}
	for i := range uint64(3 * pageItems) {
		volume := uint32(1)
		switch i % pageItems {
		case 0:
			volume = 3
		case 1, 2, 3:
			volume = 5
		}
		b.work[metapb.WorkKind_WORK_GC] = append(b.work[metapb.WorkKind_WORK_GC],
			&metapb.WorkItem{Volume: volume, Seq: i + 1, Index: 4})
	}
	slices.SortFunc(b.work[metapb.WorkKind_WORK_GC], func(x, y *metapb.WorkItem) int {
		return cmp.Or(cmp.Compare(x.Volume, y.Volume), cmp.Compare(x.Seq, y.Seq))
	})
	return b
}

// All garbage goes, over all pages; what lies on drives that are away stays doomed until
// they are back, and holds up nothing else.
func TestCollectorDeletesEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := trash()
		stores := map[cluster.DriveID]*shardtest.Memory{}
		for d := range cluster.DriveID(3) {
			stores[d+1] = shardtest.NewMemory()
		}
		all := slices.Clone(b.work[metapb.WorkKind_WORK_GC])
		for _, it := range all {
			for slot := range uint8(3) {
				h := shardtest.Header(shard.VolumeID(it.Volume), it.Seq, slot, 0, 1, 64)
				require.NoError(t, shardtest.Put(t.Context(), stores[cluster.DriveID(slot+1)], h, shardtest.Frames(h, 1)))
			}
		}
		away := cluster.DriveID(3)
		doomed, deleted := 0, 0
		g := newCollector(Config{Metadata: b, Terms: hourly, Remember: 2 * time.Hour,
			Stores: func(d cluster.DriveID) (shard.Store, error) {
				if d == away {
					return nil, errs.New("test", errs.Unavailable, nil)
				}
				return stores[d], nil
			},
			Events: Events{Doomed: func(n int) { doomed += n }, Deleted: func(n int) { deleted += n }}}.withDefaults())
		require.NoError(t, g.run(t.Context()))
		require.Zero(t, doomed, "not before the grace has passed")
		time.Sleep(time.Hour + time.Minute)
		require.NoError(t, g.run(t.Context()))
		require.Equal(t, len(all), doomed)
		known := len(all) - 3 // Of volumes that are known.
		require.Equal(t, 2*known, deleted)
		require.Equal(t, 3, stores[1].Len(), "of the volume that nobody knows")
		require.Equal(t, len(all), stores[3].Len())
		require.Len(t, b.work[metapb.WorkKind_WORK_DOOMED], len(all))
		require.Empty(t, b.work[metapb.WorkKind_WORK_DROPPED])
		require.Len(t, b.work[metapb.WorkKind_WORK_COMPLETED], 1, "uploads are remembered for longer")

		away = 0
		time.Sleep(time.Hour)
		require.NoError(t, g.run(t.Context()))
		require.Equal(t, 3*known, deleted)
		require.Len(t, b.work[metapb.WorkKind_WORK_DOOMED], 3)
		require.Empty(t, b.work[metapb.WorkKind_WORK_COMPLETED])
		b.done = nil
		require.NoError(t, g.run(t.Context()))
		require.Empty(t, b.done, "nothing is left to do")
	})
}

// A round tells what the metadata refused to it, and which step it was.
func TestCollectorTellsFailures(t *testing.T) {
	for fail, step := range map[string]string{
		"work WORK_GC": "", "DoomExtents": "doom: ",
		"work WORK_DOOMED": "delete: ", "topology": "delete: ", "ForgetExtents": "delete: ",
		"work WORK_DROPPED": "trim: ", "TrimContents": "trim: ", "work WORK_COMPLETED": "", "ForgetUploads": "",
	} {
		t.Run(fail, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := trash()
				store := shardtest.NewMemory()
				g := newCollector(Config{Metadata: b, Terms: hourly, Remember: time.Hour,
					Stores: func(cluster.DriveID) (shard.Store, error) { return store, nil }}.withDefaults())
				require.NoError(t, g.run(t.Context()))
				time.Sleep(time.Hour)
				b.work[metapb.WorkKind_WORK_DROPPED] = []*metapb.WorkItem{{Id: []byte("d"), Volume: 1}}
				b.fail = fail
				err := g.run(t.Context())
				require.ErrorIs(t, err, errBooks)
				require.Equal(t, step+errBooks.Error(), err.Error())
				b.fail = ""
				require.NoError(t, g.run(t.Context()))
				require.Empty(t, b.work[metapb.WorkKind_WORK_GC])
				require.Empty(t, b.work[metapb.WorkKind_WORK_COMPLETED])
			})
		})
	}
}

// returned is a node that is back: on its drive lie shards of slot 0 of volume 2, which
// was given to drive 2 meanwhile and lacks them, and shards of volumes before and after it,
// which nobody lacks.
type returned struct {
	*books
	u       *Upkeep
	own     *drive.Drive
	to      *shardtest.Memory
	adopted int
	orphans int
}

const returnedExtents = pageItems + 3

func newReturned(t *testing.T) *returned {
	d, err := drive.Open(t.Context(), drive.Options{FS: vfs.NewMem(), Dir: "d", ReserveBytes: -1, CacheBytes: 1 << 20})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	p := newPlanned(4, drives(2, 3, 4), drives(2, 3, 4), drives(2, 3, 4))
	p.nodes[0].Drives[0].ID = d.ID()
	b := &books{topo: &meta.Topology{View: cluster.NewView(1, p.nodes), Volumes: p.volumes},
		extents: map[shard.ExtentID]*metapb.Extent{}}
	r := &returned{books: b, own: d, to: shardtest.NewMemory()}
	for id, v := range p.volumes {
		v.Epoch = 7
		n, missing := uint64(2), uint32(0)
		if id == 2 {
			n, missing = returnedExtents, 0b001
			v.Formers = []shard.Former{{Slot: 0, Drive: d.ID()}}
		}
		for seq := range n {
			b.extents[shard.ExtentID{Volume: id, Seq: seq + 1}] = small(missing)
			r.put(t, id, seq+1)
		}
	}
	r.u = &Upkeep{c: Config{Metadata: b, Drives: []Drive{d}, Alive: func(cluster.NodeID) bool { return true },
		Stores: func(id cluster.DriveID) (shard.Store, error) {
			switch id {
			case d.ID():
				return d, nil
			case 2:
				return r.to, nil
			}
			return nil, errs.New("test", errs.Unavailable, nil)
		},
		Events: Events{Adopted: func(shard.ID) { r.adopted++ }, Orphans: func(n int) { r.orphans += n }}}.withDefaults(),
		repairPace: newPacer(unlimited, nil)}
	return r
}

// put writes the shard of slot 0 of an extent to the node's own drive.
func (r *returned) put(t *testing.T, volume shard.VolumeID, seq uint64) {
	h := r.header(volume, seq)
	require.NoError(t, shardtest.Put(t.Context(), r.own, h, shardtest.Frames(h, seq)))
}

func (r *returned) header(volume shard.VolumeID, seq uint64) shard.Header {
	id := shard.ID{Extent: shard.ExtentID{Volume: volume, Seq: seq}}
	return meta.Geometry(r.topo.Volumes[volume], small(0)).Header(id, 1)
}

// missing returns how many extents of volume 2 lack their shard.
func (r *returned) missing() (n int) {
	for _, e := range r.extents {
		if e.Missing != 0 {
			n++
		}
	}
	return n
}

// What was taken from a drive comes to where it is missing, over more than a page, with the
// epoch that its volume has now; nothing else does, and nothing is asked where nothing is
// missing.
func TestAdopt(t *testing.T) {
	r := newReturned(t)
	a := newAdopter(r.u)
	require.NoError(t, a.run(t.Context()))
	require.Equal(t, returnedExtents, r.adopted)
	require.Equal(t, returnedExtents, r.to.Len())
	require.Zero(t, r.missing())
	for seq := range uint64(returnedExtents) {
		h := r.header(2, seq+1)
		want := shardtest.Frames(h, seq+1)
		h.Epoch = 7
		got, err := shardtest.Get(t.Context(), r.to, h)
		require.NoError(t, err)
		require.Equal(t, want, got)
		stored, err := r.to.Stat(t.Context(), h.ID)
		require.NoError(t, err)
		require.Equal(t, h, stored)
	}
	r.asked = nil
	require.NoError(t, a.run(t.Context()))
	require.Equal(t, []string{"stats"}, r.asked)
}

// One shard that cannot be brought is told of and holds up none of the others.
func TestAdoptGoesOn(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(t *testing.T, r *returned)
		adopted int
		err     string
	}{
		"a drive of another node": {func(_ *testing.T, r *returned) { r.topo.Volumes[2].Formers[0].Drive = 3 }, 0, ""},
		"a slot that is none":     {func(_ *testing.T, r *returned) { r.topo.Volumes[2].Formers[0].Slot = 3 }, 0, ""},
		"its place is away": {func(_ *testing.T, r *returned) {
			r.u.c.Alive = func(n cluster.NodeID) bool { return n != 2 }
		}, 0, ""},
		"its place is on its way": {func(_ *testing.T, r *returned) {
			r.topo.Volumes[2].Move = &shard.Move{Slot: 0, To: 1}
		}, 0, ""},
		"adoption is paused": {func(_ *testing.T, r *returned) {
			r.u.track.paused = func(job string) bool { return job == jobAdopt }
		}, 0, ""},
		"an extent that is no more": {func(_ *testing.T, r *returned) {
			delete(r.extents, shard.ExtentID{Volume: 2, Seq: 2})
		}, returnedExtents - 1, ""},
		"an extent of another form": {func(_ *testing.T, r *returned) {
			e := r.extents[shard.ExtentID{Volume: 2, Seq: 2}]
			e.TailBlockBytes = 500
		}, returnedExtents - 1, "its header is not that of the extent"},
		"the drive went": {func(t *testing.T, r *returned) { require.NoError(t, r.own.Close()) }, 0, "closed"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReturned(t)
			c.change(t, r)
			err := newAdopter(r.u).run(t.Context())
			if c.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.err)
				require.ErrorContains(t, err, "volume 2")
			}
			require.Equal(t, c.adopted, r.adopted)
			require.Equal(t, c.adopted, r.to.Len())
		})
	}
	for _, fail := range []string{"topology", "stats", "known", "extents", "SetMissing"} {
		t.Run(fail+" fails", func(t *testing.T) {
			r := newReturned(t)
			r.fail = fail
			require.ErrorIs(t, newAdopter(r.u).run(t.Context()), errBooks)
			require.Equal(t, returnedExtents, r.missing())
		})
	}
}

// After a restore a drive is compared once an era: what it lacks is recorded, then what
// others lack is brought. A refusal has it compared again.
func TestReconcile(t *testing.T) {
	r := newReturned(t)
	r.topo.OrphansHeld, r.topo.Era = true, 3
	r.topo.Volumes[1].Slots = drives(r.own.ID(), 3, 4)
	lost := shard.ExtentID{Volume: 1, Seq: 9}
	r.extents[lost] = small(0)
	a := newAdopter(r.u)
	r.refuse = metapb.Refusal_REFUSAL_INVALID
	require.NoError(t, a.run(t.Context()))
	require.EqualValues(t, 0b001, r.extents[lost].Missing, "the drive does not have it")
	require.Equal(t, returnedExtents, r.adopted)
	require.Zero(t, r.orphans)

	rounds := func() (n int) {
		for _, what := range r.done {
			if what == "DriveReconciled" {
				n++
			}
		}
		return n
	}
	r.refuse = metapb.Refusal_REFUSAL_NONE
	for range 3 {
		require.NoError(t, a.run(t.Context()))
	}
	require.Equal(t, 2, rounds(), "again after the refusal, then never in this era")
	r.asked = nil
	require.NoError(t, a.run(t.Context()))
	require.NotContains(t, r.asked, "work WORK_VOLUME", "what was compared is not compared again")
	r.topo.Era++
	require.NoError(t, a.run(t.Context()))
	require.Equal(t, 3, rounds())

	for _, fail := range []string{"DriveReconciled", "stats", "known", "SetMissing"} {
		r.topo.Era++
		r.extents[lost].Missing = 0
		r.fail = fail
		require.ErrorIs(t, a.run(t.Context()), errBooks, fail)
	}
	r.fail = ""
	delete(r.extents, lost)
	r.asked = nil
	require.NoError(t, a.run(t.Context()))
	require.NotContains(t, r.asked, "known", "nothing is missing anywhere")
}

// A sweep deletes what the metadata do not know, over all pages, and nothing where they do
// not answer.
func TestSweep(t *testing.T) {
	r := newReturned(t)
	for seq := range uint64(returnedExtents) {
		if seq%2 == 0 {
			delete(r.extents, shard.ExtentID{Volume: 2, Seq: seq + 1})
		}
	}
	held := r.own.Usage().Shards
	r.fail = "known"
	require.ErrorIs(t, r.u.sweepOrphans(t.Context()), errBooks)
	require.Equal(t, held, r.own.Usage().Shards)
	r.fail = ""
	require.NoError(t, r.u.sweepOrphans(t.Context()))
	const gone = (returnedExtents + 1) / 2
	require.Equal(t, gone, r.orphans)
	require.Equal(t, held-gone, r.own.Usage().Shards)
	require.Equal(t, returnedExtents-gone, r.adopted, "what others lack is brought there")
	bad := r.extents[shard.ExtentID{Volume: 2, Seq: 2}]
	bad.TailBlockBytes, bad.Missing = 500, 0b001
	delete(r.extents, shard.ExtentID{Volume: 3, Seq: 1})
	require.ErrorContains(t, r.u.sweepOrphans(t.Context()), "its header is not that of the extent")
	require.Equal(t, gone+1, r.orphans, "one that cannot be adopted holds up no later page")
	page, err := r.own.List(t.Context(), shard.ID{}, 10*pageItems)
	require.NoError(t, err)
	for _, e := range page {
		require.NotNil(t, r.extents[e.ID.Extent], "%s", e.ID)
	}
}

// A drive that has failed does not keep the others of its node from being swept.
func TestSweepGoesOnBesideAFailedDrive(t *testing.T) {
	r := newReturned(t)
	delete(r.extents, shard.ExtentID{Volume: 1, Seq: 1})
	broken, err := drive.Open(t.Context(),
		drive.Options{FS: vfs.NewMem(), Dir: "d", ReserveBytes: -1, CacheBytes: 1 << 20})
	require.NoError(t, err)
	require.NoError(t, broken.Close())
	r.u.c.Drives = []Drive{broken, r.own}
	err = r.u.sweepOrphans(t.Context())
	require.Equal(t, errs.Unavailable, errs.KindOf(err), "%v", err)
	require.ErrorContains(t, err, broken.ID().String())
	require.Equal(t, 1, r.orphans)
}

// Each question is about the slot that a shard is of.
func TestSweepAsksForEachSlot(t *testing.T) {
	d := &shelf{}
	var want []uint32
	for slot := range uint8(4) {
		d.list = append(d.list, drive.Entry{ID: shard.ID{Extent: shard.ExtentID{Volume: 1, Seq: 1}, Slot: slot}})
		want = append(want, 1<<slot)
	}
	asker := &slotAsker{}
	u := &Upkeep{c: Config{Metadata: asker, Drives: []Drive{d}}.withDefaults()}
	require.NoError(t, u.sweepOrphans(t.Context()))
	require.Equal(t, want, asker.slots)
	require.Empty(t, d.deleted)

	asker.few = true // An answer to another question is none.
	require.ErrorContains(t, u.sweepOrphans(t.Context()), "asked about 4 extents, got 3 answers")
	require.Empty(t, d.deleted)
}

// slotAsker notes which slots are asked about; every shard stays.
type slotAsker struct {
	Metadata
	slots []uint32
	few   bool
}

func (s *slotAsker) Topology(context.Context) (*meta.Topology, error) {
	return meta.NewTopology(&metapb.ViewAnswer{}), nil
}

func (s *slotAsker) Read(_ context.Context, q *metapb.Query) (*metapb.Answer, error) {
	if q.GetShardDigest() != nil {
		return &metapb.Answer{ShardDigest: &metapb.ShardDigest{ThroughSeq: math.MaxUint64}}, nil
	}
	a := &metapb.KnownAnswer{}
	for _, e := range q.GetKnownExtents().Extents {
		s.slots = append(s.slots, e.Slots)
		a.Known = append(a.Known, true)
	}
	if s.few {
		a.Known = a.Known[1:]
	}
	return &metapb.Answer{Known: a}, nil
}
