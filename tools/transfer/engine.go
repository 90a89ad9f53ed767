package transfer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// How an Engine works where its Options leave it open.
const (
	UsualPart     = 16 << 20
	UsualParallel = 8
	UsualCopyPart = 256 << 20

	CopyMax  = 5 << 30 // A larger object is copied in parts: S3's limit.
	partsMax = 10000   // Of an object: S3's limit.

	putMax        = 16 << 20 // Files up to this are read whole, then put.
	failuresTold  = 100      // Failures that are kept one by one.
	unreachedMax  = 10       // So many tasks in a row found no endpoint: the others are not tried.
	cleanupWithin = 15 * time.Second
)

// Op is what is done to an object or file.
type Op int

// The operations.
const (
	Copy   Op = iota
	Move      // Copy, then delete the source.
	Delete    // Delete To.
	Skip      // Nothing: it is as it should be.
)

// Task is one object or file to copy, move or delete.
type Task struct {
	Op       Op
	From, To Location
	Rel      string    // For a local To: the path below the directory To.Path. Empty: To.Path is the directory's own.
	Into     bool      // The local To.Path is no regular file, and is written into.
	Size     int64     // Of the source; negative: not known.
	Modified time.Time // Of the source, as it was listed.
	ETag     string    // Of a source or of a To that is deleted, as it was listed.
}

// Options say how an Engine works. The zero value is usable.
type Options struct {
	PartSize   int64 // Of uploads and downloads.
	CopyPart   int64 // Of copies inside the store.
	CopyMax    int64 // A larger object is copied in parts.
	Parallel   int   // Parts and small objects that are under way at once.
	StateDir   string
	NoChecksum bool // Uploads have none but that of the signature.
	Bypass     bool // Of the retention in governance mode.

	Headers  Headers
	Progress Progress
}

// Headers are what objects get that are written. What is empty is left to the source and the store.
type Headers struct {
	ContentType  string
	CacheControl string
	Class        string
	Metadata     map[string]string
	Tags         string // As a query: a=b&c=d.
}

// Engine does tasks.
type Engine struct {
	store *Store
	o     Options
	slots chan struct{}

	mu    sync.Mutex
	roots map[string]*os.Root
}

// New returns an Engine. Close it.
func New(s *Store, o Options) *Engine {
	if o.PartSize <= 0 {
		o.PartSize = UsualPart
	}
	if o.CopyPart <= 0 {
		o.CopyPart = UsualCopyPart
	}
	if o.CopyMax <= 0 {
		o.CopyMax = CopyMax
	}
	if o.Parallel <= 0 {
		o.Parallel = UsualParallel
	}
	if o.Progress == nil {
		o.Progress = noProgress{}
	}
	return &Engine{store: s, o: o, slots: make(chan struct{}, o.Parallel), roots: map[string]*os.Root{}}
}

// Close releases the directories that it wrote to.
func (e *Engine) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.roots {
		_ = r.Close()
	}
	e.roots = nil
}

// Result is what a run has done.
type Result struct {
	Copied, Deleted, Skipped, Failed int64
	Bytes                            int64 // Copied.
	Resumed                          int64 // Bytes that were there from an earlier run.
	Unverified                       int64 // Downloads that the store gave no checksum for.
	Kept                             int64 // Tasks that the next run takes up where they ended.
	Failures                         []*Failure
}

// run is a run of an Engine.
type run struct {
	*Engine
	mu        sync.Mutex
	result    Result
	unreached int
}

// errUnreached ends a run whose endpoint does not answer.
var errUnreached = errors.New("the endpoint does not answer; the rest was not tried")

