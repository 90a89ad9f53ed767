package observe

import (
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster/listen"
)

// sayEvery is the least time between two log lines about the same trouble of a listener: strangers
// must not fill the log.
const sayEvery = time.Minute

// Connections returns the events of a listener. Each is counted; they are logged at most every
// sayEvery.
func (o *Observer) Connections(listener string) listen.Events {
	full, failed := &seldom{}, &seldom{}
	return listen.Events{
		Refused: func(reason listen.Reason, from net.Addr) {
			o.m.refusedConns.WithLabelValues(listener, string(reason)).Inc()
			if more, say := full.now(); say {
				o.Log.Warn("connections refused: there are too many", "listener", listener, "reason", string(reason), "from", from.String(), slog.Int("more", more))
			}
		},
		AcceptFailed: func(err error) {
			o.m.acceptErrors.WithLabelValues(listener).Inc()
			if more, say := failed.now(); say {
				o.Log.Warn("no connection can be accepted; is the limit of open files too low?", "listener", listener, "cause", err, slog.Int("more", more))
			}
		},
	}
}

// seldom decides which occurrences of something are logged.
type seldom struct {
	mu   sync.Mutex
	last time.Time
	held int // How many were not logged since last.
}

// now reports whether to log what happens now, and how often it was not logged before.
func (s *seldom) now() (held int, say bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := time.Now(); s.last.IsZero() || t.Sub(s.last) >= sayEvery {
		held, s.held, s.last = s.held, 0, t
		return held, true
	}
	s.held++
	return 0, false
}
