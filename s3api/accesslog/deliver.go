package accesslog

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Deliver writes every segment that is due to where its streams go. What cannot be written stays,
// and is tried again when its stream is due. A stream that fails holds up no other; Late tells of
// it. The error is of the segments themselves.
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
		clear(l.retries) // Nobody waits for them.
		clear(l.resting)
	}
	l.tellLate()
	return errors.Join(failed...)
}

// deliver writes the streams of a segment and keeps those that failed, or are not to be
// tried yet.
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
		l.drop(1, errDamaged) // At least one.
	}
	l.rest(g, left)
	if len(left) == len(chunks) && !damaged {
		return nil
	}
	return l.spool.keep(g, left)
}

// rest notes when something of what is left of a segment is to be tried again: it is not
// read before.
func (l *Log) rest(g segment, left []*chunk) {
	delete(l.resting, g.number)
	var soonest time.Time
	for _, c := range left {
		r := l.retries[c.Stream]
		if r == nil {
			return // It was not tried: the round was ended.
		}
		if soonest.IsZero() || r.next.Before(soonest) {
			soonest = r.next
		}
	}
	if len(left) > 0 {
		l.resting[g.number] = soonest
	}
}

// mayTry reports whether a stream's time has come.
func (l *Log) mayTry(s Stream) bool {
	r := l.retries[s]
	return r == nil || !time.Now().Before(r.next)
}

// fail notes that a stream failed.
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

// tellLate tells Late why segments are late. Of several failures it is that of the stream that has
// failed for the longest time.
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

// Late returns how much was due and is not delivered, and why; nil: nothing has failed.
func (l *Log) Late() (segments int, bytes int64, why error) {
	segments, bytes = l.spool.late()
	l.mu.Lock()
	defer l.mu.Unlock()
	return segments, bytes, l.late
}
