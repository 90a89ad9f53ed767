package upkeep

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// moverRounds is how often a mover goes through a volume in one run. Extents may be added to the
// volume all the time; the next round of the job goes on then.
const moverRounds = 16

// mover makes one move of a slot to a drive of this node. When it asks the metadata to finish the
// move, every extent of the volume has its shard of the slot on the new drive, or counts it as
// missing. It keeps nothing: a move that is cut off is begun again, and shards that are there
// already are not copied again.
type mover struct {
	u     *Upkeep
	v     *shard.Volume
	slot  int
	to    cluster.DriveID
	track *tracker

	done   map[uint64]bool // The extents, by number, whose shard this run has seen on the new drive.
	copied uint64          // Bytes that this run has copied.
}

// run makes the move, or as much of it as can be made now. It is no error that the move has been
// finished or cancelled meanwhile.
func (m *mover) run(ctx context.Context) error {
	m.done = map[uint64]bool{}
	m.began()
	for range moverRounds {
		seen, ok, err := m.round(ctx)
		if err != nil || !ok {
			return err
		}
		refusal, err := m.finish(ctx, seen)
		if err != nil || refusal != metapb.Refusal_REFUSAL_MOVE_BEHIND {
			if err == nil && refusal == metapb.Refusal_REFUSAL_NONE {
				m.u.c.Events.MoveFinished(m.v.ID, m.slot, m.v.Move.Rebuild, m.copied)
			}
			return err
		}
	}
	return nil
}

// began tells the job's report which move is under way.
func (m *mover) began() {
	if !m.track.running() {
		m.track.begin(0, 0, "")
	}
	m.track.say(fmt.Sprintf("volume %d, slot %d to drive %s", m.v.ID, m.slot, m.to))
}

// finish asks the metadata to give the slot to its new drive. They refuse, with MOVE_BEHIND, where
// an extent was added after the index seen.
func (m *mover) finish(ctx context.Context, seen uint64) (metapb.Refusal, error) {
	r, err := m.u.c.Metadata.Propose(ctx, &metapb.Command{Op: &metapb.Command_FinishMove{FinishMove: &metapb.FinishMove{
		Volume: uint32(m.v.ID), Epoch: m.v.Epoch, Slot: uint32(m.slot), To: uint64(m.to), SeenIndex: seen}}})
	if err != nil {
		return 0, err
	}
	return r.Refusal, nil
}

// round goes through all extents of the volume. seen is the position up to which it has overlooked
// none. ok is false where the move is not in progress any more.
func (m *mover) round(ctx context.Context) (seen uint64, ok bool, err error) {
	var seq uint64
	for first := true; ; first = false {
		if !m.track.waitWhilePaused(ctx) {
			return 0, false, context.Cause(ctx)
		}
		if !m.current(ctx) {
			return 0, false, nil
		}
		page, err := m.u.volumePage(ctx, m.v.ID, seq)
		if err != nil {
			return 0, false, err
		}
		if first {
			// It must be that of the first page: an extent that is added while later pages are read
			// may have its place on a page that was read before.
			seen = page.AppliedIndex
		}
		m.u.counted(m.to).rely(page.AppliedIndex) // It must come before the drive is asked (counted).
		if err := m.page(ctx, page.Items); err != nil {
			return 0, false, err
		}
		if !page.Truncated || len(page.Items) == 0 {
			return seen, true, nil
		}
		seq = page.Items[len(page.Items)-1].Seq
	}
}

// current reports whether the move is still in progress, as far as this node knows.
func (m *mover) current(ctx context.Context) bool {
	topo, err := m.u.c.Metadata.Topology(ctx)
	if err != nil {
		return true
	}
	v := topo.Volumes[m.v.ID]
	return v != nil && v.Epoch == m.v.Epoch && v.Move != nil && *v.Move == *m.v.Move
}

