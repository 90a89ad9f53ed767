// Package trace shows requests while they are answered. Each node has a Hub. An event that is
// published there reaches everybody who watches and whose filter it fits.
//
// If nobody watches, publishing costs one atomic load, because callers ask Wants before they make
// an event. A watcher that is too slow loses events and learns how many. Nobody waits for it.
package trace

import (
	"sync"
	"sync/atomic"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// Limits of a hub.
const (
	bufferEvents = 1024 // That wait for one watcher.
	maxWatchers  = 64
)

// Kinds of requests.
const (
	KindS3       = "s3"
	KindSTS      = "sts"
	KindAdmin    = "admin"
	KindInternal = "internal"
)

// Hub passes events to watchers. The zero Hub has none. It is safe for concurrent use.
type Hub struct {
	watched  atomic.Int32 // How many watchers there are.
	internal atomic.Int32 // How many of them want requests between nodes.

	mu       sync.RWMutex
	watchers map[*Watcher]struct{}
}

// Watcher receives events of a hub until Close.
type Watcher struct {
	hub     *Hub
	filter  *Filter
	events  chan *adminpb.TraceEvent
	dropped atomic.Uint64
}

// Wants reports whether anybody watches requests: those of clients or, if internal, those between
// nodes.
func (h *Hub) Wants(internal bool) bool {
	if internal {
		return h.internal.Load() > 0
	}
	return h.watched.Load() > 0
}

// Publish passes an event to everybody whose filter it fits. It never blocks. Nobody may change the
// event afterwards.
func (h *Hub) Publish(e *adminpb.TraceEvent) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for w := range h.watchers {
		if !w.filter.Fits(e) {
			continue
		}
		select {
		case w.events <- e:
		default:
			w.dropped.Add(1)
		}
	}
}

// Watch returns a new watcher, which the caller must close; nil if there are too many.
func (h *Hub) Watch(f *Filter) *Watcher {
	w := &Watcher{hub: h, filter: f, events: make(chan *adminpb.TraceEvent, bufferEvents)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.watchers) >= maxWatchers {
		return nil
	}
	if h.watchers == nil {
		h.watchers = map[*Watcher]struct{}{}
	}
	h.watchers[w] = struct{}{}
	h.watched.Add(1)
	if f.internal {
		h.internal.Add(1)
	}
	return w
}

// Events returns the channel of events, which come in the order in which they were published.
func (w *Watcher) Events() <-chan *adminpb.TraceEvent { return w.events }

// Dropped returns how many events were lost since the last call.
func (w *Watcher) Dropped() uint64 { return w.dropped.Swap(0) }

// Close ends the watching. It may be called more than once.
func (w *Watcher) Close() {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	if _, ok := w.hub.watchers[w]; !ok {
		return
	}
	delete(w.hub.watchers, w)
	w.hub.watched.Add(-1)
	if w.filter.internal {
		w.hub.internal.Add(-1)
	}
}
