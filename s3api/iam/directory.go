package iam

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
)

const (
	// MaxAge is how long ago what a node knows of the directory may have been current
	// when it decides about a request: see Keys.Lookup.
	MaxAge = time.Second

	// PollInterval is how long a node may go without asking whether the directory
	// has changed. It leaves an answer half of MaxAge to arrive.
	PollInterval = MaxAge / 2

	entriesPage   = 1000
	readTimeout   = 10 * time.Second
	maxLoadRounds = 20

	// reloadPause is the pause before a change that was made is read again, where that failed.
	reloadPause = 100 * time.Millisecond

	// askInterval bounds how often requests with unknown access keys may have the
	// directory asked for.
	askInterval = 100 * time.Millisecond
	askTimeout  = readTimeout
)

// Directory is the directory in memory.
type Directory struct {
	meta    meta.Client
	current atomic.Pointer[snapshot]
	loaded  atomic.Pointer[time.Time] // When it was last known to be current; nil: never.
	newest  atomic.Uint64             // The greatest revision of the directory that any answer told of.
	buckets atomic.Uint64             // The same of buckets.
	made    atomic.Uint64             // The config revision of the last change that this node has made.
	wake    chan struct{}             // Of one: asks Run to load.

	loading chan struct{} // Of one: taken while a snapshot is loaded and told of.
	page    uint32        // Entries that one answer has.

	askMu   sync.Mutex
	pending *ask      // Of those who miss an entry; nil: nobody does.
	began   time.Time // The last one.

	watchMu  sync.Mutex
	watchers []func()
}

// NewDirectory returns an empty directory; Refresh loads it.
func NewDirectory(c meta.Client) *Directory {
	d := &Directory{meta: c, wake: make(chan struct{}, 1), loading: make(chan struct{}, 1), page: entriesPage}
	d.current.Store(newSnapshot(0, nil))
	return d
}

// OnChange has f called after each change, with the new snapshot in force. f must
// not call Refresh or Write.
func (d *Directory) OnChange(f func()) {
	d.watchMu.Lock()
	defer d.watchMu.Unlock()
	d.watchers = append(d.watchers, f)
}

// Revision returns the config revision that the snapshot was read at.
func (d *Directory) Revision() uint64 { return d.current.Load().revision }

// Age returns how long ago the snapshot was last known to be current; 0 before it
// was loaded.
func (d *Directory) Age() time.Duration {
	at := d.loaded.Load()
	if at == nil {
		return 0
	}
	return time.Since(*at)
}

// isCurrent reports whether requests may be decided by what this node knows: it was
// current a short while ago, and holds every change that this node has made.
func (d *Directory) isCurrent() bool {
	at := d.loaded.Load()
	return at != nil && time.Since(*at) <= MaxAge && d.current.Load().revision >= d.made.Load()
}

// fresh returns nil when requests may be decided by what this node knows, and asks the
// metadata first if need be. Errors: Unavailable: who was disabled meanwhile would be
// let in.
func (d *Directory) fresh(ctx context.Context) error {
	if d.isCurrent() {
		return nil
	}
	if err := d.refreshSoon(ctx); err != nil {
		return errs.Newf("iam.fresh", errs.Unavailable, "this node cannot learn whether accounts and keys have changed: %w", err)
	}
	return nil
}

// NoteDirectory tells of a revision of the directory that an answer of the metadata
// carried. A newer one than the snapshot's makes Run load it. It never blocks.
func (d *Directory) NoteDirectory(revision uint64) {
	if !raise(&d.newest, revision) || revision <= d.Revision() {
		return
	}
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Buckets returns a cache of the buckets that c knows: what the directory is told of them
// ends what the cache remembers.
func (d *Directory) Buckets(c meta.Client) *bucket.Cache {
	return bucket.NewCache(d.Watch(c), d.buckets.Load)
}

// NoteBuckets tells of a revision of the buckets that an answer of the metadata carried.
func (d *Directory) NoteBuckets(revision uint64) { raise(&d.buckets, revision) }

// note tells of the revisions that an answer carries. Nodes of earlier releases have one
// for both.
func (d *Directory) note(a *metapb.Answer) {
	directory, buckets := a.DirectoryRevision, a.BucketsRevision
	if directory == 0 {
		directory = a.ConfigRevision
	}
	if buckets == 0 {
		buckets = a.ConfigRevision
	}
	d.NoteDirectory(directory)
	d.NoteBuckets(buckets)
}

// raise sets v to a greater value, and reports whether it is greater.
func raise(v *atomic.Uint64, to uint64) bool {
	for {
		have := v.Load()
		if to <= have {
			return false
		}
		if v.CompareAndSwap(have, to) {
			return true
		}
	}
}

// Run keeps the directory current until ctx ends. Failed loads are tried again.
func (d *Directory) Run(ctx context.Context) {
	ticker := time.NewTicker(PollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-d.wake:
			if d.Revision() >= d.newest.Load() {
				continue // Loaded since.
			}
		}
		_ = d.Refresh(ctx)
	}
}

