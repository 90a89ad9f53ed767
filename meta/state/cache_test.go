package state

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/effort"
)

// The cache holds as many bytes of blocks as it is told to, whatever the memtables have
// taken of it: Pebble reserves theirs in the cache, and one no larger than a memtable
// would hold no block at all.
func TestCacheHoldsWhatItSays(t *testing.T) {
	effort.SkipLessened(t)
	const (
		cacheBytes = 8 << 20
		valueBytes = 4 << 10
		values     = 3 * cacheBytes / valueBytes
	)
	shared := pebble.NewCache(cacheBytes + MemTableBytes)
	defer shared.Unref()
	for name, o := range map[string]Options{
		"its own": {CacheBytes: cacheBytes},
		"shared":  {Cache: shared},
	} {
		o.FS, o.Dir = vfs.NewMem(), "meta"
		opts := PebbleOptions(o)
		opts.Comparer = pebble.DefaultComparer
		db, err := pebble.Open(o.Dir, opts)
		opts.Cache.Unref()
		require.NoError(t, err, name)
		write := func(first, n int) {
			value := make([]byte, valueBytes)
			random := rand.NewChaCha8([32]byte{})
			for i := first; i < first+n; i++ {
				_, _ = random.Read(value) // Blocks are compressed; random bytes stay as long.
				require.NoError(t, db.Set(binary.BigEndian.AppendUint64(nil, uint64(i)), value, pebble.NoSync), name)
			}
		}
		write(0, values)
		require.NoError(t, db.Flush(), name)
		write(values, memTableBytes/valueBytes/2) // The memtable has its full size now.
		require.Greater(t, db.Metrics().MemTable.Size, uint64(memTableBytes)/2, name)
		for i := range values {
			_, closer, err := db.Get(binary.BigEndian.AppendUint64(nil, uint64(i)))
			require.NoError(t, err, name)
			require.NoError(t, closer.Close(), name)
		}
		require.Greater(t, db.Metrics().BlockCache.Size, int64(cacheBytes)*9/10, name)
		require.NoError(t, db.Close(), name)
	}
}
