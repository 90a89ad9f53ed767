package limit

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Round is how often nodes tell each other what is asked of them, and shares are computed.
const Round = time.Second

// deafAfter is how long a node that is down for the others, and says nothing, keeps its part. A node
// that is cut off answers nobody by then: it cannot learn whether accounts have changed.
const deafAfter = 5 * time.Second

// Limiter is the limits as a node holds to them. All methods are safe for concurrent use.
type Limiter struct {
	table atomic.Pointer[table] // Nil: there is no limit.
	tally tally

	mu    sync.Mutex // Of what follows, and of changes of table.
	nodes int        // As of the last Share; at least 1.
	last  time.Time  // When the last round was closed.
	heard map[uint64]time.Time
}

// table is the limits in force. It is never changed, but for what meters count.
type table struct {
	byName                         map[string]*subject
	accounts, users, keys, buckets map[string]*subject
}

// subject is what a node counts of one subject.
type subject struct {
	Subject
	meters [Measures]*meter // Nil: not limited.
	counts counts
}

// New returns a Limiter without limits.
func New() *Limiter {
	return &Limiter{nodes: 1, last: time.Now(), heard: map[uint64]time.Time{}}
}

// On reports whether there is any limit.
func (l *Limiter) On() bool { return l.table.Load() != nil }

// Set sets all limits, in place of those that were in force. What was counted of those that stay
// goes on.
func (l *Limiter) Set(limits map[Subject]Values) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.table.Load()
	t := &table{byName: map[string]*subject{}, accounts: map[string]*subject{}, users: map[string]*subject{},
		keys: map[string]*subject{}, buckets: map[string]*subject{}}
	for of, values := range limits {
		if values == (Values{}) {
			continue
		}
		s := &subject{Subject: of}
		var before *subject
		if old != nil {
			before = old.byName[of.Name()]
		}
		for m, v := range values {
			switch {
			case v == 0:
			case before != nil && before.meters[m] != nil:
				s.meters[m] = before.meters[m]
				s.meters[m].setLimit(float64(v), l.nodes)
			default:
				s.meters[m] = newMeter(Measure(m), float64(v), l.nodes)
			}
		}
		t.add(s)
	}
	if len(t.byName) == 0 {
		t = nil
	}
	l.table.Store(t)
}

func (t *table) add(s *subject) {
	t.byName[s.Name()] = s
	switch {
	case s.User != "":
		t.users[s.Name()] = s
	case s.AccessKey != "":
		t.keys[s.AccessKey] = s
	case s.Bucket != "":
		t.buckets[s.Bucket] = s
	default:
		t.accounts[s.Account] = s
	}
}

// find returns the subjects with limits that a request counts for.
func (t *table) find(w Subject) (out [4]*subject) {
	out[0] = t.accounts[w.Account]
	if w.User != "" && len(t.users) > 0 {
		out[1] = t.users[Subject{Account: w.Account, User: w.User}.Name()]
	}
	if w.AccessKey != "" {
		out[2] = t.keys[w.AccessKey]
	}
	if w.Bucket != "" {
		out[3] = t.buckets[w.Bucket]
	}
	return out
}

// Load is what a node tells of one measure of one subject.
type Load struct {
	Name    string // Of the subject.
	Measure Measure
	Limit   float64
	Share   float64 // Of the node that tells.
	Demand  float64 // What was asked of it, per second or at once.
	Rate    float64 // What it let through.
	Refused float64 // Requests that it refused, per second.
}

// Peer is another node, as it was heard in this round.
type Peer struct {
	ID    uint64
	Heard bool
	Down  bool               // Nobody hears it. It matters only where Heard is false.
	Loads map[LoadOf]float64 // Demands; what is not there is 0.
}

// LoadOf names a measure of a subject.
type LoadOf struct {
	Name    string
	Measure Measure
}

// Close ends a round: what was counted becomes what Loads tells.
func (l *Limiter) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	seconds := now.Sub(l.last).Seconds()
	if seconds <= 0 {
		return
	}
	l.last = now
	l.tally.close(seconds)
	t := l.table.Load()
	if t == nil {
		return
	}
	for _, s := range t.byName {
		s.counts.close(seconds)
		for _, m := range s.meters {
			if m != nil {
				m.close(seconds)
			}
		}
	}
}

// Loads returns what this node has to tell, as of the last Close, of what is used or asked for.
// If all is set, it tells of every limit.
func (l *Limiter) Loads(all bool) (out []Load) {
	t := l.table.Load()
	if t == nil {
		return nil
	}
	for name, s := range t.byName {
		for measure, m := range s.meters {
			if m == nil {
				continue
			}
			m.mu.Lock()
			load := Load{Name: name, Measure: Measure(measure), Limit: m.limit, Share: m.share,
				Demand: m.demand, Rate: m.rate, Refused: m.denied}
			m.mu.Unlock()
			if all || load.Demand > 0 {
				out = append(out, load)
			}
		}
	}
	slices.SortFunc(out, func(a, b Load) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Measure, b.Measure))
	})
	return out
}

// Share computes this node's shares from what it and the other nodes were asked for. peers are all
// other nodes of the cluster.
func (l *Limiter) Share(self uint64, peers []Peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.nodes = len(peers) + 1
	peers = slices.SortedFunc(slices.Values(peers), func(a, b Peer) int { return cmp.Compare(a.ID, b.ID) })
	known, reserved := peers[:0], 0
	heard := map[uint64]time.Time{}
	for _, p := range peers {
		at, before := l.heard[p.ID]
		switch {
		case p.Heard:
			heard[p.ID] = now
			known = append(known, p)
		case !before:
			heard[p.ID] = now // It is as new as this node's knowledge of it.
			reserved++
		case p.Down && now.Sub(at) > deafAfter:
			heard[p.ID] = at
		default:
			heard[p.ID] = at
			reserved++
		}
	}
	l.heard = heard
	t := l.table.Load()
	if t == nil {
		return
	}
	own, _ := slices.BinarySearchFunc(known, self, func(p Peer, id uint64) int { return cmp.Compare(p.ID, id) })
	for name, s := range t.byName {
		for measure, m := range s.meters {
			if m != nil {
				m.setShare(m.shareOf(LoadOf{name, Measure(measure)}, known, own, reserved))
			}
		}
	}
}

// shareOf computes the share of the node that comes before known[own].
func (m *meter) shareOf(of LoadOf, known []Peer, own, reserved int) float64 {
	m.mu.Lock()
	limit, demand := m.limit, m.demand
	m.mu.Unlock()
	demands := make([]float64, 0, len(known)+1)
	for _, p := range known {
		demands = append(demands, p.Loads[of])
	}
	shares := split(limit, slices.Insert(demands, own, demand), reserved)
	if m.measure == Concurrent {
		shares = whole(shares)
	}
	return shares[own]
}
