package upkeep

import (
	"context"
	"encoding/binary"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/query"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/drive"
)

// stocked is a community whose volume 1 has extents, and whose drive 2 has a shard of
// each. It counts what is asked.
type stocked struct {
	*community
	u     *Upkeep
	shelf *shelf

	digests, looks, pages int  // Questions: for a digest, about shards, about extents.
	old                   bool // The metadata are of a release that knows no digests.
}

const stock = query.DigestMax + 4*meta.LeaseBlockExtents // Two digests.

func newStocked(t *testing.T) *stocked {
	s := &stocked{community: newCommunity(t, 4, []uint64{1, 2, 3}), shelf: &shelf{gauge: gauge{id: 2}}}
	s.u = &Upkeep{c: Config{Metadata: s, Interval: time.Second, Drives: []Drive{s.shelf}}.withDefaults()}
	s.must(&metapb.Command{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{Bucket: &metapb.Bucket{Name: "b", Owner: "o"}}}})
	for block := range uint64(stock / meta.LeaseBlockExtents) {
		s.must(&metapb.Command{Op: &metapb.Command_LeaseExtents{LeaseExtents: &metapb.LeaseExtents{Volumes: []uint32{1}}}})
		id := binary.BigEndian.AppendUint64(make([]byte, 8), block+1)
		put := &metapb.PutObject{Bucket: "b", Key: string(id), Version: &metapb.Version{ContentId: id, Etag: "e", ModifiedMs: 1},
			Part: &metapb.Part{Etag: "e"}}
		for i := range uint64(meta.LeaseBlockExtents) {
			seq := block*meta.LeaseBlockExtents + i + 1
			put.Extents = append(put.Extents, &metapb.NewExtent{Volume: 1, Seq: seq, Extent: &metapb.Extent{PlainBytes: 10}})
			put.Part.Extents = append(put.Part.Extents, &metapb.ExtentRef{Volume: 1, Seq: seq, Length: 10})
			put.Part.Size, put.Version.Size = put.Part.Size+10, put.Version.Size+10
			s.shelf.list = append(s.shelf.list, drive.Entry{ID: shardOf(seq)})
		}
		s.must(&metapb.Command{Op: &metapb.Command_PutObject{PutObject: put}})
		s.must(&metapb.Command{Op: &metapb.Command_ReleaseLeases{ReleaseLeases: &metapb.ReleaseLeases{
			Blocks: []*metapb.LeaseBlock{{Volume: 1, Block: block}}}}})
	}
	return s
}

// shardOf is the shard of an extent of volume 1 that lies on drive 2.
func shardOf(seq uint64) shard.ID {
	return shard.ID{Extent: shard.ExtentID{Volume: 1, Seq: seq}, Slot: 1}
}

func (s *stocked) Read(ctx context.Context, q *metapb.Query) (*metapb.Answer, error) {
	switch q.Op.(type) {
	case *metapb.Query_ShardDigest:
		if s.digests++; s.old {
			return nil, errs.Newf("state", errs.Invalid, "unknown query")
		}
	case *metapb.Query_KnownExtents:
		s.looks++
	case *metapb.Query_ListWork:
		s.pages++
	}
	return s.community.Read(ctx, q)
}

// missing returns of which extents the metadata count the shard on drive 2 missing.
func (s *stocked) missing() (seqs []uint64) {
	a, err := s.community.Read(s.t.Context(), &metapb.Query{Op: &metapb.Query_ListWork{ListWork: &metapb.ListWork{Kind: metapb.WorkKind_WORK_MISSING}}})
	require.NoError(s.t, err)
	for _, it := range a.Work.Items {
		require.EqualValues(s.t, 1<<1, it.Extent.Missing)
		seqs = append(seqs, it.Seq)
	}
	return seqs
}

func (s *stocked) lose(seq uint64) {
	s.shelf.list = slices.DeleteFunc(s.shelf.list, func(e drive.Entry) bool { return e.ID.Extent.Seq == seq })
}

