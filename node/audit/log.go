package audit

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster/events"
)

// Limits of a target.
const (
	queueRecords = 8192    // In a queue; further records are dropped.
	batchRecords = 512     // In a batch, which is written or sent at once.
	batchBytes   = 1 << 20 // In a batch; a single record may be longer.
	tellEvery    = time.Minute
)

// Events are called with what becomes of records. They must not block; any may be nil.
type Events struct {
	Written func(target string, records int)
	Dropped func(target string, records int)
	// Trouble is called at most once a minute for each target, with how many records were dropped
	// since, and why. 0 records means that a batch is only late.
	Trouble func(target string, dropped int, cause error)
}

// Config says where records go. If it has neither a file nor a URL, there is no log.
type Config struct {
	File FileConfig
	HTTP HTTPConfig

	Events Events
}

// Log is an audit log. It is safe for concurrent use. A nil Log drops everything.
type Log struct {
	queues []*queue
	wg     sync.WaitGroup
	stop   sync.Once
	cancel context.CancelFunc
}

// target is where records go. Only one goroutine calls its methods.
type target interface {
	name() string
	// write takes a batch of whole lines, or returns why it did not. It may try until ctx ends, and
	// calls late for each try that failed.
	write(ctx context.Context, batch []byte, late func(error)) error
	close() error
}

// Open returns the log that c describes; nil if c names no target. It fails if the file cannot be
// written. It does not check that the URL answers.
func Open(c Config) (*Log, error) {
	var targets []target
	if c.File.Path != "" {
		f, err := openFile(c.File)
		if err != nil {
			return nil, err
		}
		targets = append(targets, f)
	}
	if c.HTTP.URL != "" {
		h, err := newHTTP(c.HTTP)
		if err != nil {
			return nil, err
		}
		targets = append(targets, h)
	}
	if len(targets) == 0 {
		return nil, nil
	}
	return start(targets, c.Events), nil
}

func start(targets []target, e Events) *Log {
	ctx, cancel := context.WithCancel(context.Background())
	l, e := &Log{cancel: cancel}, events.Filled(e)
	for _, t := range targets {
		q := &queue{target: t, events: e, lines: make(chan []byte, queueRecords), stopping: make(chan struct{})}
		l.queues = append(l.queues, q)
		l.wg.Go(func() { q.run(ctx) })
	}
	return l
}

// Write takes a record. It never blocks.
func (l *Log) Write(r *Record) {
	if l == nil {
		return
	}
	line := r.line()
	for _, q := range l.queues {
		q.add(line)
	}
}

// Close writes what is queued, until ctx ends, and ends the log. It may be called again, also while
// another call waits. Nothing may be written afterwards.
func (l *Log) Close(ctx context.Context) error {
	if l == nil {
		return nil
	}
	l.stop.Do(func() {
		for _, q := range l.queues {
			close(q.stopping)
		}
	})
	ended := make(chan struct{})
	go func() {
		l.wg.Wait()
		close(ended)
	}()
	defer l.cancel()
	select {
	case <-ended:
	case <-ctx.Done():
		l.cancel()
		return context.Cause(ctx) // Do not wait for the goroutines: a file system may hang.
	}
	var errsAll []error
	for _, q := range l.queues {
		errsAll = append(errsAll, q.closed)
	}
	return errors.Join(errsAll...)
}
