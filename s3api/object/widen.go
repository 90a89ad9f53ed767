package object

import (
	"context"

	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/alloc"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/proof"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/stripe"
)

// Widen re-encodes an extent that lies in a volume of a narrow scheme to a volume of the widest
// scheme that the living domains allow, and puts it in place of the old one in every part that
// refers to that. Packages stay as they are, so no key is needed. It returns true if it has done so
// or the old extent is gone, and false if nothing wider can be had now.
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
		return false, err // Reencode has deleted what it wrote.
	}
	if !to.Quorum() {
		s.engine.Remove(ctx, g.ID, g.Volume)
		return false, nil
	}
	if err := proof.SameExtent(e, to); err != nil {
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
		return true, nil // It was deleted meanwhile, so nothing narrow is left.
	case metapb.Refusal_REFUSAL_LEASE_GONE:
		s.alloc.LeaseGone(g.ID) // Otherwise the next try would use the same lease.
	}
	return false, refused(refusal, "")
}

// kindOf returns the placement that the drives of a volume are for.
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

// movedRecord returns the record of what an extent was re-encoded to: its plaintext is the same,
// and its shards are not.
func movedRecord(e *metapb.Extent, to stripe.Written) *metapb.Extent {
	moved := meta.ExtentOf(to.Geometry)
	moved.SealId, moved.Missing = e.SealId, uint32(to.Missing())
	moved.Crc64, moved.Crc32, moved.Crc32C, moved.HasCrcs = e.Crc64, e.Crc32, e.Crc32C, e.HasCrcs
	return moved
}

// replaceExtent puts an extent in place of another one. One command changes a bounded number of
// parts, so there may be several. A refusal says that not even one part was changed. If the old
// extent goes away between two commands, the parts that were changed before keep the new one.
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

// widenBufferBytes is what one re-encoding holds in buffers: a window that is read, and one that is
// written.
const widenBufferBytes = 2 * stripe.WindowStripes * shard.MaxShards * shard.UnitBytes / 2
