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

// moverRounds bounds how often a mover goes round a volume to which extents are
// added all the time; it goes on in the next round of its job.
const moverRounds = 16

// mover makes one move: when it asks the metadata to finish it, every extent of the
// volume has its shard of the slot on the new drive or the slot in its missing set.
// It keeps nothing: one that is cut off is begun again, and what is there is not
// copied twice.
type mover struct {
	u     *Upkeep
	v     *shard.Volume
	slot  int
	to    cluster.DriveID
	track *tracker

	done   map[uint64]bool // Sequence numbers seen to be right in this run.
	copied uint64          // Bytes.
}

// run makes the move, or as much of it as can be made now. That it is not in
// progress any more is no error.
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
			if err == nil && refusal == metapb.Refusal_REFUSAL_NONE && m.u.c.Events.MoveFinished != nil {
				m.u.c.Events.MoveFinished(m.v.ID, m.slot, m.v.Move.Rebuild, m.copied)
			}
			return err
		}
	}
	return nil
}

// began adds the volume to what there is to do.
func (m *mover) began() {
	if !m.track.running() {
		m.track.begin(0, 0, "")
	}
	m.track.say(fmt.Sprintf("volume %d, slot %d to drive %s", m.v.ID, m.slot, m.to))
}

// finish asks the metadata to put the slot on its new drive.
func (m *mover) finish(ctx context.Context, seen uint64) (metapb.Refusal, error) {
	r, err := m.u.c.Metadata.Propose(ctx, &metapb.Command{Op: &metapb.Command_FinishMove{FinishMove: &metapb.FinishMove{
		Volume: uint32(m.v.ID), Epoch: m.v.Epoch, Slot: uint32(m.slot), To: uint64(m.to), SeenIndex: seen}}})
	if err != nil {
		return 0, err
	}
	return r.Refusal, nil
}

// round goes through all extents of the volume. seen is the log index up to which
// none was overlooked; not ok: the move is not to be made any more, or not now.
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
			seen = page.AppliedIndex // What is added later is known by a greater index.
		}
		m.u.counted(m.to).rely(page.AppliedIndex) // Before it is asked what is there.
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

// page sees to it that the extents of a page may move.
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

// bring brings the shard of an extent to the new drive. It returns false where it is
// to be counted as missing: it was on a lost drive, or is bad or absent and cannot be
// rebuilt now. That the old drive does not answer for the moment is an error.
func (m *mover) bring(ctx context.Context, it *metapb.WorkItem) (bool, error) {
	id := shard.ID{Extent: shard.ExtentID{Volume: m.v.ID, Seq: it.Seq}, Slot: uint8(m.slot)}
	to, err := m.u.c.Stores(m.to)
	if err != nil {
		return false, err
	}
	if _, err := to.Stat(ctx, id); err == nil {
		return true, nil // Extents never change.
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
	call(m.u.c.Events.ShardMoved, h.FramedBytes())
	return true, nil
}

// copy copies a shard from the drive that the slot has been on.
func (m *mover) copy(ctx context.Context, to shard.Store, id shard.ID, h shard.Header) error {
	from, err := m.u.c.Stores(m.v.Slots[m.slot])
	if err != nil {
		return err
	}
	return copyShard(ctx, from, to, id, h)
}

// copyShard copies a shard, which is described by h, from one drive to another, which
// checks every frame.
func copyShard(ctx context.Context, from, to shard.Store, id shard.ID, h shard.Header) error {
	r, err := from.Open(ctx, id, shard.Span{Len: h.FramedBytes()})
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // Of reading: nothing to lose.
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

// rebuild makes the shard from the others, on the new drive.
func (m *mover) rebuild(ctx context.Context, it *metapb.WorkItem) (bool, error) {
	there := *m.v
	there.Slots = slices.Clone(m.v.Slots)
	there.Slots[m.slot] = m.to
	want := shard.SlotSet(0).With(m.slot)
	got, err := m.u.c.Engine.Rebuild(ctx, shard.ExtentID{Volume: m.v.ID, Seq: it.Seq}, &there, meta.Geometry(m.v, it.Extent), want)
	return got == want, err
}
