package buf

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
)

// DefaultMaxWait is how long Budget.Acquire waits where NewBudget is given 0.
const DefaultMaxWait = 5 * time.Second

// Budget is a number of bytes that requests share. It is fair: nobody overtakes
// a request that waits, however small the other is.
type Budget struct {
	total   int64
	maxWait time.Duration

	mu      sync.Mutex
	free    int64
	waiters list.List // Of *waiter, first come first.
}

type waiter struct {
	n       int64
	granted chan struct{}
}

// NewBudget returns a budget of total bytes, whose Acquire waits at most maxWait
// (DefaultMaxWait where 0; not at all where negative).
func NewBudget(total int64, maxWait time.Duration) *Budget {
	if maxWait == 0 {
		maxWait = DefaultMaxWait
	}
	return &Budget{total: total, free: total, maxWait: maxWait}
}

// Total returns the size of the budget.
func (b *Budget) Total() int64 { return b.total }

// Free returns what is not taken at the moment.
func (b *Budget) Free() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.free
}

// TryAcquire takes n bytes if they are free and nobody waits.
func (b *Budget) TryAcquire(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiters.Len() > 0 || n > b.free {
		return false
	}
	b.free -= n
	return true
}

// Acquire takes n bytes, to be given back with Release. It fails with Overloaded
// where it would have to wait longer than the bound, with Canceled where ctx
// ends first, and with Invalid where the whole budget is less than n.
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
	b.mu.Lock()
	w := &waiter{n: n, granted: make(chan struct{})}
	el := b.waiters.PushBack(w)
	b.grantLocked() // Bytes may have come back since TryAcquire.
	b.mu.Unlock()

	timer := time.NewTimer(b.maxWait)
	defer timer.Stop()
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
		if b.abandon(el) {
			return nil
		}
		return errs.New(op, errs.Canceled, ctx.Err())
	case <-timer.C:
		if b.abandon(el) {
			return nil
		}
		return b.overloaded(op)
	}
}

// Release gives n bytes back.
func (b *Budget) Release(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free += n
	if b.free > b.total {
		panic("buf: more bytes released than acquired")
	}
	b.grantLocked()
}

func (b *Budget) overloaded(op string) error {
	return errs.Newf(op, errs.Overloaded, "the memory budget of %d bytes is used up; try later", b.total)
}

// abandon takes a waiter out of the queue and reports whether it had been granted
// its bytes meanwhile. The one behind it may be small enough to go now.
func (b *Budget) abandon(el *list.Element) (granted bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-el.Value.(*waiter).granted:
		return true
	default:
	}
	b.waiters.Remove(el)
	b.grantLocked()
	return false
}

func (b *Budget) grantLocked() {
	for el := b.waiters.Front(); el != nil; el = b.waiters.Front() {
		w := el.Value.(*waiter)
		if w.n > b.free {
			return
		}
		b.free -= w.n
		b.waiters.Remove(el)
		close(w.granted)
	}
}
