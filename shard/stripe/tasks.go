package stripe

import (
	"errors"
	"sync"

	"github.com/cairnstore/cairn/cluster/errs"
)

// tasks are goroutines that may outlive the call that started them. It is no WaitGroup, whose Add
// must not be called while Wait waits: requests that a node could not wait for start tasks while it
// closes.
type tasks struct {
	mu      sync.Mutex
	idle    sync.Cond // Of mu: no task runs.
	running int
	closed  bool
}

// errClosed is the error of calls that come while the engine closes, or later.
var errClosed = errs.New("stripe", errs.Unavailable, errors.New("this node is shutting down"))

// start runs f in a goroutine of its own. After close it returns errClosed.
func (t *tasks) start(f func()) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return errClosed
	}
	t.running++
	go func() {
		defer t.end()
		f()
	}()
	return nil
}

func (t *tasks) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running--; t.running == 0 {
		t.idle.Broadcast()
	}
}

// close lets no task start any more and waits for those that run.
func (t *tasks) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for t.running > 0 {
		t.idle.Wait()
	}
}
