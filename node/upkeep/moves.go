package upkeep

import (
	"context"
	"errors"
	"fmt"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// steerMoves begins and cancels moves of slots, on the node that leads the metadata. The moves
// themselves are made by the nodes that get the slots (makeMoves).
func (u *Upkeep) steerMoves(ctx context.Context) error {
	topo, err := u.c.Metadata.Topology(ctx)
	if err != nil {
		return err
	}
	stats, err := u.volumeStats(ctx)
	if err != nil {
		return err
	}
	paused := func(job string) bool { return u.track.of(job).isPaused() }
	p := planMoves(topo, stats, u.c.Alive, paused)
	u.tellMoves(topo, p)
	u.c.Events.Tolerance(u.tolerances.Of(topo, stats, u.gone(topo)))
	for _, v := range p.cancel {
		cmd := &metapb.CancelMove{Volume: uint32(v.ID), Slot: uint32(v.Move.Slot), To: uint64(v.Move.To)}
		if _, err := u.c.Metadata.Propose(ctx, &metapb.Command{Op: &metapb.Command_CancelMove{CancelMove: cmd}}); err != nil {
			return err
		}
	}
	for _, s := range p.start {
		if err := u.startMove(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// gone returns a function that reports whether the data of a drive cannot be reached now.
func (u *Upkeep) gone(topo *meta.Topology) func(cluster.DriveID) bool {
	return func(d cluster.DriveID) bool {
		n := topo.View.NodeOf(d)
		return n == nil || topo.View.StateOf(d).Gone() || !u.c.Alive(n.ID)
	}
}

// startMove begins one move. A refusal is no error: the metadata have changed since the plan was
// made, and the next round plans anew.
func (u *Upkeep) startMove(ctx context.Context, s moveStart) error {
	cmd := &metapb.StartMove{Volume: uint32(s.volume.ID), Epoch: s.volume.Epoch, Slot: uint32(s.slot), To: uint64(s.to),
		Rebuild: s.reason == jobRebuild}
	r, err := u.c.Metadata.Propose(ctx, &metapb.Command{Op: &metapb.Command_StartMove{StartMove: cmd}})
	if err == nil && r.Refusal == metapb.Refusal_REFUSAL_NONE {
		u.c.Events.MoveStarted(s.volume.ID, s.slot, s.reason)
	}
	return err
}

// volumeStats reads what every volume holds and misses.
func (u *Upkeep) volumeStats(ctx context.Context) (map[shard.VolumeID]*metapb.VolumeStats, error) {
	a, err := u.c.Metadata.Read(ctx, &metapb.Query{Patient: true,
		Op: &metapb.Query_VolumeStats{VolumeStats: &metapb.ListVolumeStats{}}})
	if err != nil {
		return nil, err
	}
	stats := make(map[shard.VolumeID]*metapb.VolumeStats)
	for _, s := range a.VolumeStats.GetVolumes() {
		stats[shard.VolumeID(s.Volume)] = s.Stats
	}
	return stats, nil
}

// tellMoves reports how many slots are left of what moves are for.
func (u *Upkeep) tellMoves(topo *meta.Topology, p movePlan) {
	detail := func(what string, slots int) string {
		if p.noSpare > 0 {
			return fmt.Sprintf("%d slots of %s; no drive can take %d of them: add nodes or drives", slots, what, p.noSpare)
		}
		return fmt.Sprintf("%d slots of %s", slots, what)
	}
	lost := detail("lost drives", p.lost)
	if p.beyond > 0 {
		lost += fmt.Sprintf("; %d of them wait for drives to come back: more is lost than can be made anew", p.beyond)
	}
	u.track.of(jobRebuild).left(uint64(p.lost), p.lostBytes, lost)
	u.track.of(jobDrain).left(uint64(p.draining), p.drainingBytes, detail("draining drives", p.draining))
	u.track.of(jobRebalance).left(uint64(p.rebalancing), p.rebalancingBytes,
		fmt.Sprintf("%d slots on their way", p.rebalancing))
	u.c.Events.SlotsLeft(p.lost, p.draining, p.noSpare, p.beyond)
	u.tellDrained(topo)
}

// tellDrained tells, once, of each draining drive that holds nothing any more.
func (u *Upkeep) tellDrained(topo *meta.Topology) {
	held := map[cluster.DriveID]bool{}
	for _, v := range topo.Volumes {
		for _, d := range v.Slots {
			held[d] = true
		}
		if v.Move != nil {
			held[v.Move.To] = true
		}
	}
	for i := range topo.View.Nodes {
		for _, d := range topo.View.Nodes[i].Drives {
			empty := topo.View.StateOf(d.ID) == cluster.Draining && !held[d.ID]
			if empty && !u.drained[d.ID] {
				u.c.Events.Drained(topo.View.Nodes[i].ID, d.ID)
			}
			u.drained[d.ID] = empty
		}
	}
}

// makeMoves returns a job that makes moves to this node's drives: those of lost slots (rebuild), or
// those that copy. There are two jobs, since moves of lost slots are quick and must not wait for
// copies.
func (u *Upkeep) makeMoves(rebuild bool, t *tracker) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			topo, err := u.c.Metadata.Topology(ctx)
			if err != nil {
				return err
			}
			mine := u.movesHere(topo, rebuild)
			if len(mine) == 0 {
				t.finish()
				return nil
			}
			var failed []error
			for _, v := range mine {
				m := &mover{u: u, v: v, slot: v.Move.Slot, to: v.Move.To, track: t}
				if err := m.run(ctx); err != nil && !unavailable(err) {
					failed = append(failed, fmt.Errorf("slot %d of volume %d: %w", v.Move.Slot, v.ID, err))
				}
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
			}
			if len(failed) > 0 {
				return errors.Join(failed...)
			}
			if !pause(ctx, u.c.Interval/moveRests) {
				return context.Cause(ctx)
			}
		}
	}
}

// moveRests is how many times in an interval a node that has made moves looks for more.
const moveRests = 10

// movesHere returns, in order, the volumes with a move of the kind to a drive of this node.
func (u *Upkeep) movesHere(topo *meta.Topology, rebuild bool) (mine []*shard.Volume) {
	for _, id := range sortedVolumes(topo) {
		v := topo.Volumes[id]
		if v.Move != nil && v.Move.Rebuild == rebuild && u.own(v.Move.To) != nil {
			mine = append(mine, v)
		}
	}
	return mine
}

// own returns a drive of this node; nil where the drive is another node's.
func (u *Upkeep) own(id cluster.DriveID) Drive {
	for _, d := range u.c.Drives {
		if d.ID() == id {
			return d
		}
	}
	return nil
}
