package drive

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// IndexMemTableBytes is how much of its cache the index takes for memtables: for the one that
	// is written to, and one that is being flushed or kept to be written to next.
	IndexMemTableBytes = 2 * indexMemTableBytes

	indexMemTableBytes = 4 << 20
	indexOpenFiles     = 128

	// indexRetry is the pause between two tries of a flush or compaction that fails.
	indexRetry = time.Second
)

// index finds shards. It may be read at any time. Whoever changes it holds Drive.indexMu.
type index struct {
	db      *pebble.DB
	broken  atomic.Bool   // The index has failed, and nothing is written any more.
	full    atomic.Bool   // A flush found the file system full.
	trouble chan struct{} // Has one element after a flush failed.
	compact *compactions
	closing chan struct{}
}

// openIndex opens the index. If it returns an error, the index must be made anew. failed is called,
// from any goroutine, when the index fails later.
func openIndex(fs vfs.FS, dir string, cache *pebble.Cache, cacheBytes int64, failed func(error)) (x *index, err error) {
	x = &index{trouble: make(chan struct{}, 1), closing: make(chan struct{}),
		compact: newCompactions()}
	self := x // x is nil once opening has failed.
	fail := func(err error) {
		self.broken.Store(true)
		failed(err)
	}
	defer func() { // Damaged files have made Pebble panic before.
		if r := recover(); r != nil {
			x, err = nil, faulty(fmt.Errorf("opening it: %v", r))
		}
	}()
	if cache != nil {
		cache.Ref()
	} else {
		cache = pebble.NewCache(cacheBytes + IndexMemTableBytes) // Pebble takes memtables from its cache.
	}
	defer cache.Unref()
	x.db, err = pebble.Open(dir, x.options(indexFS{fs, &x.broken, fail}, cache, fail))
	if err != nil {
		return nil, faulty(err)
	}
	if x.broken.Load() {
		return nil, faulty(errIndexBroken, x.close(false))
	}
	return x, nil
}

func (x *index) options(fs vfs.FS, cache *pebble.Cache, fail func(error)) *pebble.Options {
	o := &pebble.Options{
		FS:                          fs,
		Cache:                       cache,
		DisableWAL:                  true, // See "Crashes" in the package comment.
		FormatMajorVersion:          pebble.FormatWALSyncChunks,
		MemTableSize:                indexMemTableBytes,
		MemTableStopWritesThreshold: 4,
		MaxOpenFiles:                indexOpenFiles,
		Logger:                      indexLogger{fail},
	}
	o.Experimental.CompactionScheduler = x.compact
	o.EventListener = &pebble.EventListener{
		BackgroundError: func(err error) { x.backgroundError(err, fail) },
		FlushEnd: func(info pebble.FlushInfo) {
			if info.Err == nil {
				x.full.Store(false)
			}
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			fail(faulty(errors.New(info.String())))
		},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return o
}

// backgroundError keeps what failed from being tried again at once. If the file system is full, it
// waits; anything else breaks the index.
func (x *index) backgroundError(err error, fail func(error)) {
	select {
	case <-x.closing: // Closing an index ends its compactions with errors.
		return
	default:
	}
	if vfs.IsNoSpaceError(err) {
		x.full.Store(true)
	} else {
		fail(faulty(err))
	}
	x.inTrouble()
	t := time.NewTimer(indexRetry)
	defer t.Stop()
	select {
	case <-x.closing:
	case <-t.C:
	}
}

func (x *index) inTrouble() {
	select {
	case x.trouble <- struct{}{}:
	default:
	}
}

// flushSoon starts to make what is in memory durable; nobody waits for it.
func (x *index) flushSoon() error {
	_, err := x.db.AsyncFlush()
	return faulty(err)
}

// close flushes what is in memory, if flush is set and it can. Only the time that the next Open
// takes depends on it.
func (x *index) close(flush bool) error {
	if flush && !x.full.Load() {
		if done, err := x.db.AsyncFlush(); err == nil {
			select {
			case <-done:
			case <-x.trouble:
			}
		}
	}
	close(x.closing)
	return x.db.Close()
}

// indexLogger turns a fatal error of Pebble into a failed drive, and the process goes on. Nothing
// is lost: the segments say everything that the index does.
type indexLogger struct{ fail func(error) }

func (indexLogger) Infof(string, ...any)  {}
func (indexLogger) Errorf(string, ...any) {}
func (l indexLogger) Fatalf(format string, args ...any) {
	l.fail(faulty(fmt.Errorf(format, args...)))
}

var errIndexBroken = errors.New("a file of it could not be written")

// indexFault is an error of the index, which can be made anew. A segment cannot.
type indexFault struct{ cause error }

// Error implements error.
func (e *indexFault) Error() string { return "index: " + e.cause.Error() }

// Unwrap returns the cause.
func (e *indexFault) Unwrap() error { return e.cause }

func faulty(err ...error) error {
	if cause := errors.Join(err...); cause != nil {
		return &indexFault{cause}
	}
	return nil
}
