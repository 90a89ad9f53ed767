package state

import (
	"cmp"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/cluster/events"
	"github.com/cairnstore/cairn/meta/keys"
)

// Settings of the database.
const (
	DefaultCacheBytes = 64 << 20 // What the block cache holds if nothing else is asked for.

	// MemTableBytes is what the database takes out of its cache for memtables: one that is
	// written to, and one that is flushed or kept to be written to next.
	MemTableBytes = 2 * memTableBytes

	memTableBytes     = 32 << 20
	memTablesMax      = 4 // Commits wait while so many are to be flushed: 128 MiB at most.
	bloomBitsPerKey   = 10
	l0CompactFiles    = 500 // High, since a flush makes several files: sublevels are what counts.
	l0CompactSublevel = 4
	l0StopSublevels   = 24
	levelBaseBytes    = 64 << 20
	blockBytes        = 16 << 10
	maxOpenFiles      = 1000
	compactionsMax    = 2

	// formatVersion is the format of Pebble's files. Raising it is one-way: a database cannot
	// be given an older format again.
	formatVersion = pebble.FormatTableFormatV6
)

// Events tells what happens in a State. Any field may be nil. Functions are called from many
// goroutines; they must not block, nor call back into the State.
type Events struct {
	// NoRoom: a flush or a compaction found the file system full. It will be tried again.
	NoRoom func(error)
	// BackgroundError: a flush or a compaction failed for another reason. What is applied may
	// never become durable, so the node must be stopped.
	BackgroundError func(error)
	// Fatal: the database cannot go on. It panics after the call.
	Fatal func(error)
	// Contradiction: the entry of that index was refused, since it met records that contradict
	// each other or cannot be decoded. record names the one that was looked at (record.Name).
	// Unless all voters refuse the entry, this one is damaged.
	Contradiction func(index uint64, record string, cause error)
	// Info: what the database tells of its work, for debugging.
	Info func(string)
	// WriteStall: commits wait for flushes (true), or no longer do (false).
	WriteStall func(stalled bool)
}

// cache returns the block cache of the database, with a reference that the caller must drop.
// Pebble takes memtables out of the cache, so one that is made here has room for them besides
// the blocks that it is to hold.
func (o *Options) cache() *pebble.Cache {
	if o.Cache != nil {
		o.Cache.Ref()
		return o.Cache
	}
	return pebble.NewCache(cmp.Or(max(o.CacheBytes, 0), DefaultCacheBytes) + MemTableBytes)
}

// PebbleOptions returns the settings of a state's database. The caller must call Unref of the
// cache once the database is open.
func PebbleOptions(o Options) *pebble.Options {
	p := &pebble.Options{
		FS:                          o.FS,
		Cache:                       o.cache(),
		Comparer:                    keys.Comparer(),
		FormatMajorVersion:          formatVersion,
		DisableWAL:                  true,
		MemTableSize:                memTableBytes,
		MemTableStopWritesThreshold: memTablesMax,
		L0CompactionFileThreshold:   l0CompactFiles,
		L0CompactionThreshold:       l0CompactSublevel,
		L0StopWritesThreshold:       l0StopSublevels,
		LBaseMaxBytes:               levelBaseBytes,
		MaxOpenFiles:                maxOpenFiles,
		CompactionConcurrencyRange:  func() (int, int) { return 1, compactionsMax },
		Logger:                      logger{events.Filled(o.Events)},
	}
	for i := range p.Levels {
		p.Levels[i].BlockSize = blockBytes
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBitsPerKey)
		p.Levels[i].FilterType = pebble.TableFilter
	}
	return p
}

// failure holds the first error of a flush or a compaction.
type failure struct {
	mu  sync.Mutex
	err error
	ch  chan struct{} // Closed once err is set.
}

func (f *failure) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
		close(f.ch)
	}
}

func (f *failure) cause() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// roomRetry is how long a flush or a compaction that found no room waits before Pebble, which
// would not wait by itself, tries again.
const roomRetry = time.Second

// waitForRoom holds back a flush or a compaction that found the file system full, and lets a
// Flush that waits for it fail. Nothing is lost: what was to be written is in memory, and in
// the Raft log.
func (s *State) waitForRoom(err error) {
	s.events.NoRoom(err)
	select {
	case s.noRoom <- struct{}{}:
	default:
	}
	select {
	case <-s.closing:
	case <-time.After(roomRetry):
	}
}

// listener returns what Pebble tells of its background work. Pebble waits while a function of
// it runs, which waitForRoom makes use of.
func (s *State) listener() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			if vfs.IsNoSpaceError(err) {
				s.waitForRoom(err)
				return
			}
			s.failed.set(err)
			s.events.BackgroundError(err)
		},
		WriteStallBegin: func(pebble.WriteStallBeginInfo) { s.events.WriteStall(true) },
		WriteStallEnd:   func() { s.events.WriteStall(false) },
	}
}

// logger hands what Pebble says to Events.
type logger struct{ events Events }

func (l logger) Infof(format string, args ...any) {
	l.events.Info(fmt.Sprintf(format, args...))
}

func (l logger) Errorf(format string, args ...any) { l.Infof(format, args...) }

// Fatalf panics, since Pebble calls it where it cannot go on and it must not return.
func (l logger) Fatalf(format string, args ...any) {
	err := errors.New("metadata database: " + fmt.Sprintf(format, args...))
	l.events.Fatal(err)
	panic(err)
}
