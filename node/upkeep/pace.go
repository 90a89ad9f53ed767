package upkeep

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// paceSteps is in how many steps a second the rate of a job is let through. Before each step
	// the pacer looks how busy clients are. A job that rests saves up one step, and no more.
	paceSteps = 8
	// leastPace is the share of its rate that a job keeps however busy clients are, since lost
	// redundancy must come back.
	leastPace = 0.125
)

// pacer limits how many bytes a second a job moves on this node. It yields to clients: the more of
// the node's buffers they hold, the slower it lets the job go. Safe for concurrent use.
type pacer struct {
	rate func() int64
	busy func() float64

	mu      sync.Mutex // Held while a step is reserved, so that no other changes the burst under it.
	limiter *rate.Limiter
}

// newPacer returns a pacer. perSecond returns how many bytes it lets through while no client is busy; it is
// asked before each step, and 0 is no limit. busy returns the share of the buffers that clients hold; nil: none.
func newPacer(perSecond func() int64, busy func() float64) *pacer {
	return &pacer{limiter: rate.NewLimiter(0, 0), rate: perSecond, busy: busy}
}

// wait returns when n more bytes may be moved. Errors: that of ctx.
func (p *pacer) wait(ctx context.Context, n int64) error {
	for n > 0 {
		perSecond := p.rate()
		if perSecond <= 0 {
			return ctx.Err()
		}
		step := min(n, max(1, perSecond/paceSteps))
		r := p.reserve(perSecond, step)
		if !pause(ctx, r.Delay()) {
			r.Cancel()
			return ctx.Err()
		}
		n -= step
	}
	return ctx.Err()
}

// reserve takes the next bytes at a rate, which may differ from that of the step before.
func (p *pacer) reserve(perSecond, bytes int64) *rate.Reservation {
	share := 1.0
	if p.busy != nil {
		share = max(leastPace, 1-p.busy())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limiter.SetBurst(int(max(1, perSecond/paceSteps)))
	p.limiter.SetLimit(rate.Limit(float64(perSecond) * share))
	return p.limiter.ReserveN(time.Now(), int(bytes))
}
