package drive

import (
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
)

// committer gathers the writers that wait until their shards are durable. One goroutine takes all
// that wait, syncs their segments once, puts their shards into the index in one batch, and answers.
// Whoever comes meanwhile waits for the next round. The queue is bounded by the number of open
// writers.
type committer struct {
	mu      sync.Mutex
	waiting []commit
	closed  bool

	wake chan struct{} // Has one element while somebody waits.
	done sync.WaitGroup
}

type commit struct {
	w    *writer
	done chan<- error
}

// start begins the rounds. close ends them.
func (c *committer) start(round func([]commit)) {
	c.wake = make(chan struct{}, 1)
	c.done.Go(func() {
		var batch []commit
		for range c.wake {
			c.mu.Lock()
			batch, c.waiting = c.waiting, batch[:0]
			c.mu.Unlock()
			if len(batch) > 0 {
				round(batch)
			}
			clear(batch)
		}
	})
}

// add queues a commit. It returns false after close.
func (c *committer) add(one commit) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.waiting = append(c.waiting, one)
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return true
}

// close takes no more commits and waits until all that were taken are answered.
func (c *committer) close() {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.wake) // An element that is in it is still received.
	}
	c.mu.Unlock()
	c.done.Wait()
}

// commitRound makes the shards of batch durable and visible.
func (d *Drive) commitRound(batch []commit) {
	err := d.syncSegments(batch)
	if err == nil {
		err = d.publish(batch)
	}
	for _, c := range batch {
		d.release(c.w.seg)
		c.done <- err
	}
}

// syncSegments syncs each segment that holds a record of batch, once.
func (d *Drive) syncSegments(batch []commit) error {
	const op = "drive.Commit"
	var last *segment
	for i, c := range batch {
		s := c.w.seg
		if s == last || countOf(batch[:i], s) > 0 {
			continue
		}
		last = s
		if err := d.Failed(); err != nil {
			return errs.New(op, errs.Unavailable, err)
		}
		start := time.Now()
		if err := s.file.SyncData(); err != nil {
			d.fence(err) // Whatever the error is, nobody knows which pages reached the disk.
			return errs.New(op, errs.Unavailable, err)
		}
		d.o.Events.syncDone(time.Since(start), countOf(batch, s))
	}
	return nil
}

func countOf(batch []commit, s *segment) (n int) {
	for _, c := range batch {
		if c.w.seg == s {
			n++
		}
	}
	return n
}

// publish puts synced records into the index, in one batch with the settled marks of their segments
// (D3), and buries the records that they replace.
func (d *Drive) publish(batch []commit) error {
	const op = "drive.Commit"
	if err := d.Failed(); err != nil {
		return errs.New(op, errs.Unavailable, err)
	}
	defer d.watch("putting shards into the index")()
	d.indexMu.Lock()
	losers, err := d.publishLocked(batch)
	d.indexMu.Unlock()
	if err != nil {
		d.indexBroken(err)
		return errs.New(op, errs.Unavailable, err)
	}
	for _, l := range losers {
		d.bury(l.id, l.deadRecord)
	}
	for _, c := range batch {
		d.tidy(c.w.seg)
	}
	return nil
}

// loser is a record that another of the same shard replaced.
type loser struct {
	id shard.ID
	deadRecord
}

func (d *Drive) publishLocked(batch []commit) ([]loser, error) {
	winners := make(map[shard.ID]location, len(batch))
	lost := make([]location, 0, len(batch))
	for _, c := range batch {
		l := c.w.location()
		old, ok := winners[l.header.ID]
		if !ok {
			var err error
			if old, ok, err = d.index.get(l.header.ID); err != nil {
				return nil, err
			}
		}
		if ok && old.newerThan(l) { // The old one was reserved later and committed earlier (D4).
			lost = append(lost, l)
			l = old
		} else if ok {
			lost = append(lost, old)
		}
		winners[l.header.ID] = l
	}
	b := d.index.newBatch()
	for _, l := range winners {
		if err := b.put(l); err != nil {
			return nil, err
		}
	}
	losers := d.count(batch, lost)
	if err := d.putMarks(b, batch); err != nil {
		return nil, err
	}
	return losers, b.commit()
}

// count ends the reservations of batch and keeps the books: all records of batch are live, and then
// all of lost are not.
func (d *Drive) count(batch []commit, lost []location) []loser {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range batch {
		c.w.seg.finishLocked(c.w.rec.off)
		c.w.seg.live++
		d.shards++
	}
	losers := make([]loser, 0, len(lost))
	for _, l := range lost {
		if r, ok := d.uncountLocked(l); ok {
			losers = append(losers, loser{l.header.ID, r})
		}
	}
	return losers
}

// uncountLocked takes a record that is no longer in the index out of the books. The result holds a
// reference to the segment, which the caller releases.
func (d *Drive) uncountLocked(l location) (deadRecord, bool) {
	s := d.segments[l.seg]
	if s == nil {
		return deadRecord{}, false
	}
	s.live--
	s.refs++
	d.shards--
	d.used -= l.bytes()
	return l.dead(s), true
}

func (d *Drive) putMarks(b indexBatch, batch []commit) error {
	var last *segment
	for i, c := range batch {
		s := c.w.seg
		if s == last || countOf(batch[:i], s) > 0 {
			continue
		}
		last = s
		d.mu.Lock()
		m := mark{secret: s.secret, settled: s.settledLocked()}
		d.mu.Unlock()
		if err := b.setMark(s.number, m); err != nil {
			return err
		}
	}
	return nil
}
