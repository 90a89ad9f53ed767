package upkeep

import (
	"context"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster"
)

// The states of a job.
const (
	StateIdle    = "idle"    // It has nothing to do, or waits for its next round.
	StateRunning = "running" // It has work, and a piece of it is under way.
	StatePaused  = "paused"  // An operator has paused it.
	StateFailed  = "failed"  // Its last round has failed; the next one tries again.
)

// Progress is how far a job is on this node. Totals are of the work that is known now, and grow where
// more is found.
type Progress struct {
	Job, State            string
	Done, Total           uint64 // Items, such as shards, slots or extents: Detail says which.
	DoneBytes, TotalBytes uint64 // 0 for a job that moves no bytes.
	Started               time.Time
	ETA                   time.Duration // 0: it is not known.
	Detail, Err           string
	Drive                 cluster.DriveID // Of a job that works on one drive; 0: it works on no single one.
	// Last is when a round last ended here, and Next when the next one begins; zero: not known, or
	// another node runs the job.
	Last, Next time.Time
}

// tracker keeps the report of one job. Safe for concurrent use.
type tracker struct {
	job    string
	paused func(job string) bool // May be nil.

	drive cluster.DriveID // 0: the job is of no single drive.

	mu         sync.Mutex
	p          Progress
	last, next time.Time
}

func newTracker(job string, drive cluster.DriveID, paused func(string) bool) *tracker {
	return &tracker{job: job, drive: drive, paused: paused, p: Progress{Job: job, State: StateIdle}}
}

// isPaused reports whether an operator has paused the job.
func (t *tracker) isPaused() bool { return t.paused != nil && t.paused(t.job) }

// begin begins a piece of work of some items and bytes, as far as is known.
func (t *tracker) begin(total, totalBytes uint64, detail string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.p = Progress{Job: t.job, State: StateRunning, Total: total, TotalBytes: totalBytes, Started: time.Now(), Detail: detail}
}

// resume goes on, in another round, with the piece of work that begin began.
func (t *tracker) resume() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.p.State = StateRunning
}

// running reports whether a piece of work is under way: begin was called, finish was not since then,
// and no round has failed.
func (t *tracker) running() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.p.State == StateRunning
}

// say replaces the detail of the report.
func (t *tracker) say(detail string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.p.Detail = detail
}

// grow adds to what is to be done.
func (t *tracker) grow(items, bytes uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.p.Total += items
	t.p.TotalBytes += bytes
}

// add adds to what is done.
func (t *tracker) add(items, bytes uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.p.Done += items
	t.p.DoneBytes += bytes
	t.p.Total = max(t.p.Total, t.p.Done)
	t.p.TotalBytes = max(t.p.TotalBytes, t.p.DoneBytes)
}

// left is for work that is counted elsewhere, and says how much of it is left now. The piece of work
// begins when there is some, and is finished when there is none.
func (t *tracker) left(items, bytes uint64, detail string) {
	switch {
	case items == 0:
		t.finish()
		return
	case !t.running():
		t.begin(items, bytes, detail)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.p.Detail = detail
	t.p.Total, t.p.TotalBytes = max(t.p.Total, items), max(t.p.TotalBytes, bytes)
	t.p.Done, t.p.DoneBytes = t.p.Total-items, t.p.TotalBytes-bytes
}

// finish ends the piece of work. The report shows what was done until the next one begins.
func (t *tracker) finish() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.p.State == StateRunning {
		t.p.State, t.p.Detail = StateIdle, ""
	}
}

// ended notes how a round of the job ended.
func (t *tracker) ended(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err != nil:
		t.p.State, t.p.Err = StateFailed, err.Error()
	case t.p.State == StateFailed:
		t.p.State, t.p.Err = StateIdle, ""
	}
}

// ran notes that a round has ended now, and how long after that the next one begins.
func (t *tracker) ran(pause time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = time.Now()
	t.next = t.last.Add(pause)
}

// leave makes the report that of a job with nothing to do, since another node runs it now: that its
// last round here has failed, or had work left, is true no more.
func (t *tracker) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.p.State, t.p.Detail, t.p.Err = StateIdle, "", ""
	t.next = time.Time{}
}

// progress returns the report as of now.
func (t *tracker) progress() Progress {
	t.mu.Lock()
	p := t.p
	p.Drive, p.Last, p.Next = t.drive, t.last, t.next
	t.mu.Unlock()
	if t.isPaused() {
		p.State, p.Next = StatePaused, time.Time{}
	}
	if p.State == StateRunning {
		p.ETA = eta(p, time.Since(p.Started))
	}
	return p
}

// eta returns how long the rest takes at the pace so far, which is that of bytes where the job moves
// any, else that of items.
func eta(p Progress, took time.Duration) time.Duration {
	done, total := p.DoneBytes, p.TotalBytes
	if total == 0 {
		done, total = p.Done, p.Total
	}
	if done == 0 || done >= total {
		return 0
	}
	return time.Duration(float64(took) / float64(done) * float64(total-done))
}

// pausedPoll is how often a paused job looks whether it may go on.
const pausedPoll = time.Second

// waitWhilePaused returns when the job is not paused, and false where ctx has ended.
func (t *tracker) waitWhilePaused(ctx context.Context) bool {
	for t.isPaused() {
		if !pause(ctx, pausedPoll) {
			return false
		}
	}
	return ctx.Err() == nil
}

// trackers keeps the reports of all jobs in the order in which they were made. Safe for concurrent
// use.
type trackers struct {
	paused func(job string) bool

	mu   sync.Mutex
	list []*tracker
}

// of returns the tracker of a job, and makes it when it is first asked for.
func (t *trackers) of(job string) *tracker { return t.ofDrive(job, 0) }

// ofDrive is of for a job that works on each drive by itself.
func (t *trackers) ofDrive(job string, drive cluster.DriveID) *tracker {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, have := range t.list {
		if have.job == job && have.drive == drive {
			return have
		}
	}
	made := newTracker(job, drive, t.paused)
	t.list = append(t.list, made)
	return made
}

func (t *trackers) progress() []Progress {
	t.mu.Lock()
	list := append([]*tracker(nil), t.list...)
	t.mu.Unlock()
	out := make([]Progress, len(list))
	for i, tr := range list {
		out[i] = tr.progress()
	}
	return out
}

// Jobs returns how far each job of this node is. A job of the whole cluster reports on the node that
// leads the metadata, and moves report on the node that gets the data.
func (u *Upkeep) Jobs() []Progress { return u.track.progress() }
