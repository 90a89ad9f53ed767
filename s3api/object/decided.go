package object

import (
	"context"
	"sync"

	"github.com/cairnstore/cairn/meta/metapb"
)

// decisions are the buckets that a request was decided on, and whose they were. A
// node may decide on a bucket as it was a second ago; what the request then does
// names its decision, so that it never touches a bucket of the same name that
// another account has made since: to the request, the bucket is gone.
type decisions struct {
	mu   sync.Mutex
	list []*metapb.Decided
}

type decisionsKey struct{}

// WithDecisions returns the context of a request whose decisions are to be noted.
func WithDecisions(ctx context.Context) context.Context {
	return context.WithValue(ctx, decisionsKey{}, new(decisions))
}

// Decided notes that the request of ctx was decided on a bucket of an account. It
// does nothing where ctx is none of WithDecisions.
func Decided(ctx context.Context, bucket, owner string) {
	d, ok := ctx.Value(decisionsKey{}).(*decisions)
	if !ok {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, old := range d.list {
		if old.Bucket == bucket && old.Owner == owner {
			return
		}
	}
	d.list = append(d.list, &metapb.Decided{Bucket: bucket, Owner: owner})
}

// decided returns what the request of ctx was decided on so far.
func decided(ctx context.Context) []*metapb.Decided {
	d, ok := ctx.Value(decisionsKey{}).(*decisions)
	if !ok {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.list[:len(d.list):len(d.list)]
}