// page brings the shards of a page of extents to the new drive, and records those that cannot be
// brought as missing.
func (m *mover) page(ctx context.Context, items []*metapb.WorkItem) error {
	var gone []*metapb.ExtentSlots
	for _, it := range items {
		if m.done[it.Seq] || shard.SlotSet(it.Extent.Missing).Has(m.slot) {
			continue
		}
		there, err := m.bring(ctx, it)
		if err != nil {
			return err
		}
		if !there {
			gone = append(gone, &metapb.ExtentSlots{Volume: it.Volume, Seq: it.Seq, Slots: 1 << m.slot, Epoch: m.v.Epoch})
			continue
		}
		m.done[it.Seq] = true
	}
	if len(gone) == 0 {
		return nil
	}
	_, err := m.u.c.Metadata.Propose(ctx, &metapb.Command{Op: &metapb.Command_SetMissing{SetMissing: &metapb.SetMissing{Add: gone}}})
	return err
}

// bring brings the shard of an extent to the new drive. It returns false where the shard is to
// count as missing: its drive is lost, or it is bad or absent there and cannot be rebuilt now. It
// is an error where the old drive does not answer for the moment and the shard cannot be rebuilt.
func (m *mover) bring(ctx context.Context, it *metapb.WorkItem) (bool, error) {
	id := shard.ID{Extent: shard.ExtentID{Volume: m.v.ID, Seq: it.Seq}, Slot: uint8(m.slot)}
	to, err := m.u.c.Stores(m.to)
	if err != nil {
		return false, err
	}
	if _, err := to.Stat(ctx, id); err == nil {
		return true, nil // Extents never change, so it is the right one.
	} else if !errs.Is(err, errs.NotFound) {
		return false, err
	}
	if m.v.Move.Rebuild {
		return false, nil
	}
	h := meta.Geometry(m.v, it.Extent).Header(id, m.v.Epoch)
	m.track.grow(1, uint64(h.FramedBytes()))
	if err := m.u.movePace.wait(ctx, h.FramedBytes()); err != nil {
		return false, err
	}
	copyErr := m.copy(ctx, to, id, h)
	if copyErr != nil {
		if ok, err := m.rebuild(ctx, it); !ok {
			if errs.Is(copyErr, errs.NotFound) || errs.Is(copyErr, errs.Corrupt) {
				return false, nil
			}
			return false, fmt.Errorf("shard %s: %w; nor can it be rebuilt: %w", id, copyErr, err)
		}
	}
	m.copied += uint64(h.FramedBytes())
	m.track.add(1, uint64(h.FramedBytes()))
	m.u.c.Events.ShardMoved(h.FramedBytes())
	return true, nil
}

// copy copies a shard from the drive that has the slot until the move is over.
func (m *mover) copy(ctx context.Context, to shard.Store, id shard.ID, h shard.Header) error {
	from, err := m.u.c.Stores(m.v.Slots[m.slot])
	if err != nil {
		return err
	}
	return copyShard(ctx, from, to, id, h)
}

// copyShard copies a shard with the header h from one drive to another. The drive that gets it
// checks every frame. Where it fails, nothing of the shard is left there.
func copyShard(ctx context.Context, from, to shard.Store, id shard.ID, h shard.Header) error {
	r, err := from.Open(ctx, id, shard.Span{Len: h.FramedBytes()})
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // It was only read.
	w, err := to.Create(ctx, h)
	if err != nil {
		return err
	}
	defer w.Abort()
	buffer := make([]byte, shard.UnitBlocks*shard.FrameBytes)
	for i := 0; i < h.Blocks(); i += shard.UnitBlocks {
		last := h.BlockSpan(min(i+shard.UnitBlocks, h.Blocks()) - 1)
		frames := buffer[:last.Off+last.Len-h.BlockSpan(i).Off]
		if _, err := io.ReadFull(r, frames); err != nil {
			return errs.New("upkeep.copy", errs.Unavailable, err)
		}
		if _, err := w.Write(frames); err != nil {
			return err
		}
	}
	return w.Commit(ctx)
}

// rebuild makes the shard of an extent from the others, on the new drive; false where it cannot.
func (m *mover) rebuild(ctx context.Context, it *metapb.WorkItem) (bool, error) {
	there := *m.v
	there.Slots = slices.Clone(m.v.Slots)
	there.Slots[m.slot] = m.to
	want := shard.SlotSet(0).With(m.slot)
	got, err := m.u.c.Engine.Rebuild(ctx, shard.ExtentID{Volume: m.v.ID, Seq: it.Seq}, &there, meta.Geometry(m.v, it.Extent), want)
	return got == want, err
}
