package object

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/events"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/alloc"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/lanes"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sse"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/buf"
	"github.com/cairnstore/cairn/shard/stripe"
)

// Engine is the data path; *stripe.Engine.
type Engine interface {
	Write(ctx context.Context, r stripe.WriteRequest) (*stripe.Pending, error)
	NewReader(ctx context.Context, r stripe.ReadRequest) io.ReadCloser
	Reencode(ctx context.Context, src stripe.ReadRequest, dst shard.ExtentID, dv *shard.Volume) (stripe.Written, error)
	Remove(ctx context.Context, id shard.ExtentID, v *shard.Volume)
}

var _ Engine = (*stripe.Engine)(nil)

// Budget admits requests to the node's memory; *buf.Budget. Acquire fails with Overloaded after a
// bounded wait.
type Budget interface {
	Acquire(ctx context.Context, n int64) error
	Release(n int64)
	TryAcquire(n int64) bool // Takes only what is free and nobody waits for.
	Total() int64
}

var _ Budget = (*buf.Budget)(nil)

// Deps is what a Service works with.
type Deps struct {
	Meta     meta.Client
	Topology alloc.Topology
	Engine   Engine
	Alive    func(cluster.NodeID) bool // A hint from gossip. Nil: every node is alive.
	Budget   Budget                    // Nil: the service makes one of Config.BudgetBytes.
	Keys     sse.KeyService            // The keys of SSE-KMS and SSE-S3. Nil: there are none.
	Workers  Workers                   // Nil: this node copies alone.
}

// Service is the object service. It is safe for concurrent use, holds no state of objects, and
// starts no goroutine that outlives a call.
type Service struct {
	meta     meta.Client
	topology alloc.Topology
	engine   Engine
	budget   Budget
	reads    *buf.Budget   // What reads for clients may take of budget.
	writes   *buf.Budget   // What bodies of clients may.
	lanes    *lanes.Node   // Where the tasks of copies run.
	renewals chan struct{} // Has an entry for each extent that is being renewed.
	workers  Workers
	alloc    *alloc.Allocator
	keys     sse.KeyService
	cfg      Config
	events   Events
}

// New returns a service.
func New(d Deps, c Config, e Events) *Service {
	c = c.withDefaults()
	if d.Alive == nil {
		d.Alive = func(cluster.NodeID) bool { return true }
	}
	if d.Budget == nil {
		d.Budget = buf.NewBudget(c.BudgetBytes, c.BudgetWait)
	}
	var others func() []cluster.NodeID
	if d.Workers != nil {
		others = d.Workers.Nodes
	}
	share := max(1, d.Budget.Total()/clientShareDivisor*clientShareFactor)
	return &Service{meta: d.Meta, topology: d.Topology, engine: d.Engine, budget: d.Budget, workers: d.Workers,
		renewals: make(chan struct{}, warmParallel),
		lanes:    lanes.New(lanes.Config{Budget: d.Budget, Tasks: c.CopyTasks, Parallel: c.CopyParallel, Others: others}),
		reads:    buf.NewBudget(share, c.BudgetWait), writes: buf.NewBudget(share, c.BudgetWait),
		alloc: alloc.New(d.Meta, d.Topology, d.Alive, c.Alloc, e.Alloc), keys: d.Keys, cfg: c, events: events.Filled(e)}
}

// Allocator returns the service's allocator, for upkeep that makes extents too.
func (s *Service) Allocator() *alloc.Allocator { return s.alloc }

// Busy returns the share of the node's buffers that clients hold, from 0 to 1.
func (s *Service) Busy() float64 {
	held := s.reads.Total() - s.reads.Free() + s.writes.Total() - s.writes.Free()
	return min(1, float64(held)/float64(s.budget.Total()))
}

// newID returns a random content, upload or pin id.
func newID() []byte {
	id := make([]byte, idBytes)
	_, _ = rand.Read(id) // It never fails.
	return id
}

func nowMS() int64 { return time.Now().UnixMilli() }

// query reads the metadata. A refusal comes back as the S3 error that it stands for, together with
// the answer.
func (s *Service) query(ctx context.Context, of Request, q *metapb.Query) (*metapb.Answer, error) {
	limited, cancel := context.WithTimeout(ctx, s.cfg.MetaTimeout)
	defer cancel()
	q.Decided = of.Decided
	a, err := s.meta.Read(limited, q)
	if err != nil {
		if ctx.Err() == nil { // The client has not left: the metadata did not answer in time.
			err = alloc.OutOfTime("object.query", err)
		}
		return nil, err
	}
	return a, refused(a.Refusal, "")
}

