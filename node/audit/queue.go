package audit

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errFull is the reason for which a record is dropped if the queue is full.
var errFull = errors.New("the target is slower than the requests: its queue is full")

// queue has the records that wait for one target.
type queue struct {
	target   target
	events   Events
	lines    chan []byte
	stopping chan struct{}
	closed   error // What closing the target returned; set when run has ended.

	mu      sync.Mutex
	told    time.Time // When Trouble was last called.
	dropped int       // Since told.
}

// add queues a line, or drops it if the queue is full.
func (q *queue) add(line []byte) {
	select {
	case q.lines <- line:
	default:
		q.drop(1, errFull)
	}
}

// run moves batches to the target until the queue is stopped and empty, or ctx ends.
func (q *queue) run(ctx context.Context) {
	defer func() { q.closed = q.target.close() }()
	for {
		batch, n := q.next(ctx)
		if n == 0 {
			return
		}
		if err := q.target.write(ctx, batch, func(err error) { q.trouble(0, err) }); err != nil {
			q.drop(n, err)
			continue
		}
		q.events.Written(q.target.name(), n)
	}
}

// next waits for a record, and returns it together with those that wait already.
func (q *queue) next(ctx context.Context) (batch []byte, n int) {
	select {
	case line := <-q.lines:
		batch, n = append(batch, line...), 1
	case <-ctx.Done():
		return nil, 0
	case <-q.stopping:
		select {
		case line := <-q.lines:
			batch, n = append(batch, line...), 1
		default:
			return nil, 0
		}
	}
	for n < batchRecords && len(batch) < batchBytes {
		select {
		case line := <-q.lines:
			batch, n = append(batch, line...), n+1
		default:
			return batch, n
		}
	}
	return batch, n
}

// drop counts records that are lost, and reports them at most every tellEvery.
func (q *queue) drop(n int, cause error) {
	q.events.Dropped(q.target.name(), n)
	q.trouble(n, cause)
}

// trouble reports dropped records, or a target that is late, at most every tellEvery.
func (q *queue) trouble(n int, cause error) {
	q.mu.Lock()
	q.dropped += n
	lost, now := q.dropped, time.Now()
	tell := q.told.IsZero() || now.Sub(q.told) >= tellEvery
	if tell {
		q.told, q.dropped = now, 0
	}
	q.mu.Unlock()
	if tell {
		q.events.Trouble(q.target.name(), lost, cause)
	}
}
