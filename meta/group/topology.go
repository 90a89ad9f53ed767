package group

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
)

// topologyCache is the newest topology read, and the newest epoch heard of.
type topologyCache struct {
	current atomic.Pointer[meta.Topology]
	newest  atomic.Uint64

	mu      sync.Mutex
	reading chan struct{} // Closed when the reading in progress ends; nil: none is.
}

// saw notes the epoch that an answer carried.
func (t *topologyCache) saw(epoch uint64) {
	for {
		have := t.newest.Load()
		if epoch <= have || t.newest.CompareAndSwap(have, epoch) {
			return
		}
	}
}

// fresh returns the topology where it is of the epoch or later.
func (t *topologyCache) fresh(epoch uint64) *meta.Topology {
	if top := t.current.Load(); top != nil && top.View.Epoch >= epoch {
		return top
	}
	return nil
}

// Topology returns the newest topology that this client has heard of. Every answer
// tells whether there is a newer one. Errors: Unavailable.
func (c *Client) Topology(ctx context.Context) (*meta.Topology, error) {
	return c.TopologyAtLeast(ctx, c.topology.newest.Load())
}

// TopologyAtLeast returns a topology of the given epoch or a later one. Errors:
// Unavailable, also when there is no such epoch yet.
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

// LastTopology returns the topology that was read last; nil before the first.
func (c *Client) LastTopology() *meta.Topology { return c.topology.current.Load() }

// readTopology reads the view where there is a newer one. Only one reader at a time
// comes here.
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
		return nil // Still current.
	}
	if old == nil || a.View.Epoch > have {
		c.topology.current.Store(meta.NewTopology(a.View))
	}
	return nil
}