// TestDifferencesAloneAreLookedAt: a drive that has what it must costs the leader a digest
// for some thousand extents, of its keys; only where there is a difference each shard is
// asked about.
func TestDifferencesAloneAreLookedAt(t *testing.T) {
	effort.SkipLessened(t)
	const orphan = stock + 7 // Leased once, and never committed.
	const pagesOfRest = (stock-query.DigestMax)/pageItems + 1
	for _, c := range []struct {
		name    string
		change  func(*stocked)
		lost    []uint64
		deleted []shard.ID
		digests int
		looks   int // At most, of the sweep.
		pages   int // At most, of the inventory.
	}{
		{"nothing differs", func(*stocked) {}, nil, nil, 2, 0, 0},
		{"an orphan at the end", func(s *stocked) { s.shelf.list = append(s.shelf.list, drive.Entry{ID: shardOf(orphan)}) },
			nil, []shard.ID{shardOf(orphan)}, 2, pagesOfRest, pagesOfRest},
		{"one at the end is lost", func(s *stocked) { s.lose(stock - 1) }, []uint64{stock - 1}, nil, 2, pagesOfRest, pagesOfRest},
		{"one at the beginning is lost", func(s *stocked) { s.lose(3) }, []uint64{3}, nil, 2, query.DigestMax / pageItems, query.DigestMax/pageItems + 1},
		{"one is lost and an orphan in its place", func(s *stocked) {
			s.lose(stock)
			s.shelf.list = append(s.shelf.list, drive.Entry{ID: shardOf(orphan)})
		}, []uint64{stock}, []shard.ID{shardOf(orphan)}, 2, pagesOfRest, pagesOfRest},
		{"a shard of a slot of another drive", func(s *stocked) {
			id := shardOf(5)
			id.Slot = 2
			i := slices.IndexFunc(s.shelf.list, func(e drive.Entry) bool { return e.ID == shardOf(5) })
			s.shelf.list = slices.Insert(s.shelf.list, i+1, drive.Entry{ID: id})
		}, nil, []shard.ID{{Extent: shard.ExtentID{Volume: 1, Seq: 5}, Slot: 2}}, 2, query.DigestMax/pageItems + 1, query.DigestMax/pageItems + 1},
		{"the metadata know no digests", func(s *stocked) {
			s.old = true
			s.lose(9)
			s.shelf.list = append(s.shelf.list, drive.Entry{ID: shardOf(orphan)})
		}, []uint64{9}, []shard.ID{shardOf(orphan)}, 1, stock/pageItems + 1, stock/pageItems + 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStocked(t)
				c.change(s)
				began := time.Now()
				require.NoError(t, s.u.sweepOrphans(t.Context()))
				require.Equal(t, c.deleted, s.shelf.deleted)
				require.Equal(t, c.digests, s.digests)
				require.LessOrEqual(t, s.looks, c.looks)
				if !s.old {
					require.GreaterOrEqual(t, time.Since(began), 4*compareShare*stock*digestCost, "four drives share the leader")
				}

				s.digests = 0
				require.NoError(t, s.u.inventory(t.Context()))
				require.Equal(t, c.lost, s.missing())
				require.Equal(t, c.digests, s.digests)
				require.LessOrEqual(t, s.pages, c.pages)

				// What is known to be missing is no difference any more.
				s.pages = 0
				require.NoError(t, s.u.inventory(t.Context()))
				if c.deleted == nil && !s.old {
					require.Zero(t, s.pages)
				}
				require.Equal(t, c.lost, s.missing())
			})
		})
	}
}

// TestInventoryOfASickDrive: a drive that does not list says nothing of what it lacks, and
// does not hold up the others.
func TestInventoryOfASickDrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStocked(t)
		sick := &sickShelf{gauge{id: 1, failed: errs.Newf("drive", errs.Unavailable, "gone")}}
		s.u.c.Drives = []Drive{sick, s.shelf}
		s.lose(4)
		require.NoError(t, s.u.inventory(t.Context()))
		require.Equal(t, []uint64{4}, s.missing())
	})
}

type sickShelf struct{ gauge }

func (s *sickShelf) List(context.Context, shard.ID, int) ([]drive.Entry, error) { return nil, s.failed }

// TestComparisonGoesOn: a question that failed is asked again; the round does not begin
// anew.
func TestComparisonGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStocked(t)
		f := &faltering{stocked: s}
		s.u.c.Metadata = f
		require.NoError(t, s.u.sweepOrphans(t.Context()))
		require.Equal(t, 2, s.digests)
		require.Equal(t, 4, f.asked)
		require.Equal(t, cluster.DriveID(2), s.shelf.ID())
	})
}

// faltering answers every second question for a digest.
type faltering struct {
	*stocked
	asked int
}

func (f *faltering) Read(ctx context.Context, q *metapb.Query) (*metapb.Answer, error) {
	if q.GetShardDigest() != nil {
		if f.asked++; f.asked%2 == 1 {
			return nil, errs.Newf("group.Read", errs.Unavailable, "no leader")
		}
	}
	return f.stocked.Read(ctx, q)
}

// Topology implements Metadata: it cannot be asked for.
func (f *faltering) Topology(context.Context) (*meta.Topology, error) {
	return nil, errs.Newf("meta.Topology", errs.Unavailable, "no leader")
}
