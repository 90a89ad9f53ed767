package upkeep

import (
	"context"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta/metapb"
)

// usedStep is the share of its capacity by which a drive must have become fuller or emptier before
// that is told again. Balancing does not need it more exactly.
const usedStep = 1.0 / 64

// reporter tells the cluster when the condition of a drive of this node has changed.
type reporter struct {
	u    *Upkeep
	told map[cluster.DriveID]*metapb.ReportDrive
}

func newReporter(u *Upkeep) *reporter {
	return &reporter{u: u, told: map[cluster.DriveID]*metapb.ReportDrive{}}
}

func (r *reporter) run(ctx context.Context) error {
	topo, err := r.u.c.Metadata.Topology(ctx)
	if err != nil {
		return err
	}
	for _, d := range r.u.c.Drives {
		rec := topo.View.Drive(d.ID())
		if rec == nil {
			continue // The drive was removed from the cluster.
		}
		now := r.look(d)
		told := r.told[d.ID()]
		stale := rec.Full != now.Full || rec.Slow != now.Slow || now.Failed && rec.State != cluster.Failed
		if told != nil && !stale && !filled(told, now) {
			continue
		}
		if _, err := r.u.c.Metadata.Propose(ctx, &metapb.Command{Op: &metapb.Command_ReportDrive{ReportDrive: now}}); err != nil {
			return err
		}
		r.told[d.ID()] = now
		changed := told.GetFailed() != now.Failed || told.GetFull() != now.Full || told.GetSlow() != now.Slow
		if changed {
			r.u.c.Events.DriveTold(d.ID(), now.Failed, now.Full, now.Slow)
		}
	}
	return nil
}

// look returns the present condition of a drive.
func (r *reporter) look(d Drive) *metapb.ReportDrive {
	u := d.Usage()
	is := func(f func(cluster.DriveID) bool) bool { return f != nil && f(d.ID()) }
	return &metapb.ReportDrive{Drive: uint64(d.ID()), Failed: d.Failed() != nil, Full: is(r.u.c.Full), Slow: is(r.u.c.Slow),
		UsedBytes: uint64(u.UsedBytes), FreeBytes: uint64(max(0, u.FreeBytes)), CapacityBytes: uint64(u.CapacityBytes)}
}

// filled reports whether a drive has become fuller or emptier by usedStep since it was told.
func filled(told, now *metapb.ReportDrive) bool {
	differs := func(a, b uint64) bool { return max(a, b)-min(a, b) > uint64(usedStep*float64(now.CapacityBytes)) }
	return differs(told.UsedBytes, now.UsedBytes) || differs(told.FreeBytes, now.FreeBytes)
}
