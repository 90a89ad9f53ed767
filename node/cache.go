package node

import (
	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/cockroachdb/pebble/v2"

	"github.com/cairnstore/cairn/meta/raftlog"
	"github.com/cairnstore/cairn/meta/state"
	"github.com/cairnstore/cairn/shard/drive"
)

// Where --metadata-cache is 0 the block cache is a share of the memory that the node may
// use: of its control group, or of the machine.
const (
	cacheShare    = 128 // One part in so many,
	cacheLeast    = 64 << 20
	cacheMost     = 1 << 30
	memoryUnknown = 8 << 30 // What is taken for a memory that the system does not tell.
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

// newCache returns the one block cache of a node's databases: the metadata's, the Raft
// log's and the indexes of the drives. Pebble takes memtables out of a cache, so there is
// room for theirs besides: what is told as the cache is blocks' alone.
func newCache(blocks int64, drives int) *pebble.Cache {
	return pebble.NewCache(blocks + state.MemTableBytes + raftlog.MemTableBytes + int64(drives)*drive.IndexMemTableBytes)
}
