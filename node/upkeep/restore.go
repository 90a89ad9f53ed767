package upkeep

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
)

// Restores makes warm copies of cold versions, and drops them. Both take an item of
// WORK_RESTORES and may be repeated; a version that is gone meanwhile is no error.
type Restores interface {
	Warm(ctx context.Context, it *metapb.WorkItem) error
	EndRestore(ctx context.Context, it *metapb.WorkItem) error
}

const (
	// restoreWorkers is how many versions are restored at once. A large one holds up no other as
	// long as a worker is left.
	restoreWorkers = 8
	// expiredFor is how long a warm copy is kept after it has expired. A client of a node whose
	// clock is behind may still prolong it.
	expiredFor = time.Minute
	// leadEvery is how often a restore under way looks whether this node still leads.
	leadEvery = time.Second
)

// restorer makes the warm copies that are due, and drops those that have expired. One goroutine works
// at a version, over as many rounds as it takes.
type restorer struct {
	u       *Upkeep
	workers chan struct{} // Has an element for each worker that is busy.

	mu    sync.Mutex
	under map[string]bool // The items that are worked at, by id.
}

func newRestorer(u *Upkeep) *restorer {
	return &restorer{u: u, workers: make(chan struct{}, restoreWorkers), under: map[string]bool{}}
}

// run starts all work that is due, as soon as there are workers for it.
func (r *restorer) run(ctx context.Context) error {
	now := time.Now()
	q := &metapb.ListWork{Kind: metapb.WorkKind_WORK_RESTORES, Max: pageItems, BeforeIndex: uint64(now.UnixMilli()) + 1}
	for {
		patient := q.AfterIndex == 0
		a, err := r.u.c.Metadata.Read(ctx, &metapb.Query{Patient: patient, Op: &metapb.Query_ListWork{ListWork: q}})
		if err != nil {
			return err
		}
		for _, it := range a.Work.Items {
			q.AfterIndex, q.AfterId = it.Index, it.Id
			if dueAt(it, now) && !r.start(ctx, it) {
				return nil
			}
		}
		if !a.Work.Truncated || len(a.Work.Items) == 0 {
			return nil
		}
	}
}

// dueAt reports whether something is to be done about an item that is listed.
func dueAt(it *metapb.WorkItem, now time.Time) bool {
	r := it.Version.GetRestore()
	return r.GetOngoing() || r.GetExpiresMs() <= now.Add(-expiredFor).UnixMilli()
}

// start has a worker work at an item, unless one does already. It returns false where ctx has ended.
func (r *restorer) start(ctx context.Context, it *metapb.WorkItem) bool {
	id := string(it.Id)
	r.mu.Lock()
	under := r.under[id]
	r.mu.Unlock()
	if under {
		return true
	}
	select {
	case r.workers <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.under[id] = true
	r.u.wg.Go(func() {
		defer func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.under, id)
			<-r.workers
		}()
		if err := r.work(ctx, it); err != nil && ctx.Err() == nil {
			r.u.c.Events.Failed("restore", err)
		}
	})
	return true
}

// work does what is due of an item. It stops when this node does not lead any more: two nodes must not
// make the same copy at the same time, since each would drop what the other has made.
func (r *restorer) work(ctx context.Context, it *metapb.WorkItem) error {
	if !r.u.c.Leads() {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		for pause(ctx, leadEvery) {
			if !r.u.c.Leads() {
				cancel(errNoLongerLeads)
			}
		}
	})
	defer watch.Wait()
	defer cancel(nil)
	events := r.u.c.Events
	if !it.Version.Restore.Ongoing {
		err := r.u.c.Restores.EndRestore(ctx, it)
		if err == nil && events.RestoreEnded != nil {
			events.RestoreEnded()
		}
		return err
	}
	err := r.u.c.Restores.Warm(ctx, it)
	switch {
	case err == nil && events.Restored != nil:
		events.Restored(it.Version.Size)
	case context.Cause(ctx) == errNoLongerLeads:
		return nil // The node that leads now begins anew.
	}
	return err
}

var errNoLongerLeads = errors.New("another node leads the metadata")
