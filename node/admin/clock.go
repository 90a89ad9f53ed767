package admin

import (
	"context"
	"slices"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// RepairClock implements AdminService. It lowers the clock of the metadata to the time that provedTime
// returns, if it is ahead of that. All nodes must run this version, because a node of an earlier release
// does not know the command.
func (s *service) RepairClock(ctx context.Context, r *adminpb.RepairClockRequest) (*adminpb.ClockRepaired, error) {
	const op = "admin.RepairClock"
	p, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	for i := range p.topo.View.Nodes {
		if n := &p.topo.View.Nodes[i]; n.Version != s.c.Version {
			return nil, errs.Newf(op, errs.Precondition, "node %s runs version %s, this one %s: upgrade all nodes first", n.ID, n.Version, s.c.Version)
		}
	}
	proved, clocks, err := p.provedTime(time.Now())
	if err != nil {
		return nil, errs.Wrap(op, err)
	}
	out := &adminpb.ClockRepaired{Before: rfc3339(p.counts.ClockMs), After: rfc3339(min(p.counts.ClockMs, proved.UnixMilli())),
		Proved: rfc3339(proved.UnixMilli()), Clocks: clocks}
	if r.DryRun || p.counts.ClockMs <= proved.UnixMilli() {
		return out, nil
	}
	err = s.change(ctx, &metapb.Command{Op: &metapb.Command_LowerClock{LowerClock: &metapb.LowerClock{ToMs: proved.UnixMilli()}}})
	if err != nil {
		return nil, err
	}
	_, counts, err := s.topology(ctx)
	if err != nil {
		return nil, err
	}
	out.After = rfc3339(counts.ClockMs)
	return out, nil
}

// provedTime returns the latest time that the clocks of a majority of the voters have reached, and how
// many clocks it has read. Clocks that are fast cannot raise it unless they are a majority. Errors:
// Unavailable if fewer voters than a majority told their time.
func (p *picture) provedTime(now time.Time) (time.Time, uint32, error) {
	voters, counted := p.votes()
	var shown []time.Time
	for _, id := range counted {
		if r := p.reports[id]; r != nil && r.NodeReport != nil {
			shown = append(shown, now.Add(r.skew))
		}
	}
	majority := voters/2 + 1
	if len(shown) < majority {
		return time.Time{}, 0, errs.Newf("admin.RepairClock", errs.Unavailable, "%d of %d voters told their time, a majority is needed", len(shown), voters)
	}
	slices.SortFunc(shown, func(a, b time.Time) int { return b.Compare(a) })
	return shown[majority-1], uint32(len(shown)), nil
}

func rfc3339(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339)
}
