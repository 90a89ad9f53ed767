// Package history keeps what a node has done in the last hour, so that a picture of it needs no other
// program. A Ring holds one Sample for each step of ten seconds and forgets the oldest: about 60 KiB.
// Nothing is written anywhere, so a node that was started again begins anew.
//
// Steps end at multiples of Step of the node's clock. So the samples of nodes can be added up, as far
// as their clocks agree.
//
// A Ring is safe for concurrent use.
package history

import (
	"slices"
	"sync"
	"time"
)

const (
	// Step is what one sample covers.
	Step = 10 * time.Second
	// Kept is how many samples a ring has: those of an hour.
	Kept = int(time.Hour / Step)
)

// Counts is what was done: by a node since it was started, or in one step.
type Counts struct {
	Requests     uint64
	ClientErrors uint64
	ServerErrors uint64
	BytesIn      uint64
	BytesOut     uint64
	Seconds      float64  // All requests together.
	Latency      []uint64 // Requests in each class of latencies.
}

// Sample is what was done in one step.
type Sample struct {
	Time int64 // When the step ended, in seconds since 1970: a multiple of Step.
	Counts
	Nodes int // That it is the sum of.
}

// Ring has the last samples of one node.
type Ring struct {
	mu      sync.Mutex
	last    Counts
	noted   int64 // The end of the last step that was noted; 0: none was.
	samples []Sample
}

// End returns the end of the step that was over last at a time.
func End(at time.Time) int64 {
	step := int64(Step / time.Second)
	return at.Unix() / step * step
}

// Note takes what a node has done since it was started. What was done since the last Note belongs to the
// step that is over now. The first Note makes no sample, and neither does one in a step that has one.
func (r *Ring) Note(at time.Time, total Counts) {
	r.mu.Lock()
	defer r.mu.Unlock()
	end := End(at)
	if r.noted != 0 && end <= r.noted {
		return
	}
	if r.noted != 0 {
		if len(r.samples) == Kept {
			r.samples = slices.Delete(r.samples, 0, 1)
		}
		r.samples = append(r.samples, Sample{Time: end, Counts: total.less(&r.last), Nodes: 1})
	}
	r.noted, r.last = end, total
	r.last.Latency = slices.Clone(total.Latency)
}

// After returns the samples whose steps ended later than a time in seconds since 1970, oldest first. They
// share no memory with the ring.
func (r *Ring) After(at int64) []Sample {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Sample
	for _, s := range r.samples {
		if s.Time > at {
			s.Latency = slices.Clone(s.Latency)
			out = append(out, s)
		}
	}
	return out
}

// less returns what came since before. A counter that has become smaller has begun anew.
func (c *Counts) less(before *Counts) Counts {
	since := func(now, then uint64) uint64 {
		if now < then {
			return now
		}
		return now - then
	}
	d := Counts{Requests: since(c.Requests, before.Requests), ClientErrors: since(c.ClientErrors,
		before.ClientErrors),
		ServerErrors: since(c.ServerErrors, before.ServerErrors), BytesIn: since(c.BytesIn, before.BytesIn),
		BytesOut: since(c.BytesOut, before.BytesOut), Seconds: max(0, c.Seconds-before.Seconds),
		Latency: make([]uint64, len(c.Latency))}
	for i := range c.Latency {
		then := uint64(0)
		if i < len(before.Latency) {
			then = before.Latency[i]
		}
		d.Latency[i] = since(c.Latency[i], then)
	}
	return d
}

// Sum adds up the samples of nodes, step by step, oldest first. Steps that some node may still have to
// tell of are left out: those after the oldest of the nodes' last samples that is recent, which means no
// more than two steps older than the newest.
func Sum(nodes ...[]Sample) []Sample {
	step := int64(Step / time.Second)
	var newest int64
	for _, n := range nodes {
		if len(n) > 0 {
			newest = max(newest, n[len(n)-1].Time)
		}
	}
	until := newest
	for _, n := range nodes {
		if len(n) > 0 && n[len(n)-1].Time >= newest-2*step {
			until = min(until, n[len(n)-1].Time)
		}
	}
	sums := map[int64]*Sample{}
	for _, n := range nodes {
		for i := range n {
			if n[i].Time > until {
				continue
			}
			if sums[n[i].Time] == nil {
				sums[n[i].Time] = &Sample{Time: n[i].Time}
			}
			sums[n[i].Time].add(&n[i])
		}
	}
	out := make([]Sample, 0, len(sums))
	for _, s := range sums {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b Sample) int { return int(a.Time - b.Time) })
	return out
}

func (s *Sample) add(o *Sample) {
	s.Requests += o.Requests
	s.ClientErrors += o.ClientErrors
	s.ServerErrors += o.ServerErrors
	s.BytesIn += o.BytesIn
	s.BytesOut += o.BytesOut
	s.Seconds += o.Seconds
	s.Nodes += max(o.Nodes, 1)
	for len(s.Latency) < len(o.Latency) {
		s.Latency = append(s.Latency, 0)
	}
	for i, n := range o.Latency {
		s.Latency[i] += n
	}
}
