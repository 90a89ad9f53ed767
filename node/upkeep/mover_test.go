package upkeep

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/shardtest"
)

// growing is metadata of a volume of which a slot moves and to which extents are added
// between the pages that the mover reads. Numbers come from leases, so a new extent may
// lie before those of the page that the mover has reached.
type growing struct {
	topo    *meta.Topology
	seqs    []uint64 // Ascending.
	index   uint64   // Of the last command.
	lastNew uint64
	grow    func(page int) (seq uint64, ok bool) // Called after each page.
	pages   int

	finished bool
}

func (g *growing) Topology(context.Context) (*meta.Topology, error) { return g.topo, nil }

func (g *growing) Read(_ context.Context, q *metapb.Query) (*metapb.Answer, error) {
	l := q.GetListWork()
	a := &metapb.WorkAnswer{AppliedIndex: g.index}
	for _, seq := range g.seqs {
		if seq <= l.AfterSeq {
			continue
		}
		if len(a.Items) == int(l.Max) {
			a.Truncated = true
			break
		}
		a.Items = append(a.Items, &metapb.WorkItem{Volume: l.Volume, Seq: seq,
			Extent: &metapb.Extent{PlainBytes: 1000, TailBlockBytes: 1000}})
	}
	g.pages++
	if seq, ok := g.grow(g.pages); ok {
		at, _ := slices.BinarySearch(g.seqs, seq)
		g.seqs = slices.Insert(g.seqs, at, seq)
		g.index++
		g.lastNew = g.index
	}
	return &metapb.Answer{Work: a}, nil
}

func (g *growing) Propose(_ context.Context, c *metapb.Command) (*metapb.Result, error) {
	g.index++
	f := c.GetFinishMove()
	if f == nil {
		return &metapb.Result{}, nil
	}
	if g.lastNew > f.SeenIndex {
		return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_MOVE_BEHIND}, nil
	}
	g.finished = true
	return &metapb.Result{}, nil
}

// A volume of more than a page of extents moves whole: also those that are committed
// while later pages are read.
func TestMoverSeesWhatComesBetweenPages(t *testing.T) {
	v := &shard.Volume{ID: 1, Scheme: shard.Scheme{K: 1, M: 1}, Slots: []cluster.DriveID{1, 2}, Epoch: 1,
		Move: &shard.Move{Slot: 1, To: 3}}
	from, to := shardtest.NewMemory(), shardtest.NewMemory()
	put := func(seq uint64) {
		h := meta.Geometry(v, &metapb.Extent{PlainBytes: 1000, TailBlockBytes: 1000}).Header(
			shard.ID{Extent: shard.ExtentID{Volume: 1, Seq: seq}, Slot: 1}, v.Epoch)
		require.NoError(t, shardtest.Put(t.Context(), from, h, shardtest.Frames(h, seq)))
	}
	g := &growing{topo: &meta.Topology{Volumes: map[shard.VolumeID]*shard.Volume{1: v}}, index: 10}
	for i := range uint64(2*pageItems + 10) {
		g.seqs = append(g.seqs, 1000+2*i)
		put(1000 + 2*i)
	}
	g.grow = func(page int) (uint64, bool) {
		if page > 2 { // Nothing comes after the last page of the first round: the mover must know by itself.
			return 0, false
		}
		seq := uint64(500 + page)
		put(seq)
		return seq, true
	}
	u := &Upkeep{movePace: newPacer(unlimited, nil),
		c: Config{Metadata: g, Stores: func(d cluster.DriveID) (shard.Store, error) {
			return map[cluster.DriveID]shard.Store{2: from, 3: to}[d], nil
		}}.withDefaults()}
	m := &mover{u: u, v: v, slot: 1, to: 3, track: newTracker("moves", 0, nil)}
	require.NoError(t, m.run(t.Context()))
	require.True(t, g.finished)
	require.Len(t, g.seqs, 2*pageItems+12)
	for _, seq := range g.seqs {
		_, err := to.Stat(t.Context(), shard.ID{Extent: shard.ExtentID{Volume: 1, Seq: seq}, Slot: 1})
		require.NoError(t, err, "the move ended without extent %d", seq)
	}
}
