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

		err := c.readTopology(ctx)

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

// readTopology reads the view where there is a newer one. One caller at a time calls it.
func (c *Client) readTopology(ctx context.Context) error {
	const op = "group.Topology"
	var have uint64
	old := c.topology.current.Load()
	if old != nil {
		have = old.View.Epoch
	}
	a, err := c.Read(ctx, &metapb.Query{Op: &metapb.Query_View{View: &metapb.GetView{HaveEpoch: have}}})
	switch {
	case err != nil:
		return err
	case a.View == nil || a.View.Epoch == 0 && a.View.ClusterId == "":
		if old == nil {
			return errs.Newf(op, errs.Unavailable, "the cluster has not been formed yet")
		}
		return nil // There is none newer than the one that is held.
	}
	if old == nil || a.View.Epoch > have {
		c.topology.current.Store(meta.NewTopology(a.View))
	}
	return nil
}
