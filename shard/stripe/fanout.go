package stripe

import (
	"context"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/buf"
)

// fanout sends the units of one extent to slots, one goroutine a slot, and knows how far each is.
// It lives as long as one write: made, ready, then admit and push for each stripe, finish, wait; or
// abort at any time.
//
// Invariants, under mu:
//
//	F1  A sender has at most WindowStripes units queued or in its hands, because admit
//	    lets the caller get no further ahead of the slowest sender that is not settled.
//	    So push never blocks.
//	F2  Nothing is queued for a sender after it is settled. Whoever settles it drains
//	    its queue.
//	F3  A sender settles once.
type fanout struct {
	e      *Engine
	ctx    context.Context // That of the write, which outlives the call that began it.
	op     string
	need   int // The write fails when fewer senders are left.
	quorum int

	mu       sync.Mutex
	senders  []sender
	admitted int       // Stripes let in.
	moved    time.Time // When a sender last got on.
	finished time.Time // When the last unit was queued.
	reached  time.Time // When the quorum was durable.
	running  int       // Goroutines.
	err      error     // Why the write has failed.

	changed chan struct{} // Poked when anything of the above changes.
	alarm   *time.Timer   // Of sleep, which one goroutine at a time calls.
}

type senderState uint8

const (
	opening senderState = iota
	sending
	durable // Settled.
	failed  // Settled.
)

func (s senderState) settled() bool { return s >= durable }

// sender is one slot's part of a write.
type sender struct {
	header shard.Header
	drive  cluster.DriveID
	queue  chan *buf.Buf
	cancel context.CancelFunc

	state  senderState
	opened bool // The store has begun a shard.
	sent   int  // Units that the store has taken.
	err    error
}

// order says what a fanout writes, and where.
type order struct {
	extent shard.ExtentID
	volume *shard.Volume
	g      Geometry
	slots  shard.SlotSet // The slots to write to.
	need   int           // The write fails when fewer slots are left.
	quorum int           // How many slots acknowledge the write.
}

// newFanout starts a sender for each slot of the order.
func newFanout(ctx context.Context, e *Engine, op string, o order) *fanout {
	f := &fanout{
		e: e, ctx: ctx, op: op, need: o.need, quorum: o.quorum,
		changed: make(chan struct{}, 1), moved: time.Now(),
	}
	f.senders = make([]sender, 0, len(o.volume.Slots))
	for slot, drive := range o.volume.Slots {
		if o.slots.Has(slot) {
			f.senders = append(f.senders, sender{
				header: o.g.Header(shard.ID{Extent: o.extent, Slot: uint8(slot)}, o.volume.Epoch),
				drive:  drive,
				queue:  make(chan *buf.Buf, WindowStripes),
			})
		}
	}
	f.running = len(f.senders)
	for i := range f.senders {
		s := &f.senders[i]
		sctx, cancel := context.WithCancel(ctx)
		s.cancel = cancel
		if err := e.tasks.start(func() { f.end(s, f.send(sctx, s)) }); err != nil {
			f.end(s, err)
		}
	}
	return f
}

// end notes that the goroutine of a sender ends.
func (f *fanout) end(s *sender, err error) {
	defer s.cancel()
	f.mu.Lock()
	report := f.settleLocked(s, err)
	f.running--
	f.mu.Unlock()
	f.poke()
	if report {
		f.report(s.header.ID, err)
	}
}

