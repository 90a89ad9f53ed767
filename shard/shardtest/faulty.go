package shardtest

import (
	"context"
	"io"
	"sync"

	"github.com/cairnstore/cairn/shard"
)

// Call names one kind of call that a Faulty passes on.
type Call uint8

// The calls.
const (
	CallCreate Call = iota
	CallWrite
	CallCommit
	CallOpen
	CallRead
	CallStat
	CallDelete
)

// Fault is what happens at a call. The zero Fault does nothing.
type Fault struct {
	Err     error // The call fails with it, without reaching the store.
	Hang    bool  // The call waits until Heal, or until its context ends where it has one.
	Corrupt bool  // Of CallRead: one bit of what was read is flipped.
	After   bool  // Err comes after the call has had its effect (a lost answer).
}

// Faulty is a Store around another that fails, hangs or corrupts at chosen
// calls. It is safe for concurrent use.
type Faulty struct {
	under shard.Store

	mu     sync.Mutex
	decide func(call Call, n int, id shard.ID) Fault
	counts map[Call]int
	healed chan struct{}
}

var _ shard.Store = (*Faulty)(nil)

// NewFaulty returns a Faulty around under, without faults.
func NewFaulty(under shard.Store) *Faulty {
	return &Faulty{under: under, counts: make(map[Call]int), healed: make(chan struct{})}
}

// Set makes decide say what happens at each call from now on: n counts the calls
// of that kind from 0. id is the zero ID for CallDelete. decide is called with
// a lock held and must not call the Faulty.
func (f *Faulty) Set(decide func(call Call, n int, id shard.ID) Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.decide = decide
	clear(f.counts)
}

// Fail makes every call fail with err.
func (f *Faulty) Fail(err error) {
	f.Set(func(Call, int, shard.ID) Fault { return Fault{Err: err} })
}

// FailAt makes the n-th call (from 0) of a kind fail with err.
func (f *Faulty) FailAt(call Call, n int, err error) {
	f.Set(func(c Call, i int, _ shard.ID) Fault {
		if c == call && i == n {
			return Fault{Err: err}
		}
		return Fault{}
	})
}

// HangOn makes every call of a kind hang.
func (f *Faulty) HangOn(call Call) {
	f.Set(func(c Call, _ int, _ shard.ID) Fault { return Fault{Hang: c == call} })
}

// Heal ends all faults and lets hanging calls go on.
func (f *Faulty) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.decide = nil
	clear(f.counts)
	close(f.healed)
	f.healed = make(chan struct{})
}

// Count returns how many calls of a kind there were since Set or Heal.
func (f *Faulty) Count(call Call) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[call]
}

// at counts a call and returns its fault, after the hanging.
func (f *Faulty) at(ctx context.Context, call Call, id shard.ID) Fault {
	f.mu.Lock()
	n := f.counts[call]
	f.counts[call]++
	var fault Fault
	if f.decide != nil {
		fault = f.decide(call, n, id)
	}
	healed := f.healed
	f.mu.Unlock()
	if fault.Hang {
		select {
		case <-healed:
		case <-ctx.Done():
			if fault.Err == nil {
				fault.Err = ctx.Err()
			}
		}
	}
	return fault
}

func (fault Fault) before() error {
	if fault.After {
		return nil
	}
	return fault.Err
}

// Create implements shard.Store.
func (f *Faulty) Create(ctx context.Context, h shard.Header) (shard.Writer, error) {
	fault := f.at(ctx, CallCreate, h.ID)
	if err := fault.before(); err != nil {
		return nil, err
	}
	w, err := f.under.Create(ctx, h)
	if err == nil && fault.Err != nil {
		w.Abort()
		err = fault.Err
	}
	if err != nil {
		return nil, err
	}
	return &faultyWriter{f: f, id: h.ID, w: w, ctx: context.WithoutCancel(ctx)}, nil
}

// Open implements shard.Store.
func (f *Faulty) Open(ctx context.Context, id shard.ID, span shard.Span) (io.ReadCloser, error) {
	if fault := f.at(ctx, CallOpen, id); fault.Err != nil {
		return nil, fault.Err
	}
	r, err := f.under.Open(ctx, id, span)
	if err != nil {
		return nil, err
	}
	return &faultyReader{f: f, id: id, r: r, ctx: ctx}, nil
}

// Stat implements shard.Store.
func (f *Faulty) Stat(ctx context.Context, id shard.ID) (shard.Header, error) {
	if fault := f.at(ctx, CallStat, id); fault.Err != nil {
		return shard.Header{}, fault.Err
	}
	return f.under.Stat(ctx, id)
}

// Delete implements shard.Store.
func (f *Faulty) Delete(ctx context.Context, ids []shard.ID) error {
	fault := f.at(ctx, CallDelete, shard.ID{})
	if err := fault.before(); err != nil {
		return err
	}
	if err := f.under.Delete(ctx, ids); err != nil {
		return err
	}
	return fault.Err
}

type faultyWriter struct {
	f   *Faulty
	id  shard.ID
	w   shard.Writer
	ctx context.Context // Of Create, without its end: Write has none of its own.
}

func (w *faultyWriter) Write(p []byte) (int, error) {
	fault := w.f.at(w.ctx, CallWrite, w.id)
	if err := fault.before(); err != nil {
		return 0, err
	}
	n, err := w.w.Write(p)
	if err == nil {
		err = fault.Err
	}
	return n, err
}

func (w *faultyWriter) Commit(ctx context.Context) error {
	fault := w.f.at(ctx, CallCommit, w.id)
	if err := fault.before(); err != nil {
		w.w.Abort()
		return err
	}
	if err := w.w.Commit(ctx); err != nil {
		return err
	}
	return fault.Err
}

func (w *faultyWriter) Abort() { w.w.Abort() }

type faultyReader struct {
	f   *Faulty
	id  shard.ID
	r   io.ReadCloser
	ctx context.Context // Of Open, which governs the reading.
}

func (r *faultyReader) Read(p []byte) (int, error) {
	fault := r.f.at(r.ctx, CallRead, r.id)
	if fault.Err != nil {
		return 0, fault.Err
	}
	n, err := r.r.Read(p)
	if fault.Corrupt && n > 0 {
		p[n/2] ^= 1
	}
	return n, err
}

func (r *faultyReader) Close() error { return r.r.Close() }
