package upkeep

import (
	"context"

	"golang.org/x/time/rate"
)

const (
	// paceSteps is how many steps a second of a job's rate is let through in: between
	// them it looks how busy clients are, and more than one is never saved up.
	paceSteps = 8
	// leastPace is the share of its rate that a job keeps however busy clients are:
	// redundancy must come back.
	leastPace = 0.125
)

// pacer limits the bandwidth of a job on this node, and yields to clients: the
// busier they keep the node's buffers, the slower it is.
type pacer struct {
	limiter *rate.Limiter
	rate    int64 // Bytes a second.
	step    int64 // Bytes.
	busy    func() float64
}

// newPacer returns a pacer; no limit where rate is 0. busy tells which share of the
// buffers clients hold; it may be nil.
func newPacer(bytesPerSecond int64, busy func() float64) *pacer {
	if bytesPerSecond <= 0 {
		return &pacer{}
	}
	step := max(1, bytesPerSecond/paceSteps)
	return &pacer{limiter: rate.NewLimiter(rate.Limit(bytesPerSecond), int(step)), rate: bytesPerSecond, step: step, busy: busy}
}

// wait returns when n more bytes may be moved.
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
