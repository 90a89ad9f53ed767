package upkeep

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/notify"
)

const (
	eventsEvery = time.Second     // The pause between two looks at the queues.
	eventsBatch = 100             // Events that are handed over before they are taken out of the queue.
	backoffMin  = time.Second     // How long a queue waits after a first failure; it doubles with each,
	backoffMax  = 5 * time.Minute // up to this.
)

// deliverer hands events over to their targets. One goroutine works at a queue, in order. A queue
// whose target does not take events waits longer each time, and holds up no other. Events are
// taken out of the queue after the target took them, so a target may get an event twice.
type deliverer struct {
	u *Upkeep
	t *tracker

	mu     sync.Mutex
	queues map[string]*delivery // By the ARN of the target.
}

// delivery is where the delivery of a queue stands.
type delivery struct {
	under bool          // A goroutine works at it.
	wait  time.Duration // How long it waits after the next failure.
	next  time.Time     // It is not tried before.
}

func newDeliverer(u *Upkeep, t *tracker) *deliverer {
	return &deliverer{u: u, t: t, queues: map[string]*delivery{}}
}

// run begins to work at every queue that has events and is due.
func (d *deliverer) run(ctx context.Context) error {
	a, err := d.u.c.Metadata.Read(ctx, &metapb.Query{Patient: true, Op: &metapb.Query_EventQueues{EventQueues: &metapb.ListEventQueues{}}})
	if err != nil {
		return err
	}
	queues := a.EventQueues.GetQueues()
	d.u.c.Events.EventQueues(queues)
	for _, q := range queues {
		if q.Length > 0 && d.start(q.Target) {
			d.u.wg.Go(func() { d.work(ctx, q.Target) })
		}
	}
	return nil
}

// start takes a queue that is due and that no goroutine works at; false where there is nothing
// to do.
func (d *deliverer) start(target string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.queues[target]
	if q == nil {
		q = &delivery{}
		d.queues[target] = q
	}
	if q.under || time.Now().Before(q.next) {
		return false
	}
	q.under = true
	return true
}

// work delivers the events of a queue until there are none left or the target fails.
func (d *deliverer) work(ctx context.Context, target string) {
	err := d.deliver(ctx, target)
	d.mu.Lock()
	q := d.queues[target]
	q.under = false
	if err == nil {
		q.wait, q.next = 0, time.Time{}
	} else {
		q.wait = min(max(backoffMin, 2*q.wait), backoffMax)
		q.next = time.Now().Add(q.wait)
	}
	d.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		d.u.c.Events.Undelivered(target, err)
	}
}

var errNoTarget = errors.New("this node knows no target of that name: set it with `cairn event-target set`, or --event-target as on the other nodes")

func (d *deliverer) deliver(ctx context.Context, name string) error {
	for d.u.c.Leads() && !d.t.isPaused() && ctx.Err() == nil {
		a, err := d.u.c.Metadata.Read(ctx, &metapb.Query{Op: &metapb.Query_Events{Events: &metapb.ListEvents{Target: name, Max: eventsBatch}}})
		if err != nil {
			return err
		}
		events := a.Events.GetEvents()
		if len(events) == 0 {
			return nil
		}
		target := d.target(name) // An operator may have changed it since the last batch.
		if target == nil {
			return errNoTarget
		}
		if err := d.batch(ctx, name, target, events); err != nil {
			return err
		}
	}
	return nil
}

// target returns the target of a queue; nil where this node knows none of that name.
func (d *deliverer) target(name string) notify.Target {
	if d.u.c.Targets == nil {
		return nil
	}
	return d.u.c.Targets(name)
}

// batch hands events over and takes those out of the queue that the target took.
func (d *deliverer) batch(ctx context.Context, name string, target notify.Target, events []*metapb.Event) error {
	messages := make([]notify.Message, len(events))
	for i, e := range events {
		var err error
		if messages[i], err = notify.NewMessage(e); err != nil {
			return fmt.Errorf("event %d of position %d: %w", e.Number, e.Index, err)
		}
	}
	taken, failed := target.Send(ctx, messages)
	if taken == 0 {
		return failed
	}
	last := events[taken-1]
	for more := true; more; {
		r, err := d.u.c.Metadata.Propose(ctx, &metapb.Command{Op: &metapb.Command_DropEvents{DropEvents: &metapb.DropEvents{
			Target: name, Index: last.Index, Number: last.Number}}})
		if err != nil {
			return errors.Join(failed, err)
		}
		more = r.More
	}
	d.u.c.Events.Delivered(name, taken)
	return failed
}