// send is the goroutine of a sender.
func (f *fanout) send(ctx context.Context, s *sender) error {
	st, err := f.e.stores(s.drive)
	if err != nil {
		return err
	}
	w, err := st.Create(ctx, s.header)
	if err != nil {
		return err
	}
	defer w.Abort() // Does nothing after Commit.
	f.got(s, func() { s.opened = true; s.state = max(s.state, sending) })
	for {
		select {
		case u, more := <-s.queue:
			if !more {
				// The sender may have been dropped and its queue drained: then the shard is not
				// whole.
				if err := ctx.Err(); err != nil {
					return err
				}
				return w.Commit(ctx)
			}
			_, err := w.Write(u.Bytes())
			u.Release()
			if err != nil {
				return err
			}
			f.got(s, func() { s.sent++ })
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// got notes that a sender got on.
func (f *fanout) got(s *sender, note func()) {
	f.mu.Lock()
	note()
	f.moved = time.Now()
	f.mu.Unlock()
	f.poke()
}

func (f *fanout) poke() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// settleLocked ends a sender: as durable if err is nil, else as failed. It reports whether a
// failure is news, which the caller tells as an event after it has released mu.
func (f *fanout) settleLocked(s *sender, err error) (report bool) {
	defer drain(s.queue)
	if s.state.settled() {
		return false
	}
	f.moved = time.Now()
	if err == nil {
		s.state = durable
		if _, n := f.countLocked(); n == f.quorum {
			f.reached = f.moved
		}
		return false
	}
	s.state, s.err = failed, err
	s.cancel()
	if live, n := f.countLocked(); live+n < f.need && f.err == nil {
		f.err = errs.Newf(f.op, errs.Unavailable, "extent %s: %d of %d slots are left, %d are needed: %w",
			s.header.ID.Extent, live+n, len(f.senders), f.need, err)
	}
	return errs.KindOf(err) != errs.Canceled
}

func (f *fanout) report(id shard.ID, err error) {
	if f.e.events.SlotFailed != nil {
		f.e.events.SlotFailed(id, err)
	}
}

// drain releases what is queued. A closed queue is drained too.
func drain(queue chan *buf.Buf) {
	for {
		select {
		case u, ok := <-queue:
			if !ok {
				return
			}
			u.Release()
		default:
			return
		}
	}
}

// countLocked returns how many senders are at work and how many have ended well.
func (f *fanout) countLocked() (live, done int) {
	for i := range f.senders {
		switch f.senders[i].state {
		case opening, sending:
			live++
		case durable:
			done++
		}
	}
	return live, done
}

// drop settles as failed all senders at work that match.
func (f *fanout) drop(match func(*sender) bool, why error) {
	var dropped []shard.ID
	f.mu.Lock()
	for i := range f.senders {
		if s := &f.senders[i]; !s.state.settled() && match(s) {
			if f.settleLocked(s, why) {
				dropped = append(dropped, s.header.ID)
			}
		}
	}
	f.mu.Unlock()
	f.poke()
	for _, id := range dropped {
		f.report(id, why)
	}
}

// push queues the units of a stripe, which are in the order of slots. It takes them over.
func (f *fanout) push(units []*buf.Buf) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.senders {
		s := &f.senders[i]
		u := units[s.header.ID.Slot]
		if s.state.settled() {
			u.Release()
			continue
		}
		s.queue <- u // There is room: F1.
	}
}

// fail makes the write fail for a reason that is not the fault of a slot.
func (f *fanout) fail(err error) {
	f.mu.Lock()
	if f.err == nil {
		f.err = err
	}
	f.mu.Unlock()
	f.poke()
}

// failure returns why the write has failed, nil while it has not.
func (f *fanout) failure() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// finish says that no more stripes come. Senders commit when they have sent what is queued.
func (f *fanout) finish() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.finished = time.Now()
	f.moved = f.finished
	for i := range f.senders {
		if s := &f.senders[i]; !s.state.settled() {
			close(s.queue)
		}
	}
}

func (f *fanout) durableLocked() shard.SlotSet {
	var set shard.SlotSet
	for i := range f.senders {
		if s := &f.senders[i]; s.state == durable {
			set = set.With(int(s.header.ID.Slot))
		}
	}
	return set
}

// slotError returns why a slot failed; nil where none did.
func (f *fanout) slotError() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.senders {
		if s := &f.senders[i]; s.state == failed {
			return s.err
		}
	}
	return nil
}

// abort ends all senders that are not settled, without waiting for them.
func (f *fanout) abort() {
	aborted := errs.Newf(f.op, errs.Canceled, "the write was given up")
	f.fail(aborted)
	f.drop(func(*sender) bool { return true }, aborted)
}

// remove deletes what was written. It waits until the senders have ended, but not longer than
// SlotStallTimeout.
func (f *fanout) remove(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, f.e.slotStall)
	defer cancel()
	f.abort()
	for f.busy() {
		select {
		case <-f.changed:
			continue
		case <-ctx.Done():
		}
		break
	}
	var wg sync.WaitGroup
	for i := range f.senders {
		s := &f.senders[i]
		f.mu.Lock()
		opened := s.opened
		f.mu.Unlock()
		if !opened {
			continue
		}
		wg.Go(func() {
			if st, err := f.e.stores(s.drive); err == nil {
				_ = st.Delete(ctx, []shard.ID{s.header.ID}) // A shard that stays is an orphan, which upkeep deletes.
			}
		})
	}
	wg.Wait()
}

func (f *fanout) busy() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.running > 0
}
