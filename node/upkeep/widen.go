package upkeep

import (
	"context"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/place"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// widen re-encodes extents of volumes that were made while failure domains were missing. They come to
// lie in volumes of the widest scheme that the living domains allow.
func (u *Upkeep) widen(ctx context.Context) error {
	topo, err := u.c.Metadata.Topology(ctx)
	if err != nil {
		return err
	}
	standard := func(cold bool) shard.Scheme {
		return shard.DefaultScheme(place.Domains(topo.View, func(d cluster.DriveID) bool {
			n := topo.View.NodeOf(d)
			return n != nil && topo.View.Cold(d) == cold && topo.View.StateOf(d) == cluster.Active && u.c.Alive(n.ID)
		}))
	}
	for _, v := range topo.Volumes {
		if v.Scheme.N() >= standard(topo.View.AnyCold(v.Slots)).N() {
			continue // Only cold data may be coded wider still, which is no reason to move other data.
		}
		if err := u.widenVolume(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// widenVolume widens the extents of a volume. One that cannot be read does not hold up the others.
func (u *Upkeep) widenVolume(ctx context.Context, v *shard.Volume) error {
	var seq uint64
	var failed error
	for {
		a, err := u.c.Metadata.Read(ctx, &metapb.Query{Op: &metapb.Query_ListWork{ListWork: &metapb.ListWork{
			Kind: metapb.WorkKind_WORK_VOLUME, Volume: uint32(v.ID), AfterSeq: seq, Max: pageItems}}})
		if err != nil {
			return err
		}
		for _, it := range a.Work.Items {
			seq = it.Seq
			if it.Extent.GetGcIndex() != 0 {
				continue // The extent is garbage already.
			}
			wider, err := u.c.Extents.Widen(ctx, v, it)
			switch {
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case err != nil:
				failed = err
			case !wider:
				return failed // It is as wide as it can be, so domains are still missing.
			default:
				u.c.Events.Widened(shard.ExtentID{Volume: v.ID, Seq: it.Seq}, it.Extent.GetPlainBytes())
			}
		}
		if !a.Work.Truncated || len(a.Work.Items) == 0 {
			return failed
		}
	}
}
