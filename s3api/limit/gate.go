package limit

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
)

const (
	// slotTime is how long a request counts as one that is being worked on. A longer one waits for its
	// client, for a drive or for memory, which has a fair queue of its own.
	slotTime = 10 * time.Second
	// presence is how long an account is thought to be there after its last request.
	presence = time.Second
	// countEvery is how often it is counted anew how many requests each account has.
	countEvery = 10 * time.Millisecond
	// gateLook is how often a request that waits looks whether it may go on: others may have left.
	gateLook = 250 * time.Millisecond
	// gateWait and gateQueue bound how long, and how many, requests of one account wait.
	gateWait  = 20 * time.Second
	gateQueue = 4096
)

// Gate keeps an account with very many requests from crowding out the others on a node. While one
// account is there alone, or the processors are enough for all, it lets everything through. Else an
// account has no more requests under way than that of the others which has most, or least if that is
// more. So ten clients of one account do not compete with a thousand of another. Requests that wait do so account
// by account, in their order; none waits because of how many another account has waiting.
type Gate struct {
	least int // How many requests each account may have under way in any case.

	mu     sync.Mutex
	scarce func(now time.Time) bool // Reports whether requests wait for processors.
	lines  map[string]*line
	oldest *Slot // Slots under way, in the order in which they began.
	newest *Slot

	counted       time.Time
	accounts      int   // How many lines there were then.
	first         *line // The one with most.
	most, another int   // How many the first has, and the next.
}

// line is the requests of an account.
type line struct {
	running int
	waiting []*Slot
	peak    int // The most that were under way or waiting since the last count but one.
	recent  int // And since the last count.
	turned  time.Time
	seen    time.Time
}

// Slot is a request that is being worked on. The methods of a nil Slot do nothing.
type Slot struct {
	g            *Gate
	line         *line
	began        time.Time
	older, newer *Slot
	on           bool          // It counts.
	ready        chan struct{} // Of one that waits: closed when it may go on.
}

// NewGate returns a Gate. least 0: twice as many as there are processors, and at least 4.
func NewGate(least int) *Gate {
	if least == 0 {
		least = max(4, 2*runtime.GOMAXPROCS(0))
	}
	return &Gate{least: least, scarce: newContention().there, lines: map[string]*line{}}
}

// Enter waits until a request of an account may be worked on. The caller calls Leave once. Errors:
// Overloaded if too many wait, or it has waited too long; Canceled.
func (g *Gate) Enter(ctx context.Context, account string) (*Slot, error) {
	s := &Slot{g: g}
	if g.enter(s, account) {
		return s, nil
	}
	if s.ready == nil {
		return nil, errs.Newf("limit.Enter", errs.Overloaded, "%d requests of the account wait already", gateQueue)
	}
	until := time.NewTimer(gateWait)
	defer until.Stop()
	again := time.NewTicker(gateLook)
	defer again.Stop()
	for {
		select {
		case <-s.ready:
			return s, nil
		case <-again.C:
			g.look(s.line)
			continue
		case <-until.C:
			if !g.giveUp(s) {
				return s, nil
			}
			return nil, errs.Newf("limit.Enter", errs.Overloaded, "requests of other accounts are being worked on; try later")
		case <-ctx.Done():
			if !g.giveUp(s) {
				s.Leave()
			}
			return nil, errs.New("limit.Enter", errs.Canceled, context.Cause(ctx))
		}
	}
}

// enter lets a request in, or appends it to those that wait unless they are too many.
func (g *Gate) enter(s *Slot, account string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.expire(now)
	l := g.lines[account]
	if l == nil {
		l = &line{turned: now}
		g.lines[account] = l
	}
	s.line, l.seen = l, now
	if len(l.waiting) == 0 && l.running < g.room(l, now) {
		g.begin(s, now)
		return true
	}
	if len(l.waiting) >= gateQueue {
		return false
	}
	s.ready = make(chan struct{})
	l.waiting = append(l.waiting, s)
	l.recent = max(l.recent, l.running+len(l.waiting))
	return false
}

// room returns how many requests of a line may be under way. g.mu is held.
func (g *Gate) room(l *line, now time.Time) int {
	if len(g.lines) == 1 {
		return 1 << 30
	}
	if l.running < g.least {
		return g.least
	}
	if !g.scarce(now) {
		return 1 << 30
	}
	if len(g.lines) != g.accounts || now.Sub(g.counted) >= countEvery {
		g.count(now)
	}
	others := g.most
	if l == g.first {
		others = g.another
	}
	if others == 0 {
		return 1 << 30
	}
	return max(g.least, others)
}

// count finds the accounts with most requests, and forgets those that are gone. g.mu is held.
func (g *Gate) count(now time.Time) {
	g.first, g.most, g.another = nil, 0, 0
	for account, l := range g.lines {
		if l.running == 0 && len(l.waiting) == 0 && now.Sub(l.seen) > presence {
			delete(g.lines, account)
			continue
		}
		if now.Sub(l.turned) >= presence {
			l.peak, l.recent, l.turned = l.recent, l.running+len(l.waiting), now
		}
		n := max(l.running+len(l.waiting), l.peak, l.recent)
		switch {
		case g.first == nil || n > g.most:
			g.first, g.another, g.most = l, g.most, n
		case n > g.another:
			g.another = n
		}
	}
	g.accounts, g.counted = len(g.lines), now
}

// begin counts a slot. g.mu is held.
func (g *Gate) begin(s *Slot, now time.Time) {
	s.on, s.began, s.older = true, now, g.newest
	if g.newest != nil {
		g.newest.newer = s
	} else {
		g.oldest = s
	}
	g.newest = s
	s.line.running++
	s.line.recent = max(s.line.recent, s.line.running)
}

// end takes a slot out of the count. g.mu is held.
func (g *Gate) end(s *Slot) {
	if !s.on {
		return
	}
	s.on = false
	s.line.running--
	if s.older != nil {
		s.older.newer = s.newer
	} else {
		g.oldest = s.newer
	}
	if s.newer != nil {
		s.newer.older = s.older
	} else {
		g.newest = s.older
	}
	s.older, s.newer = nil, nil
}

// expire ends the slots that have lasted long enough. g.mu is held.
func (g *Gate) expire(now time.Time) {
	for g.oldest != nil && now.Sub(g.oldest.began) >= slotTime {
		l := g.oldest.line
		g.end(g.oldest)
		g.admit(l, now)
	}
}

// admit lets those of a line in that have waited longest, as long as there is room. g.mu is held.
func (g *Gate) admit(l *line, now time.Time) {
	for len(l.waiting) > 0 && l.running < g.room(l, now) {
		s := l.waiting[0]
		l.waiting[0] = nil
		l.waiting = l.waiting[1:]
		g.begin(s, now)
		close(s.ready)
	}
}

// look lets those of a line in for whom room has come otherwise than by a Leave.
func (g *Gate) look(l *line) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.expire(now)
	g.admit(l, now)
}

// giveUp takes a slot out of those that wait. It returns false if it may go on.
func (g *Gate) giveUp(s *Slot) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, w := range s.line.waiting {
		if w == s {
			s.line.waiting = append(s.line.waiting[:i:i], s.line.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// Leave ends the work on a request.
func (s *Slot) Leave() {
	if s == nil {
		return
	}
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	now := time.Now()
	s.g.end(s)
	s.line.seen = now
	s.g.expire(now)
	s.g.admit(s.line, now)
}
