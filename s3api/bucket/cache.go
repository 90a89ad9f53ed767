package bucket

import (
	"context"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
)

// Bounds of what is remembered. The configurations count as they are stored; a
// policy that is read takes a few times that.
const (
	maxBuckets      = 10_000
	maxConfigsBytes = 64 << 20
)

// readTimeout bounds how long a bucket is asked for.
const readTimeout = 10 * time.Second

// Cache remembers buckets for as long as no bucket was configured since they were
// read.
type Cache struct {
	meta meta.Client
	told func() uint64

	mu    sync.Mutex
	known map[string]knownBucket
	bytes int // Of the configurations of all known ones.
}

// knownBucket is a bucket as of a config revision. Bucket and revision are of one
// answer, so of one state: while nobody has told of a later revision, it is as it was.
type knownBucket struct {
	bucket   *Bucket
	revision uint64
}

// NewCache returns an empty cache. told returns the greatest revision of the buckets that
// this node was told of, by answers to c among others.
func NewCache(c meta.Client, told func() uint64) *Cache {
	return &Cache{meta: c, told: told, known: map[string]knownBucket{}}
}

// Get returns a bucket as it is after every change that this node was told of before
// the call. Errors: NotFound, Unavailable.
func (b *Cache) Get(ctx context.Context, name string) (*Bucket, error) {
	b.mu.Lock()
	k, ok := b.known[name]
	b.mu.Unlock()
	if ok && k.revision >= b.told() {
		return k.bucket, nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	a, err := b.meta.Read(ctx, &metapb.Query{Op: &metapb.Query_Bucket{
		Bucket: &metapb.GetBucket{Name: name, WithConfig: true}}})
	if err != nil {
		return nil, errs.Wrap("bucket.Get", err)
	}
	switch a.Refusal {
	case metapb.Refusal_REFUSAL_NONE:
	case metapb.Refusal_REFUSAL_NO_SUCH_BUCKET:
		return nil, errs.Newf("bucket.Get", errs.NotFound, "there is no bucket %s", name)
	default:
		return nil, errs.Newf("bucket.Get", errs.Internal, "bucket %s: %v", name, a.Refusal)
	}
	k = knownBucket{New(a.Bucket, a.BucketConfig), a.ConfigRevision}
	b.remember(name, k)
	return k.bucket, nil
}

// Known returns a bucket as it was last read, without asking anybody; nil if it is
// not remembered. It may be older than what Get returns: nothing may be allowed by it.
func (b *Cache) Known(name string) *Bucket {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known[name].bucket
}

// remember keeps a bucket, unless a later answer has come before this one.
func (b *Cache) remember(name string, k knownBucket) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old, ok := b.known[name]
	switch size := k.bucket.configBytes(); {
	case ok && old.revision > k.revision:
		return
	case ok:
		b.bytes += size - old.bucket.configBytes()
	default:
		b.bytes += size
	}
	b.known[name] = k
	if len(b.known) > maxBuckets || b.bytes > maxConfigsBytes {
		clear(b.known) // Rare, and what is in use comes back at once.
		b.bytes = 0
	}
}
