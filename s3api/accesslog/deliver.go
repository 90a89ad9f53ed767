package accesslog

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Deliver writes the lines of every segment that is due to where their streams go. Lines that
// cannot be written stay, and are tried again when their stream is due. A stream that fails does
// not hold up others; Late tells of it. The error is only about the segments themselves. One call
// at a time may run.
func (l *Log) Deliver(ctx context.Context) error {
	segments, err := l.spool.due(l.c.Every)
	failed := []error{err}
	for _, g := range segments {
		if ctx.Err() != nil {
			break
		}
		if time.Now().Before(l.resting[g.number]) {
			continue
		}
		if err := l.deliver(ctx, g); err != nil {
			failed = append(failed, fmt.Errorf("segment %d of the access logs: %w", g.number, err))
		}
	}
	if len(segments) > 0 {
		l.tellWaiting()
	} else {
		clear(l.retries) // No lines wait.
		clear(l.resting)
	}
	l.tellLate()
	return errors.Join(failed...)
}

// deliver writes the streams of a segment, and keeps what failed or is not to be tried yet.
func (l *Log) deliver(ctx context.Context, g segment) error {
	chunks, err := l.spool.read(g)
	damaged := errors.Is(err, errDamaged)
	if err != nil && !damaged {
		return err
	}
	var left []*chunk
	for _, c := range chunks {
		switch {
		case time.Since(time.UnixMilli(c.Since)) > maxAge:
			delete(l.retries, c.Stream)
			l.drop(c.Lines, errAge)
			continue
		case ctx.Err() != nil, !l.mayTry(c.Stream):
			left = append(left, c)
			continue
		}
		if err := l.c.Write(ctx, c.Stream, c.lines); err != nil {
			left = append(left, c)
			if ctx.Err() == nil {
				l.fail(c.Stream, err)
			}
			continue
		}
		delete(l.retries, c.Stream)
		l.c.Events.Delivered(c.Lines)
	}
	if damaged {
		l.drop(1, errDamaged) // Nobody knows how many; it is at least one.
	}
	l.rest(g, left)
	if len(left) == len(chunks) && !damaged {
		return nil
	}
	return l.spool.keep(g, left)
}

// rest notes when something that is left of a segment is to be tried again. Until then the segment
// is not read.
func (l *Log) rest(g segment, left []*chunk) {
	delete(l.resting, g.number)
	var soonest time.Time
	for _, c := range left {
		r := l.retries[c.Stream]
		if r == nil {
			return // ctx ended before it was tried: it is due.
		}
		if soonest.IsZero() || r.next.Before(soonest) {
			soonest = r.next
		}
	}
	if len(left) > 0 {
		l.resting[g.number] = soonest
	}
}

// mayTry reports whether a stream may be tried now.
func (l *Log) mayTry(s Stream) bool {
	r := l.retries[s]
	return r == nil || !time.Now().Before(r.next)
}

// fail notes that a stream failed, and when it is tried again.
func (l *Log) fail(s Stream, cause error) {
	r := l.retries[s]
	if r == nil {
		r = &retry{}
		l.retries[s] = r
	}
	r.wait = min(max(retryMin, 2*r.wait), retryMax)
	r.next, r.why = time.Now().Add(r.wait), fmt.Errorf("access logs of bucket %s for %s: %w", s.Bucket, s.Target, cause)
	l.c.Events.Failed(s.Target, cause)
}

// tellLate sets what Late returns, and which buckets are failing. Of several failures Late returns
// that of the stream that has failed for the longest time.
func (l *Log) tellLate() {
	var worst *retry
	failing := map[string]bool{}
	for s, r := range l.retries {
		failing[s.Bucket] = true
		if worst == nil || r.wait > worst.wait {
			worst = r
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.late, l.failing = nil, failing
	if worst != nil {
		l.late = worst.why
	}
}

// Late returns how many segments and bytes were due and are not delivered, and why; nil: nothing
// has failed.
func (l *Log) Late() (segments int, bytes int64, why error) {
	segments, bytes = l.spool.late()
	l.mu.Lock()
	defer l.mu.Unlock()
	return segments, bytes, l.late
}
