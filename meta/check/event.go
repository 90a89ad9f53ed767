package check

import (
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// keepEvent counts an event that waits for a target.
func (c *checker) keepEvent(k keys.Key, e *metapb.Event) {
	c.events[k.Name]++
	c.newestEvent = max(c.newestEvent, k.Index)
	if e.Kind == metapb.EventKind_EVENT_NONE {
		c.wrong("the event %d %d says nothing", k.Index, k.Part)
	}
}

// checkEvents proves I12. A queue has a record as long as events wait in it or were lost.
func (c *checker) checkEvents() {
	for target, q := range c.queues {
		if q.Target != target || q.Length != c.events[target] || q.Length == 0 && q.Dropped == 0 {
			c.wrong("the queue of target %q says %d events wait, a recount gives %d", target, q.Length, c.events[target])
		}
	}
	for target := range c.events {
		if c.queues[target] == nil {
			c.wrong("events wait for target %q, which has no queue", target)
		}
	}
	if c.newestEvent > record.Position(c.applied) {
		c.wrong("an event is of position %d, which no command has reached", c.newestEvent)
	}
}
