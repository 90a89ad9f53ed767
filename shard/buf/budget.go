package buf

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
)

// DefaultMaxWait is how long Budget.Acquire waits if NewBudget is given 0.
const DefaultMaxWait = 5 * time.Second

// turnBytes is what a turn costs besides its bytes, so that very many small requests of one tenant
// do not go before a large one of another.
const turnBytes = 64 << 10

// Budget is a number of bytes that tenants share (ForTenant). Who waits is served by tenant: a tenant
// that had fewer bytes lately comes first, so nobody waits for all that another tenant has waiting.
// Within a tenant, no request overtakes one that waits. Nobody is let in before the one whose turn it
// is, however small it is, so large requests are not starved either. What has no tenant, as
// background work, is a tenant of its own: it yields to others, and has its turn.
type Budget struct {
	total   int64
	maxWait time.Duration

	mu      sync.Mutex
	taken   int64
	clock   int64              // The start of the last turn that was served.
	tenants map[string]*tenant // Those with a request that waits.
}

// tenant is the requests of one tenant that wait.
type tenant struct {
	waiting []*turn
	next    int64 // When its next turn starts, in bytes of the budget's clock.
}

// turn is a request that waits.
type turn struct {
	n     int64
	start int64
	ready chan struct{} // Closed when the bytes are the request's.
}

// tenantKey is the key of the tenant of a context.
type tenantKey struct{}

// ForTenant returns a context whose requests for memory are those of a tenant.
func ForTenant(ctx context.Context, tenant string) context.Context {
	return context.WithValue(ctx, tenantKey{}, tenant)
}

func tenantOf(ctx context.Context) string {
	t, _ := ctx.Value(tenantKey{}).(string)
	return t
}

// NewBudget returns a budget of total bytes. Acquire waits at most maxWait; 0 means DefaultMaxWait,
// and a negative one means that it does not wait.
func NewBudget(total int64, maxWait time.Duration) *Budget {
	if maxWait == 0 {
		maxWait = DefaultMaxWait
	}
	return &Budget{total: total, maxWait: maxWait, tenants: map[string]*tenant{}}
}

// Total returns the size of the budget.
func (b *Budget) Total() int64 { return b.total }

// Free returns what is not taken at the moment.
func (b *Budget) Free() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total - b.taken
}

// TryAcquire takes n bytes if they are free and nobody waits.
func (b *Budget) TryAcquire(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.try(n)
}

// try is TryAcquire. b.mu is held.
func (b *Budget) try(n int64) bool {
	if len(b.tenants) > 0 || b.taken+n > b.total {
		return false
	}
	b.taken += n
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
	of := tenantOf(ctx)
	w, err := b.enter(of, n)
	if w == nil {
		return err
	}
	t := time.NewTimer(b.maxWait)
	defer t.Stop()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
		err = errs.New(op, errs.Canceled, ctx.Err())
	case <-t.C:
		err = b.overloaded(op)
	}
	if b.giveUp(of, w) {
		return err
	}
	return nil // It was served just now.
}

// enter takes n bytes, or returns the turn for which to wait. If both are nil, the bytes are taken.
func (b *Budget) enter(of string, n int64) (*turn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.try(n) {
		return nil, nil
	}
	if b.maxWait < 0 {
		return nil, b.overloaded("buf.Acquire")
	}
	t := b.tenants[of]
	if t == nil {
		t = &tenant{next: b.clock}
		b.tenants[of] = t
	}
	w := &turn{n: n, start: t.next, ready: make(chan struct{})}
	t.next += n + turnBytes
	t.waiting = append(t.waiting, w)
	return w, nil
}

// giveUp takes back a turn, and lets those behind it go. It returns false if the turn was served.
func (b *Budget) giveUp(of string, w *turn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.tenants[of]
	if t == nil {
		return false
	}
	at := slices.Index(t.waiting, w)
	if at < 0 {
		return false
	}
	t.waiting = slices.Delete(t.waiting, at, at+1)
	for _, later := range t.waiting[at:] { // They need not wait for what it would have had.
		later.start -= w.n + turnBytes
	}
	t.next -= w.n + turnBytes
	b.serve()
	return true
}

// serve gives free bytes to whose turn it is. b.mu is held.
func (b *Budget) serve() {
	for {
		name, first := "", (*tenant)(nil)
		for of, t := range b.tenants {
			if len(t.waiting) == 0 {
				// Whoever comes back at once goes on where it was, and gains nothing.
				if t.next <= b.clock {
					delete(b.tenants, of)
				}
				continue
			}
			if first == nil || t.waiting[0].start < first.waiting[0].start ||
				t.waiting[0].start == first.waiting[0].start && of < name {
				name, first = of, t
			}
		}
		if first == nil {
			clear(b.tenants)
			return
		}
		w := first.waiting[0]
		if b.taken+w.n > b.total {
			return
		}
		b.taken += w.n
		b.clock = max(b.clock, w.start)
		first.waiting[0] = nil
		first.waiting = first.waiting[1:]
		close(w.ready)
	}
}

// Release gives n bytes back. It panics if more come back than were taken.
func (b *Budget) Release(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.taken -= n; b.taken < 0 {
		panic("buf: more bytes of a budget are given back than were taken")
	}
	if len(b.tenants) > 0 {
		b.serve()
	}
}

func (b *Budget) overloaded(op string) error {
	return errs.Newf(op, errs.Overloaded, "the memory budget of %d bytes is used up; try later", b.total)
}
