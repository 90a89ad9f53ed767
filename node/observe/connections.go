package observe

import (
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster/listen"
)

// sayEvery is how often at most the same trouble of a listener is logged: strangers must
// not fill the log.
const sayEvery = time.Minute

// Connections returns the events of a listener: counted each, and logged once in a while.
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

// seldom lets through one of what happens again and again.
type seldom struct {
	mu   sync.Mutex
	last time.Time
	held int
}

// now reports whether to say what happens now, and how often it was not said.
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
