package limit

import (
	"runtime/metrics"
	"time"
)

const (
	// contentionEvery is how often it is looked whether the processors are enough.
	contentionEvery = 100 * time.Millisecond
	// contentionHeld is how long they are thought not to be after that was last seen. A gate that holds
	// requests back ends what it looks at, so it would else open and close all the time.
	contentionHeld = 2 * time.Second
	// contentionWait is the wait of a goroutine for a processor that a tenth of them have or exceed when
	// the processors are not enough. Where they are, nearly all wait some microseconds.
	contentionWait = time.Millisecond

	waitsMetric = "/sched/latencies:seconds"
)

// contention tells whether requests wait for processors on this node. Requests that wait for their client or
// for a drive take nothing from others. The caller serializes the calls.
type contention struct {
	sample []metrics.Sample
	counts []uint64 // Of the histogram as it was last read.
	looked time.Time
	seen   time.Time // When they last were not enough; zero: never.
}

func newContention() *contention {
	return &contention{sample: []metrics.Sample{{Name: waitsMetric}}}
}

// there reports whether there is contention, or was a moment ago.
func (c *contention) there(now time.Time) bool {
	if now.Sub(c.looked) >= contentionEvery {
		c.looked = now
		metrics.Read(c.sample)
		if c.sample[0].Value.Kind() == metrics.KindFloat64Histogram {
			c.add(c.sample[0].Value.Float64Histogram(), now)
		}
	}
	return !c.seen.IsZero() && now.Sub(c.seen) < contentionHeld
}

// add looks at the waits since it looked last.
func (c *contention) add(h *metrics.Float64Histogram, now time.Time) {
	var all, long uint64
	for i, n := range h.Counts {
		if c.counts != nil {
			n -= c.counts[i]
		}
		all += n
		if h.Buckets[i] >= contentionWait.Seconds() { // The lower bound of the class.
			long += n
		}
	}
	first := c.counts == nil
	c.counts = append(c.counts[:0], h.Counts...)
	if !first && all > 0 && 10*long >= all {
		c.seen = now
	}
}
