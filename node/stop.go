package node

import (
	"context"
	"time"
)

// drainClients says no at /readyz from now on, and serves on for a while, so that load
// balancers send no more before the listeners close. A node that never was ready, or has
// failed, has nobody to wait for.
func (n *Node) drainClients(ctx context.Context) {
	wasReady := n.ready.Load()
	n.stopping.Store(true)
	n.obs.Stopping()
	if !wasReady || n.Err() != nil || n.cfg.ShutdownDelay == 0 {
		n.ready.Store(false)
		return
	}
	t := time.NewTimer(n.cfg.ShutdownDelay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-n.failed:
	}
	n.ready.Store(false)
}