// Refresh loads the directory if it has changed. When it returns nil, everything
// acknowledged before the call is known. Errors: Unavailable.
func (d *Directory) Refresh(ctx context.Context) error {
	select {
	case d.loading <- struct{}{}:
	case <-ctx.Done():
		return errs.New("iam.Refresh", errs.Unavailable, context.Cause(ctx))
	}
	defer func() { <-d.loading }()
	asked := time.Now()
	s, changed, err := d.load(ctx)
	if err != nil {
		return errs.Wrap("iam.Refresh", err)
	}
	d.current.Store(s)
	d.loaded.Store(&asked)
	if !changed {
		return nil
	}
	d.watchMu.Lock()
	watchers := d.watchers
	d.watchMu.Unlock()
	for _, f := range watchers {
		f()
	}
	return nil
}

// ask is a Refresh that several wait for.
type ask struct {
	done chan struct{}
	err  error
}

// refreshSoon is Refresh for someone who misses an entry: all who do share one that
// begins after they asked, and one begins at most every askInterval, whoever misses
// what. Errors: Unavailable.
func (d *Directory) refreshSoon(ctx context.Context) error {
	d.askMu.Lock()
	a, first := d.pending, d.pending == nil
	if first {
		a = &ask{done: make(chan struct{})}
		d.pending = a
	}
	wait := askInterval - time.Since(d.began)
	d.askMu.Unlock()
	if first {
		d.ask(context.WithoutCancel(ctx), a, wait) // Others wait for it too.
		return a.err
	}
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
		return errs.New("iam.Refresh", errs.Unavailable, context.Cause(ctx))
	}
}

func (d *Directory) ask(ctx context.Context, a *ask, wait time.Duration) {
	defer close(a.done)
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	time.Sleep(wait) // askInterval at most.
	d.askMu.Lock()
	d.pending, d.began = nil, time.Now()
	d.askMu.Unlock()
	a.err = d.Refresh(ctx)
}

func (d *Directory) read(ctx context.Context, q *metapb.ListEntries) (*metapb.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	a, err := d.meta.Read(ctx, &metapb.Query{Op: &metapb.Query_Entries{Entries: q}})
	if err == nil {
		d.note(a)
	}
	return a, err
}

// Watch returns a client of the metadata whose answers tell the directory of their
// revisions.
func (d *Directory) Watch(c meta.Client) meta.Client { return &watched{c, d} }

type watched struct {
	meta.Client
	directory *Directory
}

// Read implements meta.Client.
func (w *watched) Read(ctx context.Context, q *metapb.Query) (*metapb.Answer, error) {
	a, err := w.Client.Read(ctx, q)
	if err == nil {
		w.directory.note(a)
	}
	return a, err
}

// Propose implements meta.Client.
func (w *watched) Propose(ctx context.Context, cmd *metapb.Command) (*metapb.Result, error) {
	r, err := w.Client.Propose(ctx, cmd)
	// A bucket that is made is no change of any that a node may remember. Changes of the
	// directory are made by Write.
	if err == nil && cmd.GetCreateBucket() == nil {
		w.directory.NoteBuckets(r.ConfigRevision)
	}
	return r, err
}

// Get returns an entry, which must not be changed; nil if there is none.
func (d *Directory) Get(kind metapb.EntryKind, name string) *metapb.Entry {
	return d.current.Load().entry(kind, name)
}

// List returns the entries of a kind by name. They must not be changed.
func (d *Directory) List(kind metapb.EntryKind) []*metapb.Entry {
	return d.current.Load().under(kind, "")
}

// Settings returns the cluster's settings by name.
func (d *Directory) Settings() map[string]string { return d.current.Load().settingsByName() }

// Write changes the directory, all or nothing, if every check holds, and loads the
// change. A change that was made is told as made: where it cannot be loaded while ctx
// lasts, this node decides about no request until it is. Errors: Precondition (a check
// does not hold; the directory shows what is there now), NoSpace (it is full),
// Unavailable, Unknown.
func (d *Directory) Write(ctx context.Context, checks []*metapb.EntryCheck, put []*metapb.Entry, remove []*metapb.EntryName) error {
	const op = "iam.Write"
	r, err := d.meta.Propose(ctx, &metapb.Command{Op: &metapb.Command_WriteEntries{
		WriteEntries: &metapb.WriteEntries{Checks: checks, Put: put, Delete: remove}}})
	if err != nil {
		return errs.Wrap(op, err)
	}
	if r.Refusal == metapb.Refusal_REFUSAL_NONE {
		d.loadMade(ctx, r.ConfigRevision)
		return nil
	}
	if err := d.Refresh(ctx); err != nil {
		return err
	}
	switch r.Refusal {
	case metapb.Refusal_REFUSAL_ENTRY_CHANGED:
		return errs.Newf(op, errs.Precondition, "someone else changed %s meanwhile: look again and repeat", r.Detail)
	case metapb.Refusal_REFUSAL_TOO_MANY:
		return errs.Newf(op, errs.NoSpace, "the directory of accounts, users and keys is full")
	}
	return errs.Newf(op, errs.Internal, "%v: %s", r.Refusal, r.Detail)
}

// loadMade loads a change that this node has made, and tries again while ctx lasts.
func (d *Directory) loadMade(ctx context.Context, revision uint64) {
	raise(&d.made, revision)
	for d.Refresh(ctx) != nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(reloadPause):
		}
	}
}
