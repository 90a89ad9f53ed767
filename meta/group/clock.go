package group

import (
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// Clock is a node's clock, and whether it is to be trusted. Retentions are compared with
// the time that commands carry, and what is over once is over for good, so no command may
// carry a time that the clocks of the cluster do not bear out: a leader takes none whose
// time is far from its own, takes none at all before its own clock was compared with those
// of a majority, and none after that clock has jumped. Safe for concurrent use.
type Clock struct {
	now   func() time.Time
	limit time.Duration

	mu   sync.Mutex
	base time.Time // As it was when the clock was last found right, with
	mono time.Time // the monotonic clock of that moment. Zero: it never was.
	off  time.Duration
	bad  bool // It was found wrong, by off.
}

// NewClock returns a clock that nobody has compared yet. now may differ from time.Now in
// tests; limit is how far clocks may differ.
func NewClock(now func() time.Time, limit time.Duration) *Clock {
	return &Clock{now: now, limit: limit}
}

// Now returns what the clock shows.
func (c *Clock) Now() time.Time { return c.now() }

// Compared says that the clock was compared with those of a majority, this one included,
// and how far it is ahead of the one in the middle.
func (c *Clock) Compared(ahead time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off, c.bad = ahead, ahead.Abs() > c.limit
	if !c.bad {
		c.base, c.mono = c.now(), time.Now()
	}
}

// Ahead returns how far the clock was ahead when it was compared last.
func (c *Clock) Ahead() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.off
}

// Check returns nil where the clock was found right, else why it cannot be trusted.
// Errors: Unavailable.
func (c *Clock) Check() error {
	c.mu.Lock()
	never := c.base.IsZero() && !c.bad
	c.mu.Unlock()
	if never {
		return errs.Newf("group.Clock", errs.Unavailable, "this node has not compared its clock with those of a majority of the voters yet")
	}
	return c.Suspect()
}

// Suspect returns nil unless the clock was found wrong, or has jumped since it was found
// right. Errors: Unavailable.
func (c *Clock) Suspect() error {
	const op = "group.Clock"
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.bad:
		return errs.Newf(op, errs.Unavailable, "this node's clock is %s most others: it changes nothing until that is set right, best by NTP", aheadOf(c.off))
	case c.base.IsZero():
		return nil
	}
	// By the monotonic clock, which nobody sets.
	if jump := c.now().Sub(c.base) - time.Since(c.mono); jump.Abs() > c.limit {
		return errs.Newf(op, errs.Unavailable, "this node's clock has jumped by %s: it changes nothing until it was compared with those of the others", jump.Round(time.Second))
	}
	return nil
}

// aheadOf says in words by how much a clock differs from what is named next.
func aheadOf(d time.Duration) string {
	if d < 0 {
		return (-d).Round(time.Second).String() + " behind"
	}
	return d.Round(time.Second).String() + " ahead of"
}

// refuses returns why a command must not be taken, by its time; empty where it may. A
// command without a time changes nothing that time decides.
func (c *Clock) refuses(command []byte) string {
	if c == nil {
		return ""
	}
	ms, ok := timeOf(command)
	if !ok {
		return ""
	}
	if off := time.UnixMilli(ms).Sub(c.now()); off.Abs() > c.limit {
		return fmt.Sprintf("the clock of the node that asks is %s that of the metadata's leader (--max-clock-skew allows %s): set both by NTP", aheadOf(off), c.limit)
	}
	return ""
}

// commandTime is the number of metapb.Command's field time_ms.
const commandTime = 5

// timeOf reads the time of a marshalled command.
func timeOf(command []byte) (ms int64, ok bool) {
	for b := command; len(b) > 0; {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return 0, false
		}
		if num == commandTime && typ == protowire.VarintType {
			v, m := protowire.ConsumeVarint(b[n:])
			if m < 0 {
				return 0, false
			}
			ms, ok = int64(v), true
		}
		m := protowire.ConsumeFieldValue(num, typ, b[n:])
		if m < 0 {
			return 0, false
		}
		b = b[n+m:]
	}
	return ms, ok && ms != 0
}

// clockRefused is the answer to a command that was not taken because of its time.
func clockRefused(why string) *metapb.Result {
	return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_CLOCK, Detail: why}
}
