package limit

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
)

const (
	// look is how often something that waits looks whether its share has changed.
	look = 100 * time.Millisecond
	// streamWait is how long a large body waits for its turn.
	streamWait = 10 * time.Second
	// retryMin and retryMax bound what a client is told.
	retryMin, retryMax = time.Second, 30 * time.Second
)

// Refusal says which limit refuses a request, and when it may be tried again.
type Refusal struct {
	Subject Subject
	Measure Measure
	Retry   time.Duration // Whole seconds, at least one.
}

func refusal(s *subject, m Measure, later time.Duration) *Refusal {
	s.counts.refused.Add(1)
	later = min(retryMax, max(retryMin, (later+time.Second-1).Truncate(time.Second)))
	return &Refusal{Subject: s.Subject, Measure: m, Retry: later}
}

// Charge is what one request is counted for. The methods of a nil Charge do nothing.
type Charge struct {
	subjects [4]*subject
	streams  [2 * 4]*meter // Of which it has begun a stream.
	streamed int
	paced    time.Duration
}

// Begin counts a request for those whose limits it is under, or refuses it. The caller calls End once
// if it gets a Charge. A nil Charge means that nobody has a limit.
func (l *Limiter) Begin(w Subject, c Class) (*Charge, *Refusal) {
	t := l.table.Load()
	if t == nil {
		return nil, nil
	}
	subjects := t.find(w)
	if subjects == ([4]*subject{}) {
		return nil, nil
	}
	var taken [12]*meter
	n := 0
	refuse := func(s *subject, m Measure, later time.Duration) *Refusal {
		for _, m := range taken[:n] {
			m.untake()
		}
		return refusal(s, m, later)
	}
	for _, s := range subjects {
		if s == nil {
			continue
		}
		for _, measure := range [...]Measure{BytesIn, BytesOut} {
			concerns := measure == BytesIn && c == Write || measure == BytesOut && (c == Read || c == List)
			if m := s.meters[measure]; m != nil && concerns {
				if owes := m.owes(); owes > debtMax {
					m.refuse()
					return nil, refuse(s, measure, owes-debtMax/2)
				}
			}
		}
		for _, measure := range [...]Measure{Requests, c.measure(), Concurrent} {
			m := s.meters[measure]
			if m == nil {
				continue
			}
			if later := m.take(); later > 0 {
				return nil, refuse(s, measure, later)
			}
			taken[n] = m
			n++
		}
	}
	return &Charge{subjects: subjects}, nil
}

// End ends the request, of which so many bytes went in and out.
func (c *Charge) End(in, out int64) {
	if c == nil {
		return
	}
	for _, m := range c.streams[:c.streamed] {
		m.endStream()
	}
	for _, s := range c.subjects {
		if s == nil {
			continue
		}
		s.counts.add(in, out)
		if m := s.meters[Concurrent]; m != nil {
			m.release()
		}
	}
}

// Paced returns how long bytes of the request have waited.
func (c *Charge) Paced() time.Duration {
	if c == nil {
		return 0
	}
	return c.paced
}

// Limits reports whether bytes of a direction are limited.
func (c *Charge) Limits(direction Measure) bool {
	if c == nil {
		return false
	}
	for _, s := range c.subjects {
		if s != nil && s.meters[direction] != nil {
			return true
		}
	}
	return false
}

// Await waits for the turn of a body or an answer of so many bytes. It is called before memory is
// taken for them. Errors: Overloaded after a bounded wait; Canceled.
func (c *Charge) Await(ctx context.Context, direction Measure, size int64) error {
	if c == nil {
		return nil
	}
	start := time.Now()
	for _, s := range c.subjects {
		if s == nil || s.meters[direction] == nil || size < largeBytes {
			continue
		}
		m := s.meters[direction]
		for !m.beginStream() {
			if time.Since(start) > streamWait {
				m.refuse()
				s.counts.refused.Add(1)
				return errs.Newf("limit.Await", errs.Overloaded,
					"the limit of %s for %v is used up by what is under way", direction, s.Subject)
			}
			if err := c.sleep(ctx, look); err != nil {
				return err
			}
		}
		c.streams[c.streamed] = m
		c.streamed++
	}
	return c.Wait(ctx, direction)
}

// Wait waits until what went through before has had its time. Errors: Canceled.
func (c *Charge) Wait(ctx context.Context, direction Measure) error {
	for c != nil {
		longest := time.Duration(0)
		for _, s := range c.subjects {
			if s != nil && s.meters[direction] != nil {
				longest = max(longest, s.meters[direction].owes())
			}
		}
		if longest <= 0 {
			return nil
		}
		if err := c.sleep(ctx, min(longest, look)); err != nil {
			return err
		}
	}
	return nil
}

func (c *Charge) sleep(ctx context.Context, d time.Duration) error {
	c.paced += d
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return errs.New("limit.Wait", errs.Canceled, context.Cause(ctx))
	}
}

// Chunk returns how many bytes may go through before the next Wait.
func (c *Charge) Chunk(direction Measure) int {
	least := chunkMax
	if c != nil {
		for _, s := range c.subjects {
			if s != nil && s.meters[direction] != nil {
				least = min(least, s.meters[direction].chunk())
			}
		}
	}
	return least
}

// Spend counts bytes that went through.
func (c *Charge) Spend(direction Measure, n int) {
	if c == nil {
		return
	}
	for _, s := range c.subjects {
		if s != nil && s.meters[direction] != nil {
			s.meters[direction].spend(n)
		}
	}
}
