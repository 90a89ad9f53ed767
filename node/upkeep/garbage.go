package upkeep

import (
	"context"
	"fmt"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// collector frees the space of extents that nothing refers to, in three steps: it dooms extents
// that have been garbage for the grace period, deletes the shards of doomed extents, and forgets
// extents whose shards are all deleted. Each step may be repeated. It also removes what is left
// of multipart objects that were replaced, and forgets uploads that finished long ago.
//
// The metadata tell at which position an extent became garbage. How long ago that was, the
// collector counts by its own monotonic clock, from when it saw that index applied (marks). A new
// leader waits the whole time again, and no clock that jumps can shorten it.
type collector struct {
	c        Config
	grace    marks
	remember marks
	busy     bool // This round has found something to do.
}

func newCollector(c Config) *collector {
	return &collector{c: c, grace: marks{age: c.Terms().Grace}, remember: marks{age: c.Remember}}
}

func (g *collector) run(ctx context.Context) error {
	now := time.Now()
	g.busy = false
	g.grace.age = g.c.Terms().Grace
	work, err := g.list(ctx, &metapb.ListWork{Kind: metapb.WorkKind_WORK_GC, Max: pageItems, BeforeIndex: g.grace.before(now)})
	if err != nil {
		return err
	}
	// The entries that the answer shows as applied may have been applied just before it, and
	// not when the question was sent.
	answered := time.Now()
	g.grace.add(answered, work.AppliedIndex)
	g.remember.add(answered, work.AppliedIndex)
	if err := g.doom(ctx, work, g.grace.before(now)); err != nil {
		return fmt.Errorf("doom: %w", err)
	}
	if err := g.deleteDoomed(ctx); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if err := g.trim(ctx); err != nil {
		return fmt.Errorf("trim: %w", err)
	}
	return g.forgetUploads(ctx, g.remember.before(now))
}

// list reads a page of work. It is patient until something is found.
func (g *collector) list(ctx context.Context, q *metapb.ListWork) (*metapb.WorkAnswer, error) {
	a, err := g.c.Metadata.Read(ctx, &metapb.Query{Patient: !g.busy, Op: &metapb.Query_ListWork{ListWork: q}})
	if err != nil {
		return nil, err
	}
	g.busy = g.busy || len(a.Work.Items) > 0
	return a.Work, nil
}

// doom dooms the extents of a page of old garbage, and those of all pages that follow.
func (g *collector) doom(ctx context.Context, work *metapb.WorkAnswer, before uint64) error {
	for len(work.Items) > 0 && before > 0 {
		cmd := &metapb.DoomExtents{BeforeIndex: before}
		for _, it := range work.Items {
			cmd.Extents = append(cmd.Extents, &metapb.ExtentSlots{Volume: it.Volume, Seq: it.Seq})
		}
		if _, err := g.c.Metadata.Propose(ctx, &metapb.Command{Op: &metapb.Command_DoomExtents{DoomExtents: cmd}}); err != nil {
			return err
		}
		g.c.Events.Doomed(len(cmd.Extents))
		if !work.Truncated {
			return nil
		}
		var err error
		work, err = g.list(ctx, &metapb.ListWork{Kind: metapb.WorkKind_WORK_GC, Max: pageItems, BeforeIndex: before})
		if err != nil {
			return err
		}
	}
	return nil
}

// deleteDoomed deletes the shards of doomed extents, page by page. An extent stays doomed while
// a drive with one of its shards is away.
func (g *collector) deleteDoomed(ctx context.Context) error {
	var volume uint32
	var seq uint64
	for {
		work, err := g.list(ctx, &metapb.ListWork{Kind: metapb.WorkKind_WORK_DOOMED, Max: pageItems, AfterVolume: volume, AfterSeq: seq})
		if err != nil {
			return err
		}
		if len(work.Items) == 0 {
			return nil
		}
		if err := g.deletePage(ctx, work.Items); err != nil {
			return err
		}
		last := work.Items[len(work.Items)-1]
		volume, seq = last.Volume, last.Seq
		if !work.Truncated {
			return nil
		}
	}
}

func (g *collector) deletePage(ctx context.Context, items []*metapb.WorkItem) error {
	topo, err := g.c.Metadata.Topology(ctx)
	if err != nil {
		return err
	}
	byDrive := map[cluster.DriveID][]shard.ID{}
	for _, it := range items {
		v := topo.Volumes[shard.VolumeID(it.Volume)]
		if v == nil {
			continue
		}
		for slot, d := range v.Slots {
			if shard.SlotSet(it.Doomed.Slots).Has(slot) {
				byDrive[d] = append(byDrive[d], shard.ID{Extent: shard.ExtentID{Volume: v.ID, Seq: it.Seq}, Slot: uint8(slot)})
			}
		}
	}
	gone := map[shard.ExtentID]shard.SlotSet{}
	for d, ids := range byDrive {
		store, err := g.c.Stores(d)
		if err == nil {
			err = store.Delete(ctx, ids)
		}
		if err != nil {
			continue // The drive is away. Its shards are deleted when it is back.
		}
		for _, id := range ids {
			gone[id.Extent] = gone[id.Extent].With(int(id.Slot))
		}
		g.c.Events.Deleted(len(ids))
	}
	cmd := &metapb.ForgetExtents{}
	for _, it := range items { // The order is that of the page, and not that of a map.
		id := shard.ExtentID{Volume: shard.VolumeID(it.Volume), Seq: it.Seq}
		if slots := gone[id]; slots != 0 {
			cmd.Extents = append(cmd.Extents, &metapb.ExtentSlots{Volume: it.Volume, Seq: it.Seq, Slots: uint32(slots)})
		}
	}
	if len(cmd.Extents) == 0 {
		return nil
	}
	_, err = g.c.Metadata.Propose(ctx, &metapb.Command{Op: &metapb.Command_ForgetExtents{ForgetExtents: cmd}})
	return err
}

// trim removes the records that are left of multipart objects which were replaced. One command
// removes a bounded number.
func (g *collector) trim(ctx context.Context) error {
	for {
		work, err := g.list(ctx, &metapb.ListWork{Kind: metapb.WorkKind_WORK_DROPPED, Max: pageItems})
		if err != nil || len(work.Items) == 0 {
			return err
		}
		cmd := &metapb.TrimContents{Max: trimRecords}
		for _, it := range work.Items {
			cmd.ContentIds = append(cmd.ContentIds, it.Id)
		}
		if _, err := g.c.Metadata.Propose(ctx, &metapb.Command{Op: &metapb.Command_TrimContents{TrimContents: cmd}}); err != nil {
			return err
		}
	}
}

// forgetUploads forgets the uploads that finished before a position. Until then a repeated
// CompleteMultipartUpload gets the same answer.
func (g *collector) forgetUploads(ctx context.Context, before uint64) error {
	if before == 0 {
		return nil
	}
	work, err := g.list(ctx, &metapb.ListWork{Kind: metapb.WorkKind_WORK_COMPLETED, Max: pageItems, BeforeIndex: before})
	if err != nil || len(work.Items) == 0 {
		return err
	}
	cmd := &metapb.ForgetUploads{}
	for _, it := range work.Items {
		cmd.UploadIds = append(cmd.UploadIds, it.Id)
	}
	_, err = g.c.Metadata.Propose(ctx, &metapb.Command{Op: &metapb.Command_ForgetUploads{ForgetUploads: cmd}})
	return err
}

// marks remembers when some positions had been reached, to tell what is older than an age.
type marks struct {
	age  time.Duration
	list []mark // The oldest first.
}

type mark struct {
	at    time.Time
	index uint64
}

// markCount is about how many marks are kept: a new one is made age/markCount after the last.
const markCount = 64

func (m *marks) add(now time.Time, index uint64) {
	if n := len(m.list); n > 0 && now.Sub(m.list[n-1].at) < m.age/markCount {
		return
	}
	m.list = append(m.list, mark{now, index})
}

// before returns the greatest position of which this node knows that it was reached at least m.age
// ago, or 0 if there is none.
func (m *marks) before(now time.Time) uint64 {
	i := 0
	for i+1 < len(m.list) && now.Sub(m.list[i+1].at) >= m.age {
		i++
	}
	m.list = m.list[i:]
	if len(m.list) == 0 || now.Sub(m.list[0].at) < m.age {
		return 0
	}
	return m.list[0].index + 1
}

// unavailable reports whether an error only says that another node is away.
func unavailable(err error) bool {
	return errs.Is(err, errs.Unavailable) || errs.Is(err, errs.Canceled)
}
