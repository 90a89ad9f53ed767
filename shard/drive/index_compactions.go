package drive

import (
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// compactions lets Pebble compact only after the drive is open. Before that, a damaged table would
// keep pebble.Open waiting for a compaction that fails for ever. It also saves the goroutine of
// Pebble's own scheduler.
type compactions struct {
	*pebble.ConcurrencyLimitScheduler
	allowed atomic.Bool
}

func newCompactions() *compactions {
	return &compactions{ConcurrencyLimitScheduler: pebble.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest()}
}

// allow lets compactions run from now on. One that waits runs at once: a grant that is given back
// makes the scheduler look for who is next.
func (c *compactions) allow() {
	c.allowed.Store(true)
	if ok, grant := c.TrySchedule(); ok {
		grant.Done()
	}
}

// TrySchedule implements pebble.CompactionScheduler.
func (c *compactions) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	if !c.allowed.Load() {
		return false, nil
	}
	return c.ConcurrencyLimitScheduler.TrySchedule()
}
