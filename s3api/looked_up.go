package s3api

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// lookedUp has the buckets that a request has looked up. Each is looked up once, and stays what it
// was then for this request, so what is decided, done and told of it agrees. It is safe for
// concurrent use, because work that goes on while the client is kept waiting has a goroutine of its
// own.
type lookedUp struct {
	mu   sync.Mutex
	list []*seenBucket
}

// seenBucket is the outcome of a look-up.
type seenBucket struct {
	name    string
	bucket  *bucket.Bucket
	err     error // As clients are told it.
	at      time.Time
	decided bool // The request was decided on it.
}

// seen returns the outcome of the look-up of a bucket; nil: there was none. The caller holds l.mu.
func (l *lookedUp) seen(name string) *seenBucket {
	for _, b := range l.list {
		if b.name == name {
			return b
		}
	}
	return nil
}

// known returns a bucket that was looked up; nil: it was not found. looked is false if nobody has
// looked.
func (l *lookedUp) known(name string) (b *bucket.Bucket, looked bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := l.seen(name)
	if seen == nil {
		return nil, false
	}
	return seen.bucket, true
}

// missed reports whether a bucket that was looked up was not found.
func (l *lookedUp) missed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.list, func(b *seenBucket) bool { return b.err != nil })
}

// lookUp returns a bucket as it was when the request first asked for it. fresh says that the first
// look-up must ask the metadata and not take what this node remembers.
func (ex *exchange) lookUp(ctx context.Context, name string, fresh bool) (*bucket.Bucket, error) {
	l := &ex.buckets
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.seen(name); b != nil {
		return b.bucket, b.err
	}
	get := ex.s.cfg.Access.Buckets.Get
	if fresh {
		get = ex.s.cfg.Access.Buckets.Fresh
	}
	b := &seenBucket{name: name, at: time.Now()}
	b.bucket, b.err = get(ctx, name)
	switch {
	case errs.Is(b.err, errs.NotFound):
		b.err = s3err.NoSuchBucket.Say("", s3err.Field{Name: "BucketName", Value: printable(name)})
	case b.err != nil:
		b.err = s3err.ServiceUnavailable.Because(b.err)
	}
	l.list = append(l.list, b)
	return b.bucket, b.err
}

// bucket returns the bucket that a request names.
func (s *server) bucket(ctx context.Context, rq *request) (*bucket.Bucket, error) {
	return s.otherBucket(ctx, rq, rq.bucket)
}

// otherBucket returns another bucket that a request names, which may be its own.
func (s *server) otherBucket(ctx context.Context, rq *request, name string) (*bucket.Bucket, error) {
	return rq.ex.lookUp(ctx, name, rq.op != nil && rq.op.fresh && name == rq.bucket)
}

// decidedOn notes that the request was decided on a bucket that it has looked up.
func (rq *request) decidedOn(b *bucket.Bucket) {
	l := &rq.ex.buckets
	l.mu.Lock()
	defer l.mu.Unlock()
	if seen := l.seen(b.Name); seen != nil {
		seen.decided = true
	}
}

// asks returns what the metadata are told of a request. It is called after the request was decided.
func (rq *request) asks() object.Request {
	l := &rq.ex.buckets
	l.mu.Lock()
	defer l.mu.Unlock()
	told := object.Request{Origin: rq.origin}
	for _, b := range l.list {
		if b.decided {
			told.Decided = append(told.Decided, &metapb.Decided{Bucket: b.name, Owner: b.bucket.GetOwner()})
		}
	}
	return told
}

// origin returns whose request it is, for events, if its bucket has rules for them. If the bucket
// was looked up long ago it may have rules by now, so origin returns it then too.
func (rq *request) origin() *metapb.Origin {
	l := &rq.ex.buckets
	l.mu.Lock()
	b := l.seen(rq.bucket)
	l.mu.Unlock()
	if b == nil || b.bucket == nil || len(b.bucket.EventRules) == 0 && time.Since(b.at) < iam.MaxAge {
		return nil
	}
	return &metapb.Origin{Principal: principalOf(rq.caller, rq.identity), SourceIp: rq.sourceIP(), RequestId: rq.done.ID}
}
