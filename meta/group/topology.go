package group

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
)

// topologyCache holds the newest topology that was read, and the newest epoch that an answer
// carried. Safe for concurrent use.
type topologyCache struct {
	current atomic.Pointer[meta.Topology]
	newest  atomic.Uint64

	mu      sync.Mutex
	reading chan struct{} // Closed when the one who reads is done; nil: nobody reads.
}

// saw notes the epoch that an answer carries.
func (t *topologyCache) saw(epoch uint64) {
	for {
		have := t.newest.Load()
		if epoch <= have || t.newest.CompareAndSwap(have, epoch) {
			return
		}
	}
}

// fresh returns the topology if it is of the epoch or a later one, else nil.
func (t *topologyCache) fresh(epoch uint64) *meta.Topology {
	if top := t.current.Load(); top != nil && top.View.Epoch >= epoch {
		return top
	}
	return nil
}

// Topology returns a topology at least as new as the newest that this client has heard of: every
// answer to a query carries the epoch. Errors: Unavailable.
func (c *Client) Topology(ctx context.Context) (*meta.Topology, error) {
	return c.TopologyAtLeast(ctx, c.topology.newest.Load())
}

// TopologyAtLeast returns a topology of the given epoch or a later one. It reads it where the
// client has none; one caller reads for all that wait. Errors: Unavailable, also where there is
// no such epoch yet.
func (c *Client) TopologyAtLeast(ctx context.Context, epoch uint64) (*meta.Topology, error) {
	const op = "group.Topology"
	for {
		if t := c.topology.fresh(epoch); t != nil {
			return t, nil
		}
		c.topology.mu.Lock()
		if wait := c.topology.reading; wait != nil {
			c.topology.mu.Unlock()
			select {
			case <-wait:
				continue
			case <-ctx.Done():
				return nil, errs.New(op, errs.Unavailable, context.Cause(ctx))
			}
		}
		done := make(chan struct{})
		c.topology.reading = done
		c.topology.mu.Unlock()

		err := c.readTopology(ctx, epoch)

		c.topology.mu.Lock()
		c.topology.reading = nil
		c.topology.mu.Unlock()
		close(done)
		if err != nil {
			return nil, err
		}
		if t := c.topology.fresh(epoch); t != nil {
			return t, nil
		}
		return nil, errs.Newf(op, errs.Unavailable, "the cluster has no view of epoch %d yet", epoch)
	}
}

// LastTopology returns the topology that was read last, however old it is; nil where none was.
func (c *Client) LastTopology() *meta.Topology { return c.topology.current.Load() }

// readTopology reads the view where there is a newer one, of which epoch is known to exist. One
// caller at a time calls it.
func (c *Client) readTopology(ctx context.Context, epoch uint64) error {
	const op = "group.Topology"
	q := &metapb.GetView{Differences: true}
	old := c.topology.current.Load()
	if old != nil {
		q.HaveEpoch, q.HaveEra = old.View.Epoch, old.Era
	}
	a, err := c.view(ctx, q, epoch)
	switch {
	case err != nil:
		return err
	case a == nil || a.Epoch == 0 && a.ClusterId == "":
		if old == nil {
			return errs.Newf(op, errs.Unavailable, "the cluster has not been formed yet")
		}
		return nil // There is none newer than the one that is held.
	case old == nil || a.Epoch > old.View.Epoch && a.Since == 0:
		c.topology.current.Store(meta.NewTopology(a))
	case a.Epoch > old.View.Epoch && a.Since == old.View.Epoch:
		c.topology.current.Store(old.Advanced(a))
	case a.Since != 0:
		return errs.Newf(op, errs.Internal, "the differences of the view since epoch %d were asked for, "+
			"and those since %d were answered", old.View.Epoch, a.Since)
	}
	return nil
}

// view answers a query for the view: from this node's own state where that has come as far as epoch,
// else from the leader. A view of an epoch, or a later one, is all that a caller wants, so a voter
// need not ask. But its own state counts only while it follows the leader that it would ask: after
// most voters were given up, one that is left has a state of another history.
func (c *Client) view(ctx context.Context, q *metapb.GetView, epoch uint64) (*metapb.ViewAnswer, error) {
	query := &metapb.Query{Op: &metapb.Query_View{View: q}}
	if g := c.cfg.Group; g != nil && epoch > q.HaveEpoch && g.Leader() != 0 {
		if a, err := g.fsm.state.query(query); err == nil && a.ViewEpoch >= epoch {
			return a.View, nil
		}
	}
	a, err := c.Read(ctx, query)
	return a.GetView(), err
}
