package drive

import (
	"errors"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	spaceMaxAge   = time.Second // After so long the file system is asked anew.
	spaceMaxDrift = 64 << 20    // After so many reserved bytes it is asked anew, too.
)

// space knows how much room the file system has: what it said when it was last asked, less what has been
// reserved since. Safe for concurrent use.
type space struct {
	fs      vfs.FS
	dir     string
	reserve int64

	mu       sync.Mutex
	asked    time.Time
	capacity int64
	free     int64
	drift    int64 // Reserved since asked.
}

// take reports whether n bytes can be used without touching the reserve. If so, it counts them as used.
func (s *space) take(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refreshLocked()
	if s.free-s.drift-n < s.reserve {
		return false
	}
	s.drift += n
	return true
}

// sawFull is called when a write found the file system full. The next call asks the file system anew.
func (s *space) sawFull() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = time.Time{}
}

func (s *space) usage() (capacity, free int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refreshLocked()
	return s.capacity, max(0, s.free-s.drift)
}

// refreshLocked asks the file system if its figures are old. If it does not answer, the old figures
// stay: a write finds out whether there is room.
func (s *space) refreshLocked() {
	now := time.Now()
	if s.drift < spaceMaxDrift && !s.asked.IsZero() && now.Sub(s.asked) < spaceMaxAge {
		return
	}
	u, err := s.fs.GetDiskUsage(s.dir)
	switch {
	case err == nil:
		s.capacity, s.free = int64(u.TotalBytes), int64(u.AvailBytes)
	case errors.Is(err, vfs.ErrUnsupported) || s.capacity == 0:
		s.capacity, s.free = assumedCapacityBytes, assumedCapacityBytes
	}
	s.asked, s.drift = now, 0
}
