package upkeep

import (
	"context"
	"fmt"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta/metapb"
)

// watcher declares a node lost that has been down for Terms.LostAfter without a break, and takes
// that back when the node returns. It counts by this node's monotonic clock, from when it began
// to lead. So a new leader waits the whole time again, and a node that comes and goes is never
// lost.
type watcher struct {
	u     *Upkeep
	down  map[cluster.NodeID]time.Time // Since when a node has been seen down.
	held  map[cluster.NodeID]bool      // Events.LossHeld was told of it.
	found time.Time                    // When the last round was; see watchGap.
}

// watchGap is how many intervals may lie between two rounds. After a longer gap this node has not
// led all the time, and nobody has watched: all counting begins anew.
const watchGap = 10

func newWatcher(u *Upkeep) *watcher {
	return &watcher{u: u, down: map[cluster.NodeID]time.Time{}, held: map[cluster.NodeID]bool{}}
}

func (w *watcher) run(ctx context.Context) error {
	topo, err := w.u.c.Metadata.Topology(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	if now.Sub(w.found) > watchGap*w.u.c.Interval {
		clear(w.down)
	}
	w.found = now
	for i := range topo.View.Nodes {
		if err := w.look(ctx, topo.View, &topo.View.Nodes[i], now); err != nil {
			return err
		}
	}
	return nil
}

// look decides about one node. A loss that would leave half of the nodes or fewer is held back:
// see remaining.
func (w *watcher) look(ctx context.Context, v *cluster.View, n *cluster.Node, now time.Time) error {
	if w.u.c.Alive(n.ID) {
		delete(w.down, n.ID)
		delete(w.held, n.ID)
		if n.State != cluster.Lost {
			return nil
		}
		if err := w.set(ctx, n.ID, metapb.Life_LIFE_ACTIVE); err != nil {
			return err
		}
		w.u.c.Events.Returned(n.ID)
		return nil
	}
	since, known := w.down[n.ID]
	if !known {
		w.down[n.ID] = now
		return nil
	}
	if after := w.u.c.Terms().LostAfter; n.State == cluster.Lost || after <= 0 || now.Sub(since) < after {
		return nil
	}
	if left, all := w.remaining(v); 2*left <= all {
		if !w.held[n.ID] {
			w.held[n.ID] = true
			w.u.c.Events.LossHeld(n.ID, fmt.Sprintf("it has been down for %s, but only %d of %d nodes would be left: "+
				"bring nodes back, or remove it", now.Sub(since).Round(time.Second), left, all))
		}
		return nil
	}
	if err := w.set(ctx, n.ID, metapb.Life_LIFE_LOST); err != nil {
		return err
	}
	w.u.c.Events.Lost(n.ID)
	return nil
}

// remaining returns how many nodes are neither lost nor down, and how many there are in all. If
// half of a cluster seems to be lost, the network is more likely the cause, so nothing is declared
// lost then. Nodes that are down count as lost here, though they are not declared lost yet.
// Otherwise, when many go down together, the first ones would be declared lost before it showed how
// many they are.
func (w *watcher) remaining(v *cluster.View) (left, all int) {
	for i := range v.Nodes {
		if v.Nodes[i].State != cluster.Lost && w.u.c.Alive(v.Nodes[i].ID) {
			left++
		}
	}
	return left, len(v.Nodes)
}

func (w *watcher) set(ctx context.Context, n cluster.NodeID, l metapb.Life) error {
	_, err := w.u.c.Metadata.Propose(ctx, &metapb.Command{Op: &metapb.Command_SetNodeState{
		SetNodeState: &metapb.SetNodeState{Node: uint64(n), State: l}}})
	return err
}
