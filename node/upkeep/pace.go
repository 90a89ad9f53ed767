package upkeep

import (
	"context"

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
	limiter *rate.Limiter
	rate    int64 // Bytes a second while no client is busy.
	step    int64 // Bytes that are let through at once.
	busy    func() float64
}

// newPacer returns a pacer, which limits nothing where bytesPerSecond is 0. busy returns the share
// of the buffers that clients hold; nil: none.
func newPacer(bytesPerSecond int64, busy func() float64) *pacer {
	if bytesPerSecond <= 0 {
		return &pacer{}
	}
	step := max(1, bytesPerSecond/paceSteps)
	limiter := rate.NewLimiter(rate.Limit(bytesPerSecond), int(step))
	return &pacer{limiter: limiter, rate: bytesPerSecond, step: step, busy: busy}
}

// wait returns when n more bytes may be moved. Errors: that of ctx.
func (p *pacer) wait(ctx context.Context, n int64) error {
	if p.limiter == nil {
		return ctx.Err()
	}
	for n > 0 {
		step := min(n, p.step)
		share := 1.0
		if p.busy != nil {
			share = max(leastPace, 1-p.busy())
		}
		p.limiter.SetLimit(rate.Limit(float64(p.rate) * share))
		if err := p.limiter.WaitN(ctx, int(step)); err != nil {
			return err
		}
		n -= step
	}
	return nil
}
