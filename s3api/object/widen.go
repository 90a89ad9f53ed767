package object

import (
	"context"

	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/alloc"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/stripe"
)

// Widen re-encodes an extent that lies in a volume of a narrow scheme into a
// volume of the widest one that the living domains allow, and puts it in the old
// one's place in every part that refers to it. It reports false where nothing
// wider can be had now, and true where the old one is gone. No key is needed: the
// packages stay as they are.
func (s *Service) Widen(ctx context.Context, from *shard.Volume, it *metapb.WorkItem) (bool, error) {
	if err := s.budget.Acquire(ctx, widenBufferBytes); err != nil {
		return false, err
	}
	defer s.budget.Release(widenBufferBytes)
	kind, err := s.kindOf(ctx, from)
	if err != nil {
		return false, err
	}
	g, err := s.alloc.Grant(ctx, kind)
	if err != nil {
		return false, err
	}
	defer s.alloc.Resolve(g.ID)
	if g.Volume.Scheme.N() <= from.Scheme.N() {
		return false, nil
	}
	old := shard.ExtentID{Volume: from.ID, Seq: it.Seq}
	e := it.Extent
	to, err := s.engine.Reencode(ctx, wholeExtent(old, from, e), g.ID, g.Volume)
	if err != nil {
		return false, err // It has deleted what it wrote.
	}
	if !to.Quorum() {
		s.engine.Remove(ctx, g.ID, g.Volume)
		return false, nil
	}
	if err := sameSums(e, to); err != nil {
		s.engine.Remove(ctx, g.ID, g.Volume)
		return false, err
	}
	refusal, err := s.replaceExtent(ctx, &metapb.ReplaceExtent{OldVolume: uint32(old.Volume), OldSeq: old.Seq,
		Extent: newExtent(g, movedRecord(e, to))})
	if err != nil || refusal == metapb.Refusal_REFUSAL_NONE {
		return err == nil, err
	}
	s.engine.Remove(ctx, g.ID, g.Volume)
	switch refusal {
	case metapb.Refusal_REFUSAL_EXTENT_GONE:
		return true, nil // Deleted meanwhile: nothing narrow is left.
	case metapb.Refusal_REFUSAL_LEASE_GONE:
		s.alloc.LeaseGone(g.ID) // Or the next try would be refused as well.
	}
	return false, refused(refusal, "")
}

// kindOf returns for which kind of data the drives of a volume are.
func (s *Service) kindOf(ctx context.Context, v *shard.Volume) (alloc.Placement, error) {
	t, err := s.topology.Topology(ctx)
	if err != nil {
		return alloc.Standard, err
	}
	if t.View.AnyCold(v.Slots) {
		return alloc.Cold, nil
	}
	return alloc.Standard, nil
}

// movedRecord returns the record of an extent that was re-encoded.
func movedRecord(e *metapb.Extent, to stripe.Written) *metapb.Extent {
	moved := meta.ExtentOf(to.Geometry)
	moved.SealId, moved.Missing = e.SealId, uint32(to.Missing())
	moved.Crc64, moved.Crc32, moved.Crc32C, moved.HasCrcs = e.Crc64, e.Crc32, e.Crc32C, e.HasCrcs
	return moved
}

// replaceExtent puts an extent in another's place; one command does a bounded
// number of parts. A refusal says that it did not, not even for one part: where the
// old extent goes away between two commands, the parts before it have the new one.
func (s *Service) replaceExtent(ctx context.Context, cmd *metapb.ReplaceExtent) (metapb.Refusal, error) {
	for first := true; ; first = false {
		r, err := s.meta.Propose(ctx, &metapb.Command{Op: &metapb.Command_ReplaceExtent{ReplaceExtent: cmd}})
		switch {
		case err != nil:
			return metapb.Refusal_REFUSAL_NONE, err
		case r.Refusal != metapb.Refusal_REFUSAL_NONE && first:
			return r.Refusal, nil
		case r.Refusal != metapb.Refusal_REFUSAL_NONE || !r.More:
			return metapb.Refusal_REFUSAL_NONE, nil
		}
	}
}

// widenBufferBytes is what one re-encoding holds: a window read and one written.
const widenBufferBytes = 2 * stripe.WindowStripes * shard.MaxShards * shard.UnitBytes / 2
