package drive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
)

const (
	scanStepBytes = 256 << 10 // How much is read at once where header follows header.
	replayBatch   = 4096      // How many entries are put into the index at once.
)

// replay brings the index up to what the segments hold, the oldest segment first.
func (d *Drive) replay(ctx context.Context) error {
	for _, number := range slices.Sorted(maps.Keys(d.segments)) {
		if err := interrupted(ctx); err != nil {
			return err
		}
		s := d.segments[number]
		f, err := s.file.use()
		if err == nil {
			s.refs++ // So that the segment is not removed before all its records are judged.
			err = d.replaySegment(s, f)
			s.refs--
			if err != nil || s.sealed { // Otherwise tidy seals it and ends the use.
				s.file.rest()
			}
		}
		if err != nil {
			return fmt.Errorf("segment %s: %w", segmentName(number), err)
		}
		d.tidy(s)
	}
	return nil
}

// replaySegment judges the records from the index's settled mark on, and then sets the mark to the end
// of the segment.
func (d *Drive) replaySegment(s *segment, f vfs.File) error {
	sealEnd, sealed, err := readSeal(s)
	if err != nil {
		return err
	}
	s.sealed = sealed
	from := max(s.settled, dataOffset)
	if from >= s.end {
		return nil
	}
	records, err := scan(s, from)
	if err != nil {
		return err
	}
	// A process that crashed may have left bytes that are only in the page cache, and a sync that failed
	// may have left them there marked as clean. The sync makes the former durable. Dropping the cache
	// makes the checks below find the latter.
	if err := s.file.SyncData(); err != nil {
		return err
	}
	dropCache(f)
	settled := int64(0)
	if sealed {
		settled = sealEnd
	}
	for _, r := range records {
		settled = max(settled, r.settled)
	}
	if err := d.judge(s, records, settled); err != nil {
		return err
	}
	// From now on the mark, and later the seal, says that a record with a footer is whole. So it must be
	// durable before that a record which was found torn is dead.
	if err := s.file.Sync(); err != nil {
		return err
	}
	b := d.index.newBatch()
	if err := b.setMark(s.number, mark{secret: s.secret, settled: s.end}); err != nil {
		return err
	}
	return b.commit()
}

// readSeal returns up to where the seal of a segment settles it; not ok if there is no valid seal.
func readSeal(s *segment) (end int64, ok bool, err error) {
	var b [sealBytes]byte
	if err := readWhole(s.file, b[:], sealOffset); err != nil && !errors.Is(err, io.EOF) {
		return 0, false, err
	}
	end, ok = decodeSeal(b[:], s.secret)
	return end, ok, nil
}

// judge decides for each record whether it is the shard, and then adopts it, or is given back. Records
// below settled were durable before the drive went down (D3).
func (d *Drive) judge(s *segment, records []record, settled int64) error {
	for len(records) > 0 {
		n := min(len(records), replayBatch)
		b := d.index.newBatch()
		batched := make(map[shard.ID]location, n)
		var lost []deadRecord
		for i := range records[:n] {
			r := &records[i]
			l := location{seg: s.number, off: r.off, header: r.header, writtenMS: r.writtenMS}
			whole, err := d.isWhole(s, r, settled)
			if err != nil {
				return err
			}
			if !whole {
				if !r.dead {
					s.refs++
					lost = append(lost, l.dead(s))
				}
				continue
			}
			dead, err := d.adopt(b, batched, s, l)
			if err != nil {
				return err
			}
			lost = append(lost, dead...)
		}
		if err := b.commit(); err != nil {
			return err
		}
		for _, r := range lost {
			d.giveBack(r)
		}
		records = records[n:]
	}
	return nil
}

