package raftlog

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
)

// slowWrite is how long a write may take without being reported.
const slowWrite = time.Second

// gate is what every write passes: it has a deadline, and closes for good at the
// first failure. It is also Pebble's logger, because Pebble reports a failed commit
// only there.
type gate struct {
	timeout time.Duration
	events  Events
	broken  atomic.Pointer[error]
}

// write runs f. If f fails or does not end in time, Fatal is called and the gate
// stays closed.
func (g *gate) write(op string, f func() error) error {
	if err := g.broken.Load(); err != nil {
		return *err
	}
	start := time.Now()
	deadline := time.AfterFunc(g.timeout, func() {
		g.fail(errs.Newf(op, errs.Unavailable,
			"a write of the Raft log has not ended within %v: the disk hangs", g.timeout))
	})
	err := f()
	deadline.Stop()
	if err != nil {
		g.fail(errs.Newf(op, errs.Internal, "a write of the Raft log failed: %w", err))
	}
	if err := g.broken.Load(); err != nil {
		return *err
	}
	if took := time.Since(start); took > slowWrite && g.events.WriteSlow != nil {
		g.events.WriteSlow(took)
	}
	return nil
}

func (g *gate) fail(err error) {
	if !g.broken.CompareAndSwap(nil, &err) {
		return
	}
	if g.events.Fatal == nil {
		panic(err)
	}
	g.events.Fatal(err)
}

// Infof implements pebble.Logger.
func (g *gate) Infof(string, ...any) {}

// Errorf implements pebble.Logger.
func (g *gate) Errorf(string, ...any) {}

// Fatalf implements pebble.Logger: Pebble cannot go on.
func (g *gate) Fatalf(format string, args ...any) {
	g.fail(errs.New("raftlog", errs.Internal, fmt.Errorf(format, args...)))
}
