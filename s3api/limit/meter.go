package limit

import (
	"math"
	"sync"
	"time"
)

const (
	// burst is how much of a share may be taken at once after a pause.
	burst = time.Second
	// chunkMin and chunkMax bound how many bytes are let through before their time is waited for.
	chunkMin, chunkMax = 1 << 10, 64 << 10
	// chunksPerSecond is into how many pieces a second's bytes are cut.
	chunksPerSecond = 8
	// debtMax is how far bytes under way may have run ahead. A request that would come on top is
	// refused, which bounds how many wait and hold buffers.
	debtMax = 2 * time.Second
	// waitMore asks for more than was let through where bytes had to wait: by this factor, and by
	// this part of the limit. Without it a node that is held back would seem to want no more.
	waitFactor, waitDivisor = 1.5, 10
	// Bytes of a request of largeBytes or more hold buffers for long, so at most streamsMin of them,
	// or one for each streamBytes of the share, are paced at once on a node.
	largeBytes  = 1 << 20
	streamsMin  = 8
	streamBytes = 256 << 10
)

// Meter is a node's share of the limit of one measure of one subject.
type meter struct {
	measure Measure

	mu      sync.Mutex
	limit   float64 // Of the cluster.
	share   float64 // Of this node.
	tokens  float64 // Negative: bytes that were let through ahead of their time.
	at      time.Time
	streams int
	held    float64 // Requests under way, of Concurrent.

	// Since the last close.
	asked, took, refused, most float64
	waited                     bool

	demand float64 // As the other nodes are told.
	rate   float64 // What was let through, per second.
	denied float64 // What was refused, per second.
}

// newMeter returns a meter whose share is that of one of several nodes, with a full bucket.
func newMeter(m Measure, limit float64, nodes int) *meter {
	out := &meter{measure: m, at: time.Now()}
	out.setLimit(limit, nodes)
	out.tokens = out.burst()
	return out
}

// setLimit changes the limit. Until shares are computed anew, the node takes an even one.
func (m *meter) setLimit(limit float64, nodes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.limit != limit {
		m.fill()
		m.limit, m.share = limit, limit/float64(max(1, nodes))
		if m.measure == Concurrent {
			m.share = math.Ceil(m.share)
		}
	}
}

func (m *meter) setShare(share float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fill()
	m.share = share
}

func (m *meter) ofBytes() bool { return m.measure == BytesIn || m.measure == BytesOut }

func (m *meter) burst() float64 {
	least := 1.0
	if m.ofBytes() {
		least = chunkMax
	}
	return max(least, m.share*burst.Seconds())
}

// fill adds the tokens of the time since it was last called. m.mu is held.
func (m *meter) fill() {
	now := time.Now()
	m.tokens = min(m.burst(), m.tokens+m.share*now.Sub(m.at).Seconds())
	m.at = now
}

// take takes one request. Otherwise it returns after how long there may be room; 0: it was taken.
func (m *meter) take() (later time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	if m.measure == Concurrent {
		if m.held+1 > m.share {
			m.refused++
			return time.Second
		}
		m.held++
		m.most = max(m.most, m.held)
		m.took++
		return 0
	}
	m.fill()
	if m.tokens < 1 {
		m.refused++
		return m.until(1)
	}
	m.tokens--
	m.took++
	return 0
}

// until returns how long it takes until there are so many tokens. m.mu is held.
func (m *meter) until(tokens float64) time.Duration {
	if m.share <= 0 {
		return time.Second
	}
	return time.Duration(min((tokens-m.tokens)/m.share, math.MaxInt32) * float64(time.Second))
}

// untake takes back a take of a request that another meter refused.
func (m *meter) untake() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked--
	m.took--
	if m.measure == Concurrent {
		m.held--
		return
	}
	m.tokens++
}

// release ends a request of Concurrent.
func (m *meter) release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held--
}

// owes returns how long the bytes that were let through ahead of their time take.
func (m *meter) owes() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fill()
	if m.tokens >= 0 {
		return 0
	}
	m.waited = true
	return m.until(0)
}

// refuse counts a request that is refused because of what is owed.
func (m *meter) refuse() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused++
}

// spend counts bytes that went through.
func (m *meter) spend(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fill()
	m.tokens -= float64(n)
	m.took += float64(n)
}

// chunk returns how many bytes may go through at once.
func (m *meter) chunk() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return int(min(chunkMax, max(chunkMin, m.share/chunksPerSecond)))
}

// beginStream begins a large body, and reports whether there was room for it.
func (m *meter) beginStream() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if float64(m.streams) >= max(streamsMin, m.share/streamBytes) {
		m.waited = true
		return false
	}
	m.streams++
	return true
}

func (m *meter) endStream() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.streams--
}

// close ends a round of so many seconds: it computes what the other nodes are told. Demand follows
// what was asked in a few rounds, so that one round's chance does not move shares.
func (m *meter) close(seconds float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rate, m.denied = m.took/seconds, m.refused/seconds
	want := m.asked / seconds
	switch {
	case m.measure == Concurrent:
		want, m.rate = min(m.limit, max(m.most, m.held)+m.refused), m.held
	case m.ofBytes():
		if want = m.rate; m.waited {
			want = m.rate*waitFactor + m.limit/waitDivisor
		}
	}
	if m.demand = (m.demand + want) / 2; m.demand < m.limit/1000 && want == 0 {
		m.demand = 0
	}
	m.asked, m.took, m.refused, m.most, m.waited = 0, 0, 0, m.held, false
}
