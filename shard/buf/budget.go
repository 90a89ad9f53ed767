package buf

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/cairnstore/cairn/cluster/errs"
)

// DefaultMaxWait is how long Budget.Acquire waits if NewBudget is given 0.
const DefaultMaxWait = 5 * time.Second

// Budget is a number of bytes that requests share. It is fair: no request overtakes one that waits,
// however small it is.
type Budget struct {
	total   int64
	maxWait time.Duration
	bytes   *semaphore.Weighted
	taken   atomic.Int64 // How much of bytes is taken. The semaphore does not tell.
}

// NewBudget returns a budget of total bytes. Acquire waits at most maxWait; 0 means DefaultMaxWait,
// and a negative one means that it does not wait.
func NewBudget(total int64, maxWait time.Duration) *Budget {
	if maxWait == 0 {
		maxWait = DefaultMaxWait
	}
	return &Budget{total: total, maxWait: maxWait, bytes: semaphore.NewWeighted(total)}
}

// Total returns the size of the budget.
func (b *Budget) Total() int64 { return b.total }

// Free returns what is not taken at the moment.
func (b *Budget) Free() int64 { return b.total - b.taken.Load() }

// TryAcquire takes n bytes if they are free and nobody waits.
func (b *Budget) TryAcquire(n int64) bool {
	if !b.bytes.TryAcquire(n) {
		return false
	}
	b.taken.Add(n)
	return true
}

// Acquire takes n bytes. The caller gives them back with Release. Errors: Overloaded if it would
// have to wait longer than the bound, Canceled if ctx ends first, Invalid if the whole budget is
// less than n.
func (b *Budget) Acquire(ctx context.Context, n int64) error {
	const op = "buf.Acquire"
	if n > b.total {
		return errs.Newf(op, errs.Invalid, "%d bytes are more than the whole budget of %d", n, b.total)
	}
	if err := ctx.Err(); err != nil {
		return errs.New(op, errs.Canceled, err)
	}
	if b.TryAcquire(n) {
		return nil
	}
	if b.maxWait < 0 {
		return b.overloaded(op)
	}
	limited, cancel := context.WithTimeout(ctx, b.maxWait)
	defer cancel()
	switch err := b.bytes.Acquire(limited, n); {
	case err == nil:
		b.taken.Add(n)
		return nil
	case ctx.Err() != nil:
		return errs.New(op, errs.Canceled, ctx.Err())
	}
	return b.overloaded(op)
}

// Release gives n bytes back. It panics if more come back than were taken.
func (b *Budget) Release(n int64) {
	b.taken.Add(-n) // This comes first: whoever takes the bytes next adds them again.
	b.bytes.Release(n)
}

func (b *Budget) overloaded(op string) error {
	return errs.Newf(op, errs.Overloaded, "the memory budget of %d bytes is used up; try later", b.total)
}
