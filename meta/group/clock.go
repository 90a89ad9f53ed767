package group

import (
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// Clock is a node's clock, with what is known of whether it is right. Retentions are compared
// with the time that commands carry, and a retention that has ended once stays ended. So no
// command may carry a time that most clocks of the cluster do not show. A leader refuses a
// command whose time is far from its own clock's. It refuses all commands with a time before
// its clock was compared with those of a majority, and after its clock has jumped. Safe for
// concurrent use.
type Clock struct {
	now   func() time.Time
	limit time.Duration

	mu   sync.Mutex
	base time.Time     // What the clock showed when it was last found right; zero: it never was.
	mono time.Time     // What the monotonic clock showed then.
	off  time.Duration // How far the clock was ahead when it was last compared.
	bad  bool          // off was more than limit.
}

// NewClock returns a clock that nobody has compared yet. now is time.Now, but in tests. limit
// is how far the clocks of two nodes may differ.
func NewClock(now func() time.Time, limit time.Duration) *Clock {
	return &Clock{now: now, limit: limit}
}

// Now returns the time that the clock shows, right or wrong.
func (c *Clock) Now() time.Time { return c.now() }

// Compared notes that the clock was compared with those of a majority of the voters, this one
// included. ahead is by how much it is ahead of the median.
func (c *Clock) Compared(ahead time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off, c.bad = ahead, ahead.Abs() > c.limit
	if !c.bad {
		c.base, c.mono = c.now(), time.Now()
	}
}

// Ahead returns how far the clock was ahead when it was last compared.
func (c *Clock) Ahead() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.off
}

// Check returns nil where the clock was found right and has not jumped since. A leader asks it
// before it takes a command with a time. Errors: Unavailable.
func (c *Clock) Check() error {
	c.mu.Lock()
	never := c.base.IsZero() && !c.bad
	c.mu.Unlock()
	if never {
		return errs.Newf("group.Clock", errs.Unavailable,
			"this node has not compared its clock with those of a majority of the voters yet")
	}
	return c.Suspect()
}

// Suspect is Check for a clock that need not have been compared yet. Whoever only asks a
// leader for a command uses it: the leader compares the time of the command. Errors:
// Unavailable.
func (c *Clock) Suspect() error {
	const op = "group.Clock"
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.bad:
		return errs.Newf(op, errs.Unavailable,
			"this node's clock is %s most others: it changes nothing until that is set right, best by NTP", aheadOf(c.off))
	case c.base.IsZero():
		return nil
	}
	// The monotonic clock, which nobody sets, tells how much time has passed.
	if jump := c.now().Sub(c.base) - time.Since(c.mono); jump.Abs() > c.limit {
		return errs.Newf(op, errs.Unavailable, "this node's clock has jumped by %s: it changes nothing until it was "+
			"compared with those of the others", jump.Round(time.Second))
	}
	return nil
}

// aheadOf says in words by how much a clock differs; the clock that it differs from is named
// next.
func aheadOf(d time.Duration) string {
	if d < 0 {
		return (-d).Round(time.Second).String() + " behind"
	}
	return d.Round(time.Second).String() + " ahead of"
}

// refuses returns why the time of a command forbids to take it; empty where nothing does. A
// command without a time changes nothing that time decides, so it is taken.
func (c *Clock) refuses(command []byte) string {
	if c == nil {
		return ""
	}
	ms, ok := timeOf(command)
	if !ok {
		return ""
	}
	if off := time.UnixMilli(ms).Sub(c.now()); off.Abs() > c.limit {
		return fmt.Sprintf("the clock of the node that asks is %s that of the metadata's leader "+
			"(--max-clock-skew allows %s): set both by NTP", aheadOf(off), c.limit)
	}
	return ""
}

// commandTime is the number of the field time_ms in metapb.Command.
const commandTime = 5

// timeOf returns the time of a marshalled command without decoding the rest of it; false where
// it has none, or is none.
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

// clockRefused is the result of a command that was not taken because of its time.
func clockRefused(why string) *metapb.Result {
	return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_CLOCK, Detail: why}
}
