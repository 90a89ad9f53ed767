package transfer

import (
	"sync"
	"time"
)

// Progress is told how far an Engine is. It is called by several goroutines at once.
type Progress interface {
	Found(t Task)            // There is one more task.
	AllFound()               // There are no more.
	Moved(bytes int64)       // Bytes moved; negative: these are to be moved again.
	Ended(t Task, err error) // A task has ended. Nil: it is done.
}

// noProgress is told to nobody.
type noProgress struct{}

func (noProgress) Found(Task)        {}
func (noProgress) AllFound()         {}
func (noProgress) Moved(int64)       {}
func (noProgress) Ended(Task, error) {}

// rateOver is the time over which a rate is told.
const rateOver = 15 * time.Second

// Meter is a Progress that counts.
type Meter struct {
	now func() time.Time

	mu      sync.Mutex
	n       Counts
	samples []sample
}

type sample struct {
	at    time.Time
	moved int64
	ended int64
}

// Counts say how far an Engine is.
type Counts struct {
	Tasks, Bytes  int64 // Found so far.
	Complete      bool  // All are found.
	Ended, Failed int64
	Moved         int64
	Rate          float64       // Bytes a second, lately.
	TaskRate      float64       // Tasks a second, lately.
	Left          time.Duration // Until all is done at this rate; 0: not known.
}

// NewMeter returns a Meter with a clock.
func NewMeter(now func() time.Time) *Meter {
	return &Meter{now: now, samples: []sample{{at: now()}}}
}

// Found implements Progress.
func (m *Meter) Found(t Task) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n.Tasks++
	if t.Op != Delete {
		m.n.Bytes += max(t.Size, 0)
	}
}

// AllFound implements Progress.
func (m *Meter) AllFound() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n.Complete = true
}

// Moved implements Progress.
func (m *Meter) Moved(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n.Moved += bytes
}

// Ended implements Progress.
func (m *Meter) Ended(_ Task, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n.Ended++
	if err != nil {
		m.n.Failed++
	}
}

// Counts returns how far it is.
func (m *Meter) Counts() Counts {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	for len(m.samples) > 1 && now.Sub(m.samples[1].at) >= rateOver {
		m.samples = m.samples[1:]
	}
	n, first := m.n, m.samples[0]
	if last := m.samples[len(m.samples)-1]; now.Sub(last.at) >= time.Second/2 {
		m.samples = append(m.samples, sample{now, n.Moved, n.Ended})
	}
	if ran := now.Sub(first.at).Seconds(); ran > 0 {
		n.Rate = max(0, float64(n.Moved-first.moved)/ran)
		n.TaskRate = float64(n.Ended-first.ended) / ran
	}
	switch {
	case !n.Complete:
	case n.Bytes > n.Moved && n.Rate > 0:
		n.Left = time.Duration(float64(n.Bytes-n.Moved) / n.Rate * float64(time.Second))
	case n.Bytes == 0 && n.Tasks > n.Ended && n.TaskRate > 0:
		n.Left = time.Duration(float64(n.Tasks-n.Ended) / n.TaskRate * float64(time.Second))
	}
	return n
}
