package accesslog

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/cluster/events"
)

// Defaults of Config.
const (
	DefaultEvery      = 5 * time.Minute
	DefaultSpoolBytes = 256 << 20
)

// Bounds of the lines that wait.
const (
	pendingBytes = 4 << 20     // In memory; lines beyond this are dropped.
	spillBytes   = 1 << 20     // Lines are written to disk when they are this many,
	spillEvery   = time.Second // or after this time.
	segmentBytes = 8 << 20     // A segment of this size is delivered before its time.
	maxAge       = 24 * time.Hour
	tellEvery    = time.Minute

	retryMin = 5 * time.Second // After the first failure; it doubles with each further one.
	retryMax = 5 * time.Minute
)

// Reasons for which lines are dropped.
var (
	errPending = errors.New("more requests are logged than can be written to disk")
	errShare   = errors.New("the access logs of a bucket that cannot be delivered have filled their share of the space on disk")
	errSpool   = errors.New("the access logs that wait for delivery have filled their space on disk: see --access-log-spool")
	errAge     = errors.New("access logs could not be delivered for a day")
	errDamaged = errors.New("a segment of access logs is damaged from here on")
)

// Events are called with what becomes of lines. They must not block; any may be nil.
type Events struct {
	Delivered func(lines int)
	Dropped   func(lines int)
	// Trouble is called at most once a minute, with how many lines were dropped since, and why the
	// last ones were.
	Trouble func(dropped int, cause error)
	// Waiting is called with how many bytes wait on disk, after lines were written or delivered.
	Waiting func(bytes int64)
	// Failed is called for each try to deliver that failed. It will be tried again.
	Failed func(target string, cause error)
}

// Write writes lines as one object to where their stream goes.
type Write func(ctx context.Context, s Stream, lines []byte) error

// Config says where lines wait and how they are delivered.
type Config struct {
	FS  vfs.FS
	Dir string // Of the segments; made when the first one is.

	Every      time.Duration // Between deliveries. 0: DefaultEvery.
	SpoolBytes int64         // How much may wait on disk. 0: DefaultSpoolBytes.
	Write      Write
	Events     Events
}

// Log has the lines that a node has logged and not yet delivered. It is safe for concurrent use,
// but only one Deliver may run at a time.
type Log struct {
	c     Config
	spool *spool

	mu      sync.Mutex
	pending map[Stream]*chunk
	bytes   int
	dropped int // Since Trouble was last called.
	told    time.Time
	late    error           // Why segments that were due are still here; nil: nothing has failed.
	failing map[string]bool // Buckets whose lines cannot be delivered.

	first, full chan struct{} // Lines are pending; there are spillBytes of them.
	stopping    chan struct{}
	stop        sync.Once
	wg          sync.WaitGroup

	// Only Deliver uses these.
	retries map[Stream]*retry
	resting map[uint64]time.Time // Segments that are not read before this time.
}

// retry is when a stream that has failed is tried again.
type retry struct {
	wait time.Duration
	next time.Time // It is not tried before.
	why  error
}

// Open returns the log in a directory, with the lines that an earlier one left there.
func Open(c Config) (*Log, error) {
	if c.Every == 0 {
		c.Every = DefaultEvery
	}
	if c.SpoolBytes == 0 {
		c.SpoolBytes = DefaultSpoolBytes
	}
	c.Events = events.Filled(c.Events)
	s, err := openSpool(c.FS, c.Dir, c.SpoolBytes)
	if err != nil {
		return nil, err
	}
	l := &Log{c: c, spool: s, pending: map[Stream]*chunk{}, first: make(chan struct{}, 1), full: make(chan struct{}, 1),
		stopping: make(chan struct{}), retries: map[Stream]*retry{}, resting: map[uint64]time.Time{}}
	l.tellWaiting()
	l.wg.Go(l.run)
	return l, nil
}

// Add takes a line, which must end with a newline. It never waits for the disk.
func (l *Log) Add(s Stream, line []byte) {
	l.mu.Lock()
	if l.bytes+len(line) > pendingBytes {
		l.mu.Unlock()
		l.drop(1, errPending)
		return
	}
	c := l.pending[s]
	if c == nil {
		c = &chunk{header: header{Stream: s, Since: time.Now().UnixMilli()}}
		l.pending[s] = c
	}
	c.lines = append(c.lines, line...)
	c.Lines++
	l.bytes += len(line)
	much := l.bytes >= spillBytes
	l.mu.Unlock()
	signal(l.first)
	if much {
		signal(l.full)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run writes pending lines to disk until Close.
func (l *Log) run() {
	for {
		select {
		case <-l.first:
		case <-l.stopping:
			l.spill()
			return
		}
		t := time.NewTimer(spillEvery)
		select {
		case <-t.C:
		case <-l.full:
		case <-l.stopping:
		}
		t.Stop()
		l.spill()
	}
}

// spill appends pending lines to the open segment. Half of the space on disk is only for buckets
// whose lines can be delivered, so that other buckets cannot take it from them.
func (l *Log) spill() {
	l.mu.Lock()
	pending, failing := l.pending, l.failing
	l.pending, l.bytes = map[Stream]*chunk{}, 0
	l.mu.Unlock()
	for _, c := range pending {
		err := errShare
		if !failing[c.Bucket] || l.spool.waiting() < l.c.SpoolBytes/2 {
			err = l.spool.append(c)
		}
		if err != nil {
			l.drop(c.Lines, err)
		}
	}
	l.tellWaiting()
}

func (l *Log) tellWaiting() {
	l.c.Events.Waiting(l.spool.waiting())
}

// drop counts lines that are lost, and calls Trouble at most every tellEvery.
func (l *Log) drop(n int, cause error) {
	l.mu.Lock()
	l.dropped += n
	lost, now := l.dropped, time.Now()
	tell := l.told.IsZero() || now.Sub(l.told) >= tellEvery
	if tell {
		l.told, l.dropped = now, 0
	}
	l.mu.Unlock()
	l.c.Events.Dropped(n)
	if tell {
		l.c.Events.Trouble(lost, cause)
	}
}

// Close writes pending lines to disk and ends the log. Nothing may be added or delivered
// afterwards.
func (l *Log) Close() error {
	l.stop.Do(func() { close(l.stopping) })
	l.wg.Wait()
	return l.spool.close()
}
