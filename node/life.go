package node

import (
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/shard/drive"
)

// lifeFlags registers the settings about what becomes of nodes, drives and slots.
func (c *Config) lifeFlags(fs *pflag.FlagSet) {
	c.MoveRate, c.RepairRate = 256<<20, 256<<20
	fs.DurationVar(&c.LostAfter, "lost-after", 15*time.Minute, "a node that is down for this long without a break is declared lost, and what it held is rebuilt elsewhere (0: only by an operator)")
	fs.Var(&c.MoveRate, "move-rate", "bytes a second that draining and rebalancing bring to this node at most; less while clients are busy (0: no limit)")
	fs.Var(&c.RepairRate, "repair-rate", "bytes a second that this node rebuilds at most; less while clients are busy (0: no limit)")
}

func (c *Config) validateLife() error {
	switch {
	case c.LostAfter < 0:
		return settingError("lost-after", "%s is negative", c.LostAfter)
	case c.MoveRate < 0:
		return settingError("move-rate", "%s is negative", c.MoveRate)
	case c.RepairRate < 0:
		return settingError("repair-rate", "%s is negative", c.RepairRate)
	}
	return nil
}

// When a drive begins to count as full or slow, and when it ceases to. The two are far enough apart
// that a drive does not change all the time.
const (
	fullMargin    = 8                      // Full: it has less than its reserve and an eighth of it.
	freeMargin    = 2                      // No longer full: it has more than its reserve and half of it.
	slowSync      = time.Second            // Slow: its syncs take longer than this on average.
	quickSync     = 250 * time.Millisecond // No longer slow: they take less than this.
	syncWeight    = 0.1                    // The weight of the newest sync in the mean.
	slowForgotten = time.Minute            // A drive without a sync for so long is not slow.
)

// driveHealth watches the drives of this node. It is safe for concurrent use.
type driveHealth struct {
	reserve int64

	mu     sync.Mutex
	drives map[cluster.DriveID]*health
}

type health struct {
	d          interface{ Usage() drive.Usage }
	sync       *syncPace
	full, slow bool
}

// syncPace is the mean duration of a drive's syncs.
type syncPace struct {
	mu   sync.Mutex
	mean time.Duration
	last time.Time
}

func (s *syncPace) add(took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mean += time.Duration(syncWeight * float64(took-s.mean))
	s.last = time.Now()
}

// now returns the mean, or 0 if there was no sync for long.
func (s *syncPace) now() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.last) > slowForgotten {
		return 0
	}
	return s.mean
}

func newDriveHealth(reserve int64) *driveHealth {
	return &driveHealth{reserve: reserve, drives: map[cluster.DriveID]*health{}}
}

// events returns the events of a drive with its syncs watched.
func (s *syncPace) events(e drive.Events) drive.Events {
	told := e.SyncDone
	e.SyncDone = func(took time.Duration, waiters int) {
		s.add(took)
		if told != nil {
			told(took, waiters)
		}
	}
	return e
}

func (h *driveHealth) watch(d *drive.Drive, s *syncPace) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drives[d.ID()] = &health{d: d, sync: s}
}

// full reports whether a drive is to get no more new extents.
func (h *driveHealth) full(id cluster.DriveID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.drives[id]
	margin := h.reserve / fullMargin
	if s.full {
		margin = h.reserve / freeMargin
	}
	s.full = s.d.Usage().FreeBytes < h.reserve+margin
	return s.full
}

// slow reports whether a drive is to be avoided where others can be used.
func (h *driveHealth) slow(id cluster.DriveID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.drives[id]
	bound := slowSync
	if s.slow {
		bound = quickSync
	}
	s.slow = s.sync.now() > bound
	return s.slow
}