// Run does tasks, several at once. A *Failure among the tasks is counted as one. It returns an error if
// the tasks end with one, if ctx ends, or if the endpoint cannot be reached any more; then too the result
// tells what was done.
func (e *Engine) Run(ctx context.Context, tasks iter.Seq2[Task, error]) (Result, error) {
	r := &run{Engine: e}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(e.o.Parallel)
	batches := map[string][]Task{}
	flush := func(bucket string) {
		batch := batches[bucket]
		delete(batches, bucket)
		g.Go(func() error { return r.deleteAll(gctx, bucket, batch) })
	}
	err := func() error {
		for t, err := range tasks {
			var f *Failure
			switch {
			case errors.As(err, &f):
				r.end(Task{From: f.At}, err)
				continue
			case err != nil:
				return err
			case gctx.Err() != nil:
				return gctx.Err()
			case t.Op == Skip:
				r.mu.Lock()
				r.result.Skipped++
				r.mu.Unlock()
				continue
			}
			e.o.Progress.Found(t)
			if t.Op == Delete && t.To.Kind == Object {
				batches[t.To.Bucket] = append(batches[t.To.Bucket], t)
				if len(batches[t.To.Bucket]) == deleteMaxKeys {
					flush(t.To.Bucket)
				}
				continue
			}
			g.Go(func() error { return r.end(t, r.do(gctx, t)) })
		}
		e.o.Progress.AllFound()
		return nil
	}()
	if err == nil {
		for bucket := range batches {
			flush(bucket)
		}
	}
	if gerr := g.Wait(); gerr != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = gerr
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return r.result, err
}

// end counts a task that has ended. Its error ends the run.
func (r *run) end(t Task, err error) error {
	if err != nil && errors.Is(err, context.Canceled) {
		return err // It is the whole that ended.
	}
	r.o.Progress.Ended(t, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil && t.Op == Delete:
		r.result.Deleted++
	case err == nil:
		r.result.Copied++
	case Skipped(err):
		r.result.Skipped++
		r.tell(t, err)
	default:
		r.result.Failed++
		r.tell(t, err)
	}
	if err == nil || !Unreachable(err) {
		r.unreached = 0
		return nil
	}
	if r.unreached++; r.unreached >= unreachedMax {
		return errUnreached
	}
	return nil
}

// tell keeps a failure, if there are not too many.
func (r *run) tell(t Task, err error) {
	if len(r.result.Failures) >= failuresTold {
		return
	}
	at := t.From
	if t.Op == Delete {
		at = t.To
	}
	var f *Failure
	if !errors.As(err, &f) {
		f = &Failure{at, err}
	}
	r.result.Failures = append(r.result.Failures, f)
}

func (r *run) count(f func(*Result)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.result)
}

// do does a task that is not the deletion of an object.
func (r *run) do(ctx context.Context, t Task) error {
	if t.Op == Delete {
		return r.deleteFile(t)
	}
	var err error
	from, to := t.From.Kind, t.To.Kind
	switch {
	case from == Object && to == Object:
		t, err = r.copyObject(ctx, t)
	case from == Object:
		t, err = r.download(ctx, t)
	case to == Object:
		t, err = r.upload(ctx, t)
	default:
		err = errors.New("one of both must be " + Scheme + "BUCKET")
	}
	if err != nil || t.Op != Move {
		return err
	}
	if err := r.deleteSource(ctx, t); err != nil {
		return fmt.Errorf("it was copied to %s, but is still here: %w", t.To, err)
	}
	return nil
}

// acquire waits until one more part may be under way. The caller must call release.
func (e *Engine) acquire(ctx context.Context) error {
	select {
	case e.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *Engine) release() { <-e.slots }

// partsOf returns the size of the parts of an object, no more than may be, and how many there are.
func partsOf(size, part int64) (int64, int) {
	const unit = 1 << 20
	if size > part*partsMax {
		part = ((size+partsMax-1)/partsMax + unit - 1) / unit * unit
	}
	return part, int((size + part - 1) / part)
}

// eachPart calls f for all parts, as many at once as there are slots.
func (e *Engine) eachPart(ctx context.Context, parts int, f func(ctx context.Context, i int) error) error {
	g, gctx := errgroup.WithContext(ctx)
	for i := range parts {
		if err := e.acquire(gctx); err != nil {
			break // The reason is that of the group, or of ctx.
		}
		g.Go(func() error {
			defer e.release()
			return f(gctx, i)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}
