package upkeep

import (
	"context"
	"errors"
	"fmt"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/drive"
)

// adopter brings shards that lie on this node's drives to the drives that should have them and
// lack them. There are such shards where a node comes back after its slots were given to others,
// and where metadata were restored that know an older place of a slot. Under which epoch of the
// volume a shard was written does not matter: it is adopted if every checksum is right and its
// header is that of the extent. An extent is never written twice, so such a shard is the right
// one.
type adopter struct {
	u          *Upkeep
	reconciled map[cluster.DriveID]uint64 // The era in which this process has compared each drive.
}

func newAdopter(u *Upkeep) *adopter {
	return &adopter{u: u, reconciled: map[cluster.DriveID]uint64{}}
}

// run brings what others lack of the volumes whose slots were taken from a drive of this node.
// After metadata were restored, it compares all volumes first (reconcile).
func (a *adopter) run(ctx context.Context) error {
	topo, err := a.u.c.Metadata.Topology(ctx)
	if err != nil {
		return err
	}
	if topo.OrphansHeld {
		return a.reconcile(ctx, topo)
	}
	stats, err := a.u.volumeStats(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, id := range sortedVolumes(topo) {
		for _, f := range topo.Volumes[id].Formers {
			missing := stats[id].GetMissingSlots()
			d := a.u.own(f.Drive)
			if d == nil || d.Failed() != nil || f.Slot >= len(missing) || missing[f.Slot] == 0 {
				continue
			}
			if err := a.u.adoptVolume(ctx, d, id); err != nil {
				failed = append(failed, fmt.Errorf("volume %d: %w", id, err))
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return errors.Join(failed...)
}

// reconcile compares this node's drives with metadata that were restored. First it records as
// missing what should be there and is not. When that is known of all drives of the cluster, each
// node brings what others lack. Until then no shard is deleted as an orphan.
func (a *adopter) reconcile(ctx context.Context, topo *meta.Topology) error {
	var fresh []Drive
	for _, d := range a.u.c.Drives {
		if a.reconciled[d.ID()] != topo.Era && d.Failed() == nil {
			fresh = append(fresh, d)
		}
	}
	if len(fresh) > 0 {
		if err := a.u.inventory(ctx); err != nil {
			return err
		}
	}
	for _, d := range fresh {
		if d.Failed() != nil {
			continue
		}
		cmd := &metapb.DriveReconciled{Drive: uint64(d.ID()), Era: topo.Era}
		r, err := a.u.c.Metadata.Propose(ctx, &metapb.Command{Op: &metapb.Command_DriveReconciled{DriveReconciled: cmd}})
		if err != nil {
			return err
		}
		if r.Refusal == metapb.Refusal_REFUSAL_NONE {
			a.reconciled[d.ID()] = topo.Era
		}
	}
	stats, err := a.u.volumeStats(ctx)
	if err != nil {
		return err
	}
	for _, s := range stats {
		if len(s.Missing) > 0 {
			return a.u.sweepOrphans(ctx)
		}
	}
	return nil
}

// adoptVolume brings the shards of a volume that a drive has and others lack.
func (u *Upkeep) adoptVolume(ctx context.Context, d Drive, volume shard.VolumeID) error {
	var failed []error
	for after := (shard.ID{Extent: shard.ExtentID{Volume: volume}}); ; {
		page, err := d.List(ctx, after, pageItems)
		if err != nil {
			return err
		}
		for i, e := range page {
			if e.ID.Extent.Volume != volume {
				page = page[:i]
				break
			}
		}
		if len(page) == 0 {
			return errors.Join(failed...)
		}
		after = page[len(page)-1].ID
		qctx, cancel := context.WithTimeout(ctx, pageTimeout)
		known, err := u.known(qctx, d, page)
		cancel()
		if err != nil {
			return err
		}
		var wanted []drive.Entry
		for i := range known.Wanted {
			if known.Wanted[i] {
				wanted = append(wanted, page[i])
			}
		}
		bad, err := u.adopt(ctx, d, wanted)
		if err != nil {
			return err
		}
		failed = append(failed, bad...)
	}
}

// adopt brings shards of a drive to the drives that have their slots. One that cannot be brought
// now does not hold up the others, of later pages neither, and is tried again in a later round: bad
// says why. err says why none can be brought.
func (u *Upkeep) adopt(ctx context.Context, d Drive, wanted []drive.Entry) (bad []error, err error) {
	if len(wanted) == 0 || u.track.of(jobAdopt).isPaused() {
		return nil, nil
	}
	topo, err := u.c.Metadata.Topology(ctx)
	if err != nil {
		return nil, err
	}
	q := &metapb.GetExtents{}
	for _, e := range wanted {
		q.Extents = append(q.Extents, &metapb.ExtentRef{Volume: uint32(e.ID.Extent.Volume), Seq: e.ID.Extent.Seq})
	}
	a, err := u.c.Metadata.Read(ctx, &metapb.Query{Op: &metapb.Query_Extents{Extents: q}})
	if err != nil {
		return nil, err
	}
	if len(a.GetExtents().GetExtents()) != len(wanted) {
		return nil, errs.Newf("upkeep.adopt", errs.Internal, "asked about %d extents, got %d answers", len(wanted), len(a.GetExtents().GetExtents()))
	}
	for i, e := range wanted {
		v, rec := topo.Volumes[e.ID.Extent.Volume], a.Extents.Extents[i].Extent
		if v == nil || rec == nil || !u.reachable(v, topo, shard.SlotSet(rec.Missing)).Has(int(e.ID.Slot)) {
			continue // The extent is gone, or its volume.
		}
		if err := u.adoptShard(ctx, d, e, v, rec); err != nil && !unavailable(err) {
			bad = append(bad, fmt.Errorf("shard %s: %w", e.ID, err))
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	return bad, nil
}

// jobAdopt is the job that brings shards to where they are missing.
const jobAdopt = "adopt"

// adoptShard verifies a shard, copies it to the drive of its slot and records that it is not
// missing any more.
func (u *Upkeep) adoptShard(ctx context.Context, d Drive, e drive.Entry, v *shard.Volume, rec *metapb.Extent) error {
	h := meta.Geometry(v, rec).Header(e.ID, e.Header.Epoch)
	if h != e.Header {
		return errs.Newf("upkeep.adopt", errs.Corrupt, "its header is not that of the extent: %+v, not %+v", e.Header, h)
	}
	if err := d.Verify(ctx, e.ID); errs.Is(err, errs.Corrupt) || errs.Is(err, errs.NotFound) {
		return nil // The drive has told that the shard is bad. Another may have a good one.
	} else if err != nil {
		return err
	}
	if err := u.repairPace.wait(ctx, h.FramedBytes()); err != nil {
		return err
	}
	from, err := u.c.Stores(d.ID())
	if err != nil {
		return err
	}
	to, err := u.c.Stores(v.Slots[e.ID.Slot])
	if err != nil {
		return err
	}
	h.Epoch = v.Epoch
	if err := copyShard(ctx, from, to, e.ID, h); err != nil {
		return err
	}
	set := shard.SlotSet(0).With(int(e.ID.Slot))
	u.c.Events.Adopted(e.ID)
	rctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	_, err = u.c.Metadata.Propose(rctx, &metapb.Command{Op: &metapb.Command_SetMissing{SetMissing: &metapb.SetMissing{
		Remove: []*metapb.ExtentSlots{{Volume: uint32(v.ID), Seq: e.ID.Extent.Seq, Slots: uint32(set), Epoch: v.Epoch}}}}})
	return err
}
