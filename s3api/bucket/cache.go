package bucket

import (
	"context"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/singleflight"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
)

const (
	// CacheBytes bounds what a Cache remembers, by its own account of what buckets take:
	// about 65,000 buckets without documents.
	CacheBytes = 64 << 20

	// entryBytes is what a bucket takes without what it says: the structures around it.
	entryBytes = 1 << 10

	// documentFactor is how much more a document takes when it is read than as it is stored.
	documentFactor = 4

	// readTimeout bounds how long a bucket is asked for.
	readTimeout = 10 * time.Second
)

// Cache remembers buckets, those that were used last. What it answers is known to be
// current; see Get.
type Cache struct {
	meta   meta.Client
	told   func() uint64
	limit  int
	asking singleflight.Group // By revision and name.

	mu    sync.Mutex
	known *simplelru.LRU[string, *answer]
	bytes int // Of all that are known.

	hits, misses atomic.Uint64
}

// answer is a bucket as of a config revision. Bucket and revision are of one answer of
// the metadata, so of one state: while nobody has told of a later revision, the bucket is
// as it was. A bucket of nil is one that was not there.
type answer struct {
	name     string
	bucket   *Bucket
	revision uint64
	bytes    int
}

// CacheStats is what a cache tells of itself.
type CacheStats struct {
	Hits, Misses   uint64 // Questions answered from memory, and asked of the metadata.
	Buckets, Bytes int    // That are remembered now.
}

// NewCache returns an empty cache. told returns the greatest revision of the buckets that
// this node was told of, by answers to c among others.
func NewCache(c meta.Client, told func() uint64) *Cache {
	cache := &Cache{meta: c, told: told, limit: CacheBytes}
	known, err := simplelru.NewLRU(math.MaxInt, func(_ string, a *answer) { cache.bytes -= a.bytes })
	if err != nil {
		panic(err) // Only for a size that is none.
	}
	cache.known = known
	return cache
}

// Get returns a bucket as it is after every change that this node was told of before the
// call. Errors: NotFound, Unavailable.
func (c *Cache) Get(ctx context.Context, name string) (*Bucket, error) {
	least := c.told()
	c.mu.Lock()
	a, ok := c.known.Get(name)
	c.mu.Unlock()
	if ok && a.revision >= least {
		c.hits.Add(1)
		return a.bucket, nil
	}
	c.misses.Add(1)
	return found(c.ask(ctx, name, least))
}

// found returns the bucket of an answer.
func found(a *answer, err error) (*Bucket, error) {
	switch {
	case err != nil:
		return nil, errs.Wrap("bucket.Get", err)
	case a.bucket == nil:
		return nil, errs.Newf("bucket.Get", errs.NotFound, "there is no bucket %s", a.name)
	}
	return a.bucket, nil
}

// Fresh returns a bucket as it is after every change that was acknowledged, anywhere, before
// the call: it asks the metadata in any case. Errors: NotFound, Unavailable.
func (c *Cache) Fresh(ctx context.Context, name string) (*Bucket, error) {
	c.misses.Add(1)
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return found(c.read(ctx, name))
}

// Known returns a bucket as it was last read, without asking anybody; nil if it is not
// remembered. It may be older than what Get returns: nothing may be allowed by it.
func (c *Cache) Known(name string) *Bucket {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a, ok := c.known.Peek(name); ok {
		return a.bucket
	}
	return nil
}

// Stats returns what the cache has done so far, and what it holds.
func (c *Cache) Stats() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return CacheStats{Hits: c.hits.Load(), Misses: c.misses.Load(), Buckets: c.known.Len(), Bytes: c.bytes}
}

// ask has the metadata asked for a bucket as it is after a revision that this node was
// told of. Those who ask at the same time share a question, but for those who were told
// of another revision meanwhile: for them it may have come too early. A question is not
// given up with the request that was the first to ask it.
func (c *Cache) ask(ctx context.Context, name string, least uint64) (*answer, error) {
	asked := c.asking.DoChan(strconv.FormatUint(least, 10)+" "+name, func() (_ any, err error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		defer cancel()
		defer func() {
			if p := recover(); p != nil { // Nobody would catch it here: it would end the node.
				err = errs.Newf("bucket.read", errs.Internal, "panic: %v", p)
			}
		}()
		return c.read(ctx, name)
	})
	select {
	case r := <-asked:
		a, _ := r.Val.(*answer)
		return a, r.Err
	case <-ctx.Done():
		return nil, errs.New("bucket.ask", errs.Unavailable, context.Cause(ctx))
	}
}

// read asks the metadata for a bucket and remembers it.
func (c *Cache) read(ctx context.Context, name string) (*answer, error) {
	a, err := c.meta.Read(ctx, &metapb.Query{Op: &metapb.Query_Bucket{
		Bucket: &metapb.GetBucket{Name: name, WithConfig: true}}})
	if err != nil {
		return nil, err
	}
	switch a.Refusal {
	case metapb.Refusal_REFUSAL_NONE:
	case metapb.Refusal_REFUSAL_NO_SUCH_BUCKET:
		return &answer{name: name, revision: a.ConfigRevision}, nil
	default:
		return nil, errs.Newf("bucket.read", errs.Internal, "bucket %s: %v", name, a.Refusal)
	}
	found := &answer{name, New(a.Bucket, a.BucketConfig), a.ConfigRevision,
		entryBytes + proto.Size(a.Bucket) + documentFactor*proto.Size(a.BucketConfig)}
	c.remember(name, found)
	return found, nil
}

// remember keeps a bucket, unless a later answer has come before this one, and forgets
// those that were used longest ago where that is too much.
func (c *Cache) remember(name string, a *answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.known.Peek(name); ok {
		if old.revision > a.revision {
			return
		}
		c.bytes -= old.bytes // Add replaces it, and tells nobody.
	}
	c.known.Add(name, a)
	c.bytes += a.bytes
	for c.bytes > c.limit {
		c.known.RemoveOldest()
	}
}