// isWhole reports whether all of a record's shard is there. A footer proves that only for a settled
// record. For any other the footer may have reached the device before the frames, so they are read.
func (d *Drive) isWhole(s *segment, r *record, settled int64) (bool, error) {
	if r.dead {
		return false, nil
	}
	var foot [footerBytes]byte
	if err := readWhole(s.file, foot[:], r.footerOff()); err != nil {
		return false, ignoreEOF(err)
	}
	if !r.hasFooter(foot[:], s.secret) {
		return false, nil
	}
	if r.off < settled {
		return true, nil
	}
	bad, err := d.checkFrames(s.file, r.framesOff(), r.header)
	return bad < 0 && err == nil, ignoreEOF(err)
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// adopt puts a whole record into the batch unless the batch or the index has a newer one of the same
// shard (D4). It returns the record that is dead by that, with a reference to its segment. batched has
// what the batch holds, because the index does not show it yet.
func (d *Drive) adopt(b indexBatch, batched map[shard.ID]location, s *segment, l location) ([]deadRecord, error) {
	id := l.header.ID
	old, ok := batched[id]
	if !ok {
		var err error
		if old, ok, err = d.index.get(id); err != nil {
			return nil, err
		}
	}
	if ok && old.seg == l.seg && old.off == l.off {
		return nil, nil
	}
	if ok && old.newerThan(l) {
		s.refs++
		return []deadRecord{l.dead(s)}, nil
	}
	batched[id] = l
	d.countLocked(s, l)
	if err := b.put(l); err != nil || !ok {
		return nil, err
	}
	if r, ok := d.uncountLocked(old); ok {
		return []deadRecord{r}, nil
	}
	return nil, nil
}

// checkFrames reads all frames at off and returns the first block that is not the shard's, or -1. If
// the file ends too early or cannot be read, it returns that error with the first block of the read.
func (d *Drive) checkFrames(f io.ReaderAt, off int64, h shard.Header) (bad int, err error) {
	buf := d.buffer()
	defer d.buffers.Put(buf)
	for block := 0; block < h.Blocks(); {
		first := block
		start := h.BlockSpan(first).Off
		n := int64(0)
		for block < h.Blocks() && n+h.BlockSpan(block).Len <= ioBytes {
			n += h.BlockSpan(block).Len
			block++
		}
		if err := readWhole(f, buf[:n], off+start); err != nil {
			return first, err
		}
		for i := first; i < block; i++ {
			sp := h.BlockSpan(i)
			if !shard.CheckFrame(h.ID, i, buf[sp.Off-start:sp.Off-start+sp.Len]) {
				return i, nil
			}
		}
	}
	return -1, nil
}

// scan returns the records of s from an offset on, by their headers. Where there is no header, because
// the record was given back, damaged or never written, it looks for the next one every 4 KiB. Errors:
// Invalid if another version of the format has written a record, which must not be given back.
func scan(s *segment, from int64) ([]record, error) {
	w := window{s: s}
	var records []record
	for at := from; at < s.end; {
		b, err := w.at(at)
		if err != nil {
			return nil, err
		}
		r, err := decodeRecord(b, s.secret, at)
		switch {
		case err == nil:
			records = append(records, r)
			at = r.end()
		case errors.Is(err, errOtherVersion):
			return nil, errs.New("drive.Open", errs.Invalid, err)
		default:
			at += alignBytes
		}
	}
	return records, nil
}

// window reads a segment forward. After a jump over frames it reads 4 KiB, and from then on twice as
// much each time, so that neither long records nor long runs of small ones cost needless reads.
type window struct {
	s     *segment
	buf   []byte
	start int64
	ahead int
}

// at returns the recordHeaderBytes bytes at off, or fewer at the end of the file. They are valid until
// the next call.
func (w *window) at(off int64) ([]byte, error) {
	end := w.start + int64(len(w.buf))
	if off < w.start || off+recordHeaderBytes > end {
		w.ahead = min(2*w.ahead, scanStepBytes)
		if off > end || w.ahead == 0 {
			w.ahead = alignBytes
		}
		w.buf = slices.Grow(w.buf[:0], w.ahead)[:w.ahead]
		n, err := w.s.file.ReadAt(w.buf, off)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		w.buf, w.start = w.buf[:n], off
	}
	b := w.buf[off-w.start:]
	return b[:min(len(b), recordHeaderBytes)], nil
}
