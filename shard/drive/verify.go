package drive

import (
	"context"
	"errors"
	"fmt"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
)

// Entry is one shard as List tells it.
type Entry struct {
	ID        shard.ID
	Header    shard.Header
	WrittenMS int64 // Unix milliseconds, by this node's clock.
}

// BadBlockError is in the chain of Verify's Corrupt errors.
type BadBlockError struct {
	ID    shard.ID
	Block int // The first bad one; -1 is the record's header or footer.
}

// Error implements error.
func (e *BadBlockError) Error() string {
	if e.Block < 0 {
		return fmt.Sprintf("shard %s: its record's header or footer is damaged", e.ID)
	}
	return fmt.Sprintf("shard %s: block %d is damaged", e.ID, e.Block)
}

// List returns up to limit shards with an id greater than after, ascending; none at the end. The zero ID
// comes before all. Errors: Unavailable.
func (d *Drive) List(ctx context.Context, after shard.ID, limit int) ([]Entry, error) {
	const op = "drive.List"
	if limit <= 0 {
		return nil, nil
	}
	if err := d.enter(ctx, op); err != nil {
		return nil, err
	}
	defer d.leave()
	var out []Entry
	err := d.index.entries(after, func(l location) bool {
		out = append(out, Entry{ID: l.header.ID, Header: l.header, WrittenMS: l.writtenMS})
		return len(out) < limit
	})
	if err != nil {
		d.indexBroken(err)
		return nil, errs.New(op, errs.Unavailable, err)
	}
	return out, nil
}

// Verify reads all of a shard and returns nil if all is as it was written. Errors: NotFound, Corrupt
// with a BadBlockError, Unavailable. If the index leads to a record that was given back, Verify removes
// the entry and returns NotFound.
func (d *Drive) Verify(ctx context.Context, id shard.ID) error {
	const op = "drive.Verify"
	l, s, err := d.hold(ctx, op, id)
	if err != nil {
		return err
	}
	defer d.unhold(id, s)
	bad, stale := d.examine(s, l)
	if stale {
		if err := d.forget(ctx, l); err != nil {
			return err
		}
		return errs.Newf(op, errs.NotFound, "shard %s was deleted before the last crash", id)
	}
	if bad == nil {
		return nil
	}
	d.o.Events.badBlock(id, bad.Block)
	return errs.New(op, errs.Corrupt, bad)
}

// examine checks a record from header to footer. It is stale if its room was given back: a crash may
// have made the index forget that.
func (d *Drive) examine(s *segment, l location) (_ *BadBlockError, stale bool) {
	damaged := &BadBlockError{ID: l.header.ID, Block: -1}
	var b [recordHeaderBytes]byte
	if err := readWhole(s.file, b[:], l.off); err != nil {
		return damaged, false
	}
	if b == [recordHeaderBytes]byte{} {
		return nil, true
	}
	r, err := decodeRecord(b[:], s.secret, l.off)
	switch {
	case err != nil || r.header != l.header:
		return damaged, false
	case r.dead:
		return nil, true
	}
	var foot [footerBytes]byte
	if err := readWhole(s.file, foot[:], r.footerOff()); err != nil || !r.hasFooter(foot[:], s.secret) {
		return damaged, false
	}
	if block, err := d.checkFrames(s.file, r.framesOff(), r.header); err != nil || block >= 0 {
		return &BadBlockError{ID: l.header.ID, Block: block}, false
	}
	return nil, false
}

// forget removes an index entry that leads to a record given back, unless the entry has changed since it
// was read. The room is not given back again: it was already.
func (d *Drive) forget(ctx context.Context, l location) error {
	const op = "drive.Verify"
	if err := d.enter(ctx, op); err != nil {
		return err
	}
	defer d.leave()
	d.indexMu.Lock()
	now, ok, err := d.index.get(l.header.ID)
	if err == nil && ok && now == l {
		b := d.index.newBatch()
		if err = errors.Join(b.remove(l.header.ID), b.commit()); err == nil {
			d.mu.Lock()
			if r, ok := d.uncountLocked(l); ok {
				r.seg.refs--
			}
			d.mu.Unlock()
		}
	}
	d.indexMu.Unlock()
	if err != nil {
		d.indexBroken(err)
		return errs.New(op, errs.Unavailable, err)
	}
	return nil
}
