package node

import (
	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/cockroachdb/pebble/v2"

	"github.com/cairnstore/cairn/meta/raftlog"
	"github.com/cairnstore/cairn/meta/state"
	"github.com/cairnstore/cairn/shard/drive"
)

// If --metadata-cache is 0, the block cache is a part of the memory that the node may use: that of
// its control group, or of the machine.
const (
	cacheShare    = 128      // The cache is one part in so many,
	cacheLeast    = 64 << 20 // not less than this
	cacheMost     = 1 << 30  // and not more than this.
	memoryUnknown = 8 << 30  // Taken for the memory if the system does not tell it.
)

// cacheBytes returns how many bytes of blocks the node's databases may keep in memory
// together.
func (c *Config) cacheBytes(memory func() (uint64, error)) int64 {
	if c.MetadataCache > 0 {
		return int64(c.MetadataCache)
	}
	total, err := memory()
	if err != nil {
		total = memoryUnknown
	}
	return int64(min(max(total/cacheShare, cacheLeast), cacheMost))
}

// memory returns the bytes of memory that this process may use.
func memory() (uint64, error) {
	total, err := memlimit.FromSystem()
	if limit, cgroupErr := memlimit.FromCgroup(); cgroupErr == nil && (err != nil || limit < total) {
		return limit, nil
	}
	return total, err
}

// newCache returns the one block cache of a node's databases: the metadata's, the Raft log's and
// the indexes of the drives. Pebble takes memtables from a cache, so this one has room for them
// besides the blocks. What is shown as the cache's size is the blocks alone.
func newCache(blocks int64, drives int) *pebble.Cache {
	return pebble.NewCache(blocks + state.MemTableBytes + raftlog.MemTableBytes + int64(drives)*drive.IndexMemTableBytes)
}