// errUncertain marks a commit that may have happened, or may happen yet.
var errUncertain = errors.New("the outcome of the commit is not known")

// commit proposes a command. It goes on when the client leaves, because what is done about shards
// afterwards has to agree with what was committed. Errors: a *s3err.Error for a refusal;
// Unavailable or NoSpace, when the command was not and will not be applied; else Unknown with
// errUncertain in the chain, when it may have been applied or may be yet.
func (s *Service) commit(ctx context.Context, of Request, cmd *metapb.Command) (*metapb.Result, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.MetaTimeout)
	defer cancel()
	cmd.Decided = of.Decided
	if of.Origin != nil {
		cmd.Origin = of.Origin()
	}
	r, err := s.meta.Propose(ctx, cmd)
	switch {
	case err == nil:
		return r, refused(r.Refusal, r.Detail)
	case errs.KindOf(err) == errs.Unavailable, errs.KindOf(err) == errs.NoSpace:
		return nil, err
	}
	return nil, errs.New("object.commit", errs.Unknown, errors.Join(errUncertain, err))
}

// refusalCode returns the S3 code of a refusal.
func refusalCode(r metapb.Refusal) s3err.Code {
	switch r {
	case metapb.Refusal_REFUSAL_NO_SUCH_BUCKET:
		return s3err.NoSuchBucket
	case metapb.Refusal_REFUSAL_BUCKET_EXISTS:
		return s3err.BucketAlreadyExists
	case metapb.Refusal_REFUSAL_TOO_MANY_BUCKETS:
		return s3err.TooManyBuckets
	case metapb.Refusal_REFUSAL_BUCKET_NOT_EMPTY:
		return s3err.BucketNotEmpty
	case metapb.Refusal_REFUSAL_NO_SUCH_KEY:
		return s3err.NoSuchKey
	case metapb.Refusal_REFUSAL_NO_SUCH_VERSION:
		return s3err.NoSuchVersion
	case metapb.Refusal_REFUSAL_NO_SUCH_UPLOAD:
		return s3err.NoSuchUpload
	case metapb.Refusal_REFUSAL_QUOTA:
		return s3err.InsufficientStorageSpace
	case metapb.Refusal_REFUSAL_NOT_INITIATOR, metapb.Refusal_REFUSAL_LOCKED:
		return s3err.AccessDenied
	case metapb.Refusal_REFUSAL_NO_OBJECT_LOCK:
		return s3err.InvalidRequest
	case metapb.Refusal_REFUSAL_BUCKET_LOCKED:
		return s3err.InvalidBucketState
	case metapb.Refusal_REFUSAL_PRECONDITION_FAILED:
		return s3err.PreconditionFailed
	case metapb.Refusal_REFUSAL_UPLOAD_CHANGED, metapb.Refusal_REFUSAL_LEASE_GONE,
		metapb.Refusal_REFUSAL_EXTENT_GONE, metapb.Refusal_REFUSAL_STALE_SESSION,
		metapb.Refusal_REFUSAL_STALE_EPOCH, metapb.Refusal_REFUSAL_SLOTS_MOVED, metapb.Refusal_REFUSAL_NO_SUCH_VOLUME:
		return s3err.ServiceUnavailable // The client may try again, and will meet another state.
	}
	return s3err.InternalError
}

// refusedError says which refusal an S3 error stands for. It is the cause of that error, so callers
// in this package find it (isRefusal).
type refusedError struct {
	refusal metapb.Refusal
	detail  string
}

func (e *refusedError) Error() string {
	if e.detail == "" {
		return e.refusal.String()
	}
	return e.refusal.String() + ": " + e.detail
}

// refused returns the S3 error of a refusal, or nil if there is none.
func refused(r metapb.Refusal, detail string) error {
	if r == metapb.Refusal_REFUSAL_NONE {
		return nil
	}
	e := refusalCode(r).Because(&refusedError{r, detail})
	if r == metapb.Refusal_REFUSAL_QUOTA {
		e.Message = "The quota of the bucket is used up: " + detail + "."
	}
	return e
}

// isRefusal reports whether err stands for the given refusal.
func isRefusal(err error, r metapb.Refusal) bool {
	var e *refusedError
	return errors.As(err, &e) && e.refusal == r
}
