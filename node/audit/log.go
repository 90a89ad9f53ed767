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
	queueRecords = 8192    // Beyond them records are dropped.
	batchRecords = 512     // Written or sent at once.
	batchBytes   = 1 << 20 // Of a batch; a single record may be longer.
	tellEvery    = time.Minute
)

// Events tells what becomes of records. They must not block; any may be nil.
type Events struct {
	Written func(target string, records int)
	Dropped func(target string, records int)
	// Trouble is told at most once a minute for each target: records that were
	// dropped since, and why; 0 records where one is only late.
	Trouble func(target string, dropped int, cause error)
}

// Config says where records go. With neither a file nor a URL there is no log.
type Config struct {
	File FileConfig
	HTTP HTTPConfig

	Events Events
}

// Log is an audit log. Safe for concurrent use; a nil Log drops everything.
type Log struct {
	queues []*queue
	wg     sync.WaitGroup
	cancel context.CancelFunc
}

// target is where records go. Its methods are called from one goroutine.
type target interface {
	name() string
	// write takes a batch of whole lines, or says why it did not. It may try for as
	// long as ctx lives, and tells late of each try that failed.
	write(ctx context.Context, batch []byte, late func(error)) error
	close() error
}

// Open returns the log of c; nil where c names no target. The file must be one that
// can be written; that the URL answers is not asked for.
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

// Close writes what is queued, until ctx ends, and ends the log. Nothing may be
// written any more.
func (l *Log) Close(ctx context.Context) error {
	if l == nil {
		return nil
	}
	for _, q := range l.queues {
		close(q.stopping)
	}
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
		return context.Cause(ctx) // A file system that hangs lets nobody go.
	}
	var errsAll []error
	for _, q := range l.queues {
		errsAll = append(errsAll, q.closed)
	}
	return errors.Join(errsAll...)
}
