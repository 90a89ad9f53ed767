package admin

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/shard"
)

// Bounds of what StatObject asks of the drives.
const (
	shardTimeout = 2 * time.Second
	shardsAtOnce = 16
)

// The health of an extent. That of an object is the health of its worst extent.
const (
	healthInline     = "inline" // There are no extents: the bytes are in the metadata.
	healthWhole      = "whole"
	healthDegraded   = "degraded"
	healthUnreadable = "unreadable"
)

// The states of a shard.
const (
	shardPresent     = "present"
	shardMissing     = "missing"
	shardUnreachable = "unreachable"
)

func extentName(volume uint32, seq uint64) string {
	return shard.ExtentID{Volume: shard.VolumeID(volume), Seq: seq}.String()
}

// lookAtExtents adds the extents to which the parts refer, and asks the drives for each of their
// shards.
func (l *look) lookAtExtents(ctx context.Context) error {
	l.out.Health = healthInline
	slices.SortFunc(l.extents, func(a, b *metapb.ExtentRef) int {
		return cmp.Or(cmp.Compare(a.Volume, b.Volume), cmp.Compare(a.Seq, b.Seq))
	})
	if len(l.extents) > l.maxExtents {
		l.extents, l.out.Truncated = l.extents[:l.maxExtents], true
	}
	if len(l.extents) == 0 {
		return nil
	}
	a, err := l.ask(ctx, &metapb.Query{Op: &metapb.Query_Extents{Extents: &metapb.GetExtents{Extents: l.extents, MaxOwners: maxStatOwners}}})
	if err != nil {
		return err
	}
	topo, err := l.c.Metadata.TopologyAtLeast(ctx, a.ViewEpoch)
	if err != nil {
		return err
	}
	var asks []func()
	for _, info := range a.GetExtents().GetExtents() {
		st, each, err := l.extent(ctx, topo, info)
		if err != nil {
			return err
		}
		l.out.Extents = append(l.out.Extents, st)
		asks = append(asks, each...)
	}
	runAll(asks, shardsAtOnce)
	l.sum()
	for _, e := range l.out.Extents {
		if e.Health == healthUnreadable {
			e.BringBack = l.bringBack(topo, topo.Volumes[shard.VolumeID(e.Volume)], e)
		}
	}
	return ctx.Err()
}

// extent describes an extent. The functions in asks set the states of its shards; they may be
// called at the same time.
func (l *look) extent(ctx context.Context, topo *meta.Topology, info *metapb.ExtentInfo) (st *adminpb.ExtentStat, asks []func(), err error) {
	v, e := topo.Volumes[shard.VolumeID(info.Volume)], info.Extent
	if v == nil || e == nil { // The extent was deleted, or re-encoded into another volume.
		return nil, nil, l.changed()
	}
	id := shard.ExtentID{Volume: v.ID, Seq: info.Seq}
	g := meta.Geometry(v, e)
	st = &adminpb.ExtentStat{Id: id.String(), Volume: info.Volume, VolumeEpoch: v.Epoch, Scheme: v.Scheme.String(),
		PlainBytes: e.PlainBytes, ShardBytes: uint64(g.Header(shard.ID{Extent: id}, v.Epoch).FramedBytes()),
		Sealed: e.Overhead > 0, MoreOwners: info.MoreOwners, Owners: each(info.Owners, owner)}
	for slot, drive := range v.Slots {
		sh := &adminpb.ShardStat{Slot: uint32(slot), Kind: "data", Drive: drive.String(),
			Recorded: shard.SlotSet(e.Missing).Has(slot)}
		if slot >= int(v.Scheme.K) {
			sh.Kind = "parity"
		}
		if n := topo.View.NodeOf(drive); n != nil {
			sh.Node, sh.Zone = n.ID.String(), n.Zone
		}
		st.Shards = append(st.Shards, sh)
		asks = append(asks, func() { sh.State = l.shard(ctx, drive, shard.ID{Extent: id, Slot: uint8(slot)}, sh.Recorded) })
	}
	return st, asks, nil
}

// shard returns the state of a shard. If the metadata record it as missing, it is missing, whatever
// its drive has.
func (l *look) shard(ctx context.Context, drive cluster.DriveID, id shard.ID, recorded bool) string {
	if recorded {
		return shardMissing
	}
	store, err := l.c.Stores(drive)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, shardTimeout)
		defer cancel()
		_, err = store.Stat(ctx, id)
	}
	switch {
	case err == nil:
		return shardPresent
	case errs.Is(err, errs.NotFound), errs.Is(err, errs.Corrupt):
		return shardMissing
	}
	return shardUnreachable
}

// sum counts the shards, and sets the health of each extent and of the object.
func (l *look) sum() {
	for _, e := range l.out.Extents {
		present, least := 0, 0
		for _, sh := range e.Shards {
			if sh.Kind == "data" {
				least++
			}
			l.out.Shards++
			switch sh.State {
			case shardPresent:
				present++
				l.out.ShardsPresent++
			case shardMissing:
				l.out.ShardsMissing++
			default:
				l.out.ShardsUnreachable++
			}
		}
		switch {
		case present == len(e.Shards):
			e.Health = healthWhole
		case present >= least:
			e.Health = healthDegraded
		default:
			e.Health = healthUnreadable
		}
		l.out.Health = worse(l.out.Health, e.Health)
	}
}

func worse(a, b string) string {
	order := []string{healthInline, healthWhole, healthDegraded, healthUnreadable}
	return order[max(slices.Index(order, a), slices.Index(order, b))]
}

func owner(o *metapb.ExtentOwner) *adminpb.OwnerStat {
	out := &adminpb.OwnerStat{Kind: "part", Id: hex.EncodeToString(o.Id), Part: o.Number}
	if o.Kind == metapb.OwnerKind_OWNER_PIN {
		out.Kind, out.Part = "pin", 0
	}
	return out
}

// runAll runs functions, at most atOnce at the same time, and returns when all are done.
func runAll(fs []func(), atOnce int) {
	var wg sync.WaitGroup
	room := make(chan struct{}, atOnce)
	for _, f := range fs {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			f()
		})
	}
	wg.Wait()
}
