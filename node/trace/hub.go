// Package trace shows requests while they are answered. A Hub is a node's: what is
// published there reaches everyone who watches and whose filter it fits.
//
// Where nobody watches, publishing costs one atomic load: callers ask Wants before
// they make an event. Who watches too slowly loses events, and is told how many;
// nobody else waits for it.
package trace

import (
	"sync"
	"sync/atomic"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// Limits of a hub.
const (
	bufferEvents = 1024 // Of one watcher.
	maxWatchers  = 64
)

// Kinds of requests.
const (
	KindS3       = "s3"
	KindSTS      = "sts"
	KindAdmin    = "admin"
	KindInternal = "internal"
)

// Hub hands events to watchers. The zero Hub has none. Safe for concurrent use.
type Hub struct {
	watched  atomic.Int32 // Watchers.
	internal atomic.Int32 // Those that want requests between nodes.

	mu       sync.RWMutex
	watchers map[*Watcher]struct{}
}

// Watcher is who watches a hub, until Close.
type Watcher struct {
	hub     *Hub
	filter  *Filter
	events  chan *adminpb.TraceEvent
	dropped atomic.Uint64
}

// Wants reports whether anybody watches requests: of clients, or between nodes.
func (h *Hub) Wants(internal bool) bool {
	if internal {
		return h.internal.Load() > 0
	}
	return h.watched.Load() > 0
}

// Publish hands an event to those whose filter it fits. It never blocks. The event
// must not be changed any more.
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

// Watch returns a new watcher; nil where there are too many.
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

// Events returns the events, in the order in which they were published.
func (w *Watcher) Events() <-chan *adminpb.TraceEvent { return w.events }

// Dropped returns how many events were lost since it was last asked.
func (w *Watcher) Dropped() uint64 { return w.dropped.Swap(0) }

// Close ends the watching.
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
