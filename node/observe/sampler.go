package observe

import (
	"sync"
	"time"
)

// How many log lines strangers may cause: at once, and each second.
const (
	strangerBurst = 50
	strangerRate  = 2
)

// sampler lets burst lines through at once and rate lines each second, and counts the others. It is
// safe for concurrent use.
type sampler struct {
	burst, rate float64

	mu         sync.Mutex
	left       float64
	last       time.Time
	suppressed uint64
}

// take reports whether a line may be written now, and how many were suppressed since the last one.
func (s *sampler) take(now time.Time) (ok bool, suppressed uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last.IsZero() {
		s.left = s.burst
	} else {
		s.left = min(s.burst, s.left+s.rate*now.Sub(s.last).Seconds())
	}
	s.last = now
	if s.left < 1 {
		s.suppressed++
		return false, 0
	}
	s.left--
	suppressed, s.suppressed = s.suppressed, 0
	return true, suppressed
}
