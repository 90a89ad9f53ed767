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
	// MaxAge bounds the age of the directory by which a node decides about a request: see
	// Keys.Lookup.
	MaxAge = time.Second

	// PollInterval is how long a node goes without asking whether the directory has changed. The
	// other half of MaxAge is left for the answer to arrive.
	PollInterval = MaxAge / 2

	entriesPage   = 1000
	readTimeout   = 10 * time.Second
	maxLoadRounds = 20

	// reloadPause is the pause after a failed try to load a change that this node has made.
	reloadPause = 100 * time.Millisecond

	// askInterval bounds how often requests with unknown access keys make the node ask for the
	// directory. Without it, anybody could have it asked at any rate, because no signature is
	// checked before.
	askInterval = 100 * time.Millisecond
	askTimeout  = readTimeout
)

// Directory is the directory in memory, kept current by Run.
type Directory struct {
	meta    meta.Client
	current atomic.Pointer[snapshot]
	loaded  atomic.Pointer[time.Time] // When the snapshot was last known to be current; nil: never.
	newest  atomic.Uint64             // The greatest revision of the directory that an answer carried.
	buckets atomic.Uint64             // The greatest revision of the buckets that an answer carried.
	made    atomic.Uint64             // The config revision of the latest change that this node has made.
	wake    chan struct{}             // Has room for one: asks Run to load.

	loading chan struct{} // Has room for one, which is there while a snapshot is loaded and watchers are told.
	page    uint32        // How many entries an answer may have.

	askMu   sync.Mutex
	pending *ask      // What callers of refreshSoon wait for and has not begun; nil: none.
	began   time.Time // When the last ask began.

	watchMu  sync.Mutex
	watchers []func()
}

// NewDirectory returns a directory that is empty until Refresh or Run loads it.
func NewDirectory(c meta.Client) *Directory {
	d := &Directory{meta: c, wake: make(chan struct{}, 1), loading: make(chan struct{}, 1), page: entriesPage}
	d.current.Store(newSnapshot(0, nil))
	return d
}

// OnChange has f called after each change of the directory, when the new snapshot is already in
// force. f must not call Refresh or Write, which would wait for f to return.
func (d *Directory) OnChange(f func()) {
	d.watchMu.Lock()
	defer d.watchMu.Unlock()
	d.watchers = append(d.watchers, f)
}

// Revision returns the config revision of the snapshot.
func (d *Directory) Revision() uint64 { return d.current.Load().revision }

// Age returns how long ago the snapshot was last known to be current; 0 if none was loaded yet.
func (d *Directory) Age() time.Duration {
	at := d.loaded.Load()
	if at == nil {
		return 0
	}
	return time.Since(*at)
}

// isCurrent reports whether the snapshot may decide about requests: it was current at most MaxAge
// ago, and has every change that this node has made.
func (d *Directory) isCurrent() bool {
	at := d.loaded.Load()
	return at != nil && time.Since(*at) <= MaxAge && d.current.Load().revision >= d.made.Load()
}

// fresh makes sure that the snapshot may decide about requests, and asks the metadata if need be.
// Errors: Unavailable, in which case the request must be refused: the snapshot may still know
// somebody who was disabled meanwhile.
func (d *Directory) fresh(ctx context.Context) error {
	if d.isCurrent() {
		return nil
	}
	if err := d.refreshSoon(ctx); err != nil {
		return errs.Newf("iam.fresh", errs.Unavailable, "this node cannot learn whether accounts and keys have changed: %w", err)
	}
	return nil
}

