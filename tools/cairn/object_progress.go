package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// tally counts what `cairn object rm` found and did. It is what -o json shows.
type tally struct {
	mu       sync.Mutex
	complete bool // All is found.

	Bucket       string            `json:"bucket"`
	Prefix       string            `json:"prefix"`
	Versions     bool              `json:"versions"`
	DryRun       bool              `json:"dry_run"`
	Interrupted  bool              `json:"interrupted"` // There may be more than was found.
	Found        uint64            `json:"found"`
	FoundBytes   uint64            `json:"found_bytes"`
	Deleted      uint64            `json:"deleted"`
	DeletedBytes uint64            `json:"deleted_bytes"`
	Failed       uint64            `json:"failed"`
	FailedFor    map[string]uint64 `json:"failed_for"` // By S3's code.
	Failures     []notDeleted      `json:"failures"`   // The first of them.
}

func (t *tally) find(found []listed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Found += uint64(len(found))
	t.FoundBytes += sizes(found)
}

func (t *tally) foundAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.complete = true
}

// add counts a page of objects, of which some are left.
func (t *tally) add(page []listed, left []notDeleted) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Deleted += uint64(len(page) - len(left))
	t.DeletedBytes += sizes(page) - sizes(still(page, left))
	t.Failed += uint64(len(left))
	for _, f := range left {
		t.FailedFor[f.Code]++
		if len(t.Failures) < removeFailuresMax {
			t.Failures = append(t.Failures, f)
		}
	}
}

func sizes(page []listed) (sum uint64) {
	for _, o := range page {
		sum += o.Size
	}
	return sum
}

// still returns those of a page that are left.
func still(page []listed, left []notDeleted) (out []listed) {
	type name struct{ key, version string }
	is := map[name]bool{}
	for _, f := range left {
		is[name{f.Key, f.VersionID}] = true
	}
	for _, o := range page {
		if is[name{o.Key, o.VersionID}] {
			out = append(out, o)
		}
	}
	return out
}

// line says how far it is.
func (t *tally) line(ran time.Duration) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.DryRun {
		return fmt.Sprintf("%d found", t.Found)
	}
	done, more := t.Deleted+t.Failed, ""
	if !t.complete {
		more = " found so far"
	}
	line := fmt.Sprintf("%s %d of %d%s deleted, %.0f/s", bar(done, t.Found), t.Deleted, t.Found, more, float64(done)/max(ran.Seconds(), 1e-3))
	if t.Failed > 0 {
		line += fmt.Sprintf(", %d failed", t.Failed)
	}
	return line
}

// How often progress is told.
const (
	progressOnTerminal = 200 * time.Millisecond
	progressElsewhere  = 5 * time.Second
)

// progress tells how far a tally is until it is closed.
type progress struct {
	stop chan struct{}
	done sync.WaitGroup
}

// newProgress begins to tell: in one line on a terminal, in lines elsewhere.
func newProgress(notes io.Writer, t *tally) *progress {
	p := &progress{stop: make(chan struct{})}
	tty := newScreen(notes).tty != nil && !t.DryRun // A dry run writes its list there.
	pause, began := progressElsewhere, time.Now()
	if tty {
		pause = progressOnTerminal
	}
	p.done.Go(func() {
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for {
			select {
			case <-p.stop:
				if tty {
					_, _ = fmt.Fprint(notes, "\r"+t.line(time.Since(began))+clearLine+"\n")
				}
				return
			case <-tick.C:
			}
			// Whether anybody reads it does not matter to the work.
			if tty {
				_, _ = fmt.Fprint(notes, "\r"+t.line(time.Since(began))+clearLine)
			} else {
				_, _ = fmt.Fprintln(notes, t.line(time.Since(began)))
			}
		}
	})
	return p
}

func (p *progress) close() {
	close(p.stop)
	p.done.Wait()
}
