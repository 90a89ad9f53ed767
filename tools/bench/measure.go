package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cairnstore/cairn/tools/load"
)

const (
	kib = int64(1) << 10
	mib = int64(1) << 20
	gib = int64(1) << 30
)

// work is what the measured part of a row has done.
type work struct {
	bytes    int64
	ops      int
	took     []time.Duration // How long each operation took.
	complete time.Duration   // How long CompleteMultipartUpload took, if there is one beside the operations.
}

// sample is one round of a row on one target. What is 0 was not measured.
type sample struct {
	Seconds    float64 `json:"seconds"`
	Bytes      int64   `json:"bytes,omitempty"`
	Ops        int     `json:"ops"`
	CPU        float64 `json:"cpu_s,omitempty"` // Of the server's processes.
	Peak       int64   `json:"peak_bytes,omitempty"`
	ClientCPU  float64 `json:"client_cpu_s"`
	P50        float64 `json:"p50_ms"`
	P99        float64 `json:"p99_ms"`
	CompleteMS float64 `json:"complete_ms,omitempty"`
	Formula    float64 `json:"formula_cpu_s,omitempty"` // What the primitives alone would have cost.
}

// turn is one round of a row on a target.
type turn struct {
	*target
	plan
	round  int
	sample sample
}

// measure does work with so many clients while the clock runs, and keeps what it cost. It reads the CPU
// time after a while, since what a server puts off until it has answered is part of the price. That
// clients connect is not part of it.
func (r *turn) measure(ctx context.Context, clients int, do func() (work, error)) error {
	if err := r.client.warm(ctx, clients); err != nil {
		return err
	}
	cpu, err := r.readCPU()
	if err != nil {
		return err
	}
	if r.procs.known() {
		if err := r.procs.resetPeak(); err != nil {
			r.coarse = err.Error()
		}
	}
	own, began := ownCPU(), time.Now()
	w, err := do()
	took, ownTook := time.Since(began), ownCPU()-own
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(r.settle):
	}
	after, err := r.readCPU()
	if err != nil {
		return err
	}
	r.sample = sample{Seconds: took.Seconds(), Bytes: w.bytes, Ops: w.ops, CPU: (after - cpu).Seconds(),
		ClientCPU: ownTook.Seconds(), P50: percentile(w.took, 0.50), P99: percentile(w.took, 0.99),
		CompleteMS: milliseconds(w.complete)}
	if r.procs.known() {
		r.sample.Peak, err = r.procs.peak()
	}
	return err
}

func (t *target) readCPU() (time.Duration, error) {
	if !t.procs.known() {
		return 0, nil
	}
	return t.procs.cpu()
}

// idle returns how much CPU time per second the server uses with nothing to do. It watches it for d.
func (t *target) idle(d time.Duration) (float64, error) {
	before, err := t.readCPU()
	if err != nil {
		return 0, err
	}
	time.Sleep(d)
	after, err := t.readCPU()
	return (after - before).Seconds() / d.Seconds(), err
}

// worker is one of so many clients that work at once.
type worker struct{ number, of int }

type workerKey struct{}

// each calls do for 0 to n-1, from so many clients at once, and returns how long each call took. The
// first error ends it and is returned.
func each(ctx context.Context, n, clients int, do func(ctx context.Context, i int) error) ([]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	took := make([]time.Duration, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range min(n, clients) {
		ctx := context.WithValue(ctx, workerKey{}, worker{w, clients})
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				began := time.Now()
				if err := do(ctx, i); err != nil {
					cancel(fmt.Errorf("operation %d of %d: %w", i+1, n, err))
					return
				}
				took[i] = time.Since(began)
			}
		})
	}
	wg.Wait()
	return took, context.Cause(ctx)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// percentile returns the milliseconds that a share q of all took at most (the nearest rank).
func percentile(took []time.Duration, q float64) float64 {
	if len(took) == 0 {
		return 0
	}
	rank := int(math.Ceil(q * float64(len(took))))
	return milliseconds(slices.Sorted(slices.Values(took))[max(rank, 1)-1])
}

// median returns the middle of values, or the mean of the two in the middle.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	mid := len(s) / 2
	if len(s)%2 == 1 {
		return s[mid]
	}
	return (s[mid-1] + s[mid]) / 2
}

// wrong returns the error of an answer that contradicts what was written.
func wrong(format string, args ...any) error {
	return &load.Mismatch{What: fmt.Sprintf(format, args...)}
}