// NoteDirectory notes a revision of the directory that an answer of the metadata carried. If it is
// newer than the snapshot, Run loads the directory. It never blocks.
func (d *Directory) NoteDirectory(revision uint64) {
	if !raise(&d.newest, revision) || revision <= d.Revision() {
		return
	}
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Buckets returns a cache of the buckets that c knows. The cache forgets what it remembers when the
// directory learns of a newer revision of the buckets.
func (d *Directory) Buckets(c meta.Client) *bucket.Cache {
	return bucket.NewCache(d.Watch(c), d.buckets.Load)
}

// NoteBuckets notes a revision of the buckets that an answer of the metadata carried.
func (d *Directory) NoteBuckets(revision uint64) { raise(&d.buckets, revision) }

// note notes the revisions that an answer carries. Nodes of earlier releases answer with one
// revision for both.
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

// raise sets v to a value if that is greater, and reports whether it was.
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

// Run keeps the directory current until ctx ends. If a load fails, the next tick tries again.
func (d *Directory) Run(ctx context.Context) {
	ticker := time.NewTicker(PollInterval)
	defer ticker.Stop()
	var poll sync.WaitGroup // At most one is under way. What an answer tells meanwhile is followed at once.
	defer poll.Wait()
	polling, unchanged := false, make(chan bool, 1)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if !polling {
				polling = true
				poll.Go(func() { unchanged <- d.unchanged(ctx) })
			}
			continue
		case same := <-unchanged:
			if polling = false; same {
				continue
			}
		case <-d.wake:
			if d.Revision() >= d.newest.Load() {
				continue // It was loaded meanwhile.
			}
		}
		_ = d.Refresh(ctx)
	}
}

// Refresh loads the directory if it has changed. When it returns nil, the snapshot has every change
// that was acknowledged before the call. Errors: Unavailable.
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

// unchanged asks whether the directory is still the one that this node knows, and returns true then.
// All nodes ask that again and again, so the answer may take its time. Nobody waits for it meanwhile:
// a Refresh goes its own way.
func (d *Directory) unchanged(ctx context.Context) bool {
	asked := time.Now()
	q := &metapb.Query{Patient: true, Op: &metapb.Query_Entries{Entries: &metapb.ListEntries{
		Max: 1, HaveRevision: d.Revision(), Differences: true}}}
	a, err := d.query(ctx, q)
	if err != nil || !a.GetDirectory().GetUnchanged() {
		return false
	}
	for {
		had := d.loaded.Load()
		if had != nil && !had.Before(asked) || d.loaded.CompareAndSwap(had, &asked) {
			return true
		}
	}
}

// ask is a Refresh that several callers wait for.
type ask struct {
	done chan struct{}
	err  error
}

// refreshSoon is Refresh for a request that misses an entry. All requests that miss one share a
// Refresh, which begins after they asked. At most one begins in askInterval, whoever misses
// whatever. Errors: Unavailable.
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
		d.ask(context.WithoutCancel(ctx), a, wait) // Others wait for it too: it must not end with this request.
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
	time.Sleep(wait) // At most askInterval.
	d.askMu.Lock()
	d.pending, d.began = nil, time.Now()
	d.askMu.Unlock()
	a.err = d.Refresh(ctx)
}

func (d *Directory) read(ctx context.Context, q *metapb.ListEntries) (*metapb.Answer, error) {
	return d.query(ctx, &metapb.Query{Op: &metapb.Query_Entries{Entries: q}})
}

func (d *Directory) query(ctx context.Context, q *metapb.Query) (*metapb.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	a, err := d.meta.Read(ctx, q)
	if err == nil {
		d.note(a)
	}
	return a, err
}

// Watch returns a client of the metadata. The directory notes the revisions that the client's
// answers carry.
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
	// A new bucket changes nothing that a node may remember. Changes of the directory do not come
	// this way: Write makes them.
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

// Write makes a change of the directory, all or nothing, if every check holds, and loads it. It
// returns nil once the change is made, even if it could not be loaded before ctx ended; the node
// then decides about no request until it has loaded it. Errors: Precondition (a check does not
// hold; the snapshot has what there is now), NoSpace (the directory is full), Unavailable, Unknown.
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

// loadMade loads a change that this node has made. It tries until ctx ends.
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
