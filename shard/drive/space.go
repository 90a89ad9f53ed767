package drive

import (
	"errors"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	spaceMaxAge   = time.Second // Ask the file system anew after so long,
	spaceMaxDrift = 64 << 20    // or after so many bytes were reserved since.
)

// space knows how much room the file system has. The figures are of the last
// time it was asked, less what has been reserved since.
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

// take reports whether n bytes can be used without touching the reserve, and
// counts them.
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

// sawFull makes the next question go to the file system.
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

// refreshLocked keeps the old figures where the file system does not answer: a
// write will tell.
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
