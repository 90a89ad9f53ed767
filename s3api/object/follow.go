package object

import (
	"context"

	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/proof"
	"github.com/cairnstore/cairn/shard"
)

// follow re-encodes the extents whose slots have moved while they were written, from the shards
// that lie where the slots still are. What lies where a slot was does not count, and too few were
// left to acknowledge the extent. The part and the extents of st are changed in place to name the
// new ones.
func (st *stored) follow(ctx context.Context) error {
	t, err := st.s.freshTopology(ctx)
	if err != nil {
		return err
	}
	for i, n := range st.extents {
		v := t.Volumes[shard.VolumeID(n.Volume)]
		if v == nil || v.Epoch == n.VolumeEpoch {
			continue
		}
		for _, x := range st.grants {
			if x.grant.ID == (shard.ExtentID{Volume: v.ID, Seq: n.Seq}) {
				if err := st.rewrite(ctx, x, st.extents[i]); err != nil {
					return err
				}
				break
			}
		}
	}
	return nil
}

// rewrite re-encodes one extent, which n makes known, to another volume.
func (st *stored) rewrite(ctx context.Context, x *extentWrite, n *metapb.NewExtent) error {
	old, oldPending, e := x.grant, x.pending, n.Extent
	g, to, err := st.s.reencodeTo(ctx, st.at, wholeExtent(old.ID, old.Volume, e), old.Volume.ID)
	if err != nil {
		return err
	}
	if err := proof.SameExtent(e, to); err != nil {
		st.s.discard(ctx, g, nil)
		return err
	}
	st.s.events.Salvaged(old.ID, g.ID)
	x.grant, x.pending = g, nil
	n.Volume, n.Seq, n.VolumeEpoch, n.Extent = uint32(g.ID.Volume), g.ID.Seq, g.Volume.Epoch, movedRecord(e, to)
	for _, r := range st.part.Extents {
		if r.Volume == uint32(old.ID.Volume) && r.Seq == old.ID.Seq {
			r.Volume, r.Seq = uint32(g.ID.Volume), g.ID.Seq
		}
	}
	st.s.discard(ctx, old, oldPending)
	return nil
}

// freshTopology returns the topology of now, and not one that is remembered.
func (s *Service) freshTopology(ctx context.Context) (*meta.Topology, error) {
	t, err := s.topology.Topology(ctx)
	if err != nil {
		return nil, err
	}
	// The client of the metadata sees in the answer that the topology it remembers is old.
	if _, err := s.query(ctx, Request{}, &metapb.Query{Op: &metapb.Query_View{View: &metapb.GetView{HaveEpoch: t.View.Epoch}}}); err != nil {
		return nil, err
	}
	return s.topology.Topology(ctx)
}
