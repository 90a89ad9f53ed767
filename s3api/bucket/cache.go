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
	// CacheBytes bounds the memory of a Cache, as the cache estimates it. It is enough for about
	// 65,000 buckets without documents.
	CacheBytes = 64 << 20

	// entryBytes is an estimate of what the structures around a bucket take.
	entryBytes = 1 << 10

	// documentFactor is an estimate of how much more memory a parsed document takes than a stored
	// one.
	documentFactor = 4

	// readTimeout bounds how long the metadata are asked for a bucket.
	readTimeout = 10 * time.Second
)

// Cache remembers the buckets that were used last. It answers only what is current; see Get.
type Cache struct {
	meta   meta.Client
	told   func() uint64
	limit  int
	asking singleflight.Group // By revision and name; see ask.

	mu    sync.Mutex
	known *simplelru.LRU[string, *answer]
	bytes int // Of all that are known.

	hits, misses atomic.Uint64
}

// answer is a bucket as of a config revision. Both come from one answer of the metadata, so from
// one state: until somebody tells of a later revision, the bucket has not changed. If bucket is
// nil, there was none.
type answer struct {
	name     string
	bucket   *Bucket
	revision uint64
	bytes    int
}

// CacheStats is what a cache reports of itself.
type CacheStats struct {
	Hits, Misses   uint64 // Buckets answered from memory, and asked of the metadata.
	Buckets, Bytes int    // What is remembered now.
}

// NewCache returns an empty cache. told returns the greatest revision of the buckets that this node
// knows of. It must know the revisions that c's answers carry.
func NewCache(c meta.Client, told func() uint64) *Cache {
	cache := &Cache{meta: c, told: told, limit: CacheBytes}
	known, err := simplelru.NewLRU(math.MaxInt, func(_ string, a *answer) { cache.bytes -= a.bytes })
	if err != nil {
		panic(err) // Only a size that is not positive fails.
	}
	cache.known = known
	return cache
}

// Get returns a bucket that has every change of which this node was told before the call. Errors:
// NotFound, Unavailable.
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

// Fresh returns a bucket that has every change that was acknowledged anywhere before the call. It
// always asks the metadata. Errors: NotFound, Unavailable.
func (c *Cache) Fresh(ctx context.Context, name string) (*Bucket, error) {
	c.misses.Add(1)
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return found(c.read(ctx, name))
}

// Known returns a bucket as it was last read, without asking anybody; nil if it is not remembered.
// It may be older than what Get returns, so nothing may be allowed because of it.
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

// ask asks the metadata for a bucket that has the changes up to revision least. Callers that ask at
// the same time with the same revision share a question. Callers that were told of another revision
// meanwhile ask anew, because the question may have been answered before that change. A question
// goes on if the request that asked it first ends.
func (c *Cache) ask(ctx context.Context, name string, least uint64) (*answer, error) {
	asked := c.asking.DoChan(strconv.FormatUint(least, 10)+" "+name, func() (_ any, err error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		defer cancel()
		defer func() {
			if p := recover(); p != nil { // On this goroutine nobody else recovers: the node would end.
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

// remember keeps a bucket, unless a later answer is already there. If that is too much, it forgets
// the buckets that were used longest ago.
func (c *Cache) remember(name string, a *answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.known.Peek(name); ok {
		if old.revision > a.revision {
			return
		}
		c.bytes -= old.bytes // Add replaces it without calling the function that counts evictions.
	}
	c.known.Add(name, a)
	c.bytes += a.bytes
	for c.bytes > c.limit {
		c.known.RemoveOldest()
	}
}
