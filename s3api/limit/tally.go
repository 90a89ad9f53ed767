package limit

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
)

// accountsMax bounds how many accounts a node counts by name. The others are counted as Others.
const accountsMax = 1024

// Others is the name of all accounts beyond those that a node counts by name.
const Others = "others"

// counts are what somebody took. The second fields are per second, of the last round.
type counts struct {
	requests, refused, in, out atomic.Uint64

	mu   sync.Mutex
	seen [4]uint64
	rate Taken
}

// Taken is what somebody took of a node, per second.
type Taken struct {
	Name                                 string // Of a subject.
	Requests, Refused, BytesIn, BytesOut float64
}

func (c *counts) add(in, out int64) {
	c.requests.Add(1)
	c.in.Add(uint64(in))
	c.out.Add(uint64(out))
}

func (c *counts) close(seconds float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := [4]uint64{c.requests.Load(), c.refused.Load(), c.in.Load(), c.out.Load()}
	per := func(i int) float64 { return float64(now[i]-c.seen[i]) / seconds }
	c.rate = Taken{Requests: per(0), Refused: per(1), BytesIn: per(2), BytesOut: per(3)}
	c.seen = now
}

func (c *counts) taken(name string) Taken {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.rate
	out.Name = name
	return out
}

// tally counts what every account takes, whether it has a limit or not.
type tally struct {
	accounts sync.Map // *counts by account id.
	n        atomic.Int32
}

func (t *tally) of(account string) *counts {
	if c, ok := t.accounts.Load(account); ok {
		return c.(*counts)
	}
	if account != Others && t.n.Load() >= accountsMax {
		return t.of(Others)
	}
	c, had := t.accounts.LoadOrStore(account, new(counts))
	if !had {
		t.n.Add(1)
	}
	return c.(*counts)
}

func (t *tally) close(seconds float64) {
	t.accounts.Range(func(_, c any) bool {
		c.(*counts).close(seconds)
		return true
	})
}

// Count counts a request of an account that has ended. refused: a limit refused it.
func (l *Limiter) Count(account string, refused bool, in, out int64) {
	c := l.tally.of(account)
	c.add(in, out)
	if refused {
		c.refused.Add(1)
	}
}

// Taken returns what was taken in the last round: by accounts, and by whatever else has a limit.
func (l *Limiter) Taken() (out []Taken) {
	l.tally.accounts.Range(func(account, c any) bool {
		out = append(out, c.(*counts).taken(Subject{Account: account.(string)}.Name()))
		return true
	})
	if t := l.table.Load(); t != nil {
		for name, s := range t.byName {
			if s.User != "" || s.AccessKey != "" || s.Bucket != "" {
				out = append(out, s.counts.taken(name))
			}
		}
	}
	out = slices.DeleteFunc(out, func(t Taken) bool { return t == Taken{Name: t.Name} })
	slices.SortFunc(out, func(a, b Taken) int { return cmp.Compare(a.Name, b.Name) })
	return out
}
