package drive

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/shard"
)

const (
	segSuffix = ".seg"

	// preallocateBytes is how far ahead of its end a segment asks for room.
	preallocateBytes = 16 << 20
)

// segment is one file of records.
type segment struct {
	number uint64
	path   string
	secret secret
	file   *file // In use until the segment is sealed: nothing in it may be unsynced when it is closed.

	settled int64 // While the drive is being opened: the index's mark, 0 where it has none.

	// preallocated is how far room has been asked for; negative if the file system cannot preallocate.
	// Whoever has Drive.appending may use it.
	preallocated int64

	// Under Drive.mu.
	end           int64   // Where the next record goes.
	unfinished    []int64 // Offsets of reservations neither committed nor aborted, ascending.
	live          int     // Records in the index.
	refs          int     // Uses of the segment; it is not removed while there are any.
	full          bool    // It takes no more reservations.
	sealed        bool    // Its seal is written, or about to be.
	removed       bool    // Nothing lives in it any more, and its file is being deleted.
	closeWhenIdle bool    // The drive is closed: the last use closes the file.
}

// settledLocked returns the lowest unfinished reservation, or the end if there is none (D3).
func (s *segment) settledLocked() int64 {
	if len(s.unfinished) > 0 {
		return s.unfinished[0]
	}
	return s.end
}

// finishLocked ends the reservation at off, which is committed or aborted.
func (s *segment) finishLocked(off int64) {
	if i, ok := slices.BinarySearch(s.unfinished, off); ok {
		s.unfinished = slices.Delete(s.unfinished, i, i+1)
	}
}

func segmentName(number uint64) string { return fmt.Sprintf("%08d%s", number, segSuffix) }

func parseSegmentName(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, segSuffix)
	if !ok || len(digits) < 8 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil && segmentName(n) == name
}

// newSegment makes the next segment, which is empty and durable. Its file is in use. The caller must
// have d.appending.
func (d *Drive) newSegment() (_ *segment, err error) {
	defer d.watch("making a segment")()
	d.mu.Lock()
	s := &segment{number: d.nextSeg, end: dataOffset}
	d.nextSeg++ // Also where it fails: a number is used once (D5).
	d.mu.Unlock()

	_, _ = rand.Read(s.secret[:]) // Never fails.
	s.path = d.fs.PathJoin(d.segDir(), segmentName(s.number))
	f, err := d.fs.Create(s.path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = d.fs.Remove(s.path) // Empty; the next Open removes it too.
		}
	}()
	// The file is opened again because only OpenReadWrite promises WriteAt.
	if err := f.Close(); err != nil {
		return nil, err
	}
	if f, err = d.fs.OpenReadWrite(s.path, vfs.WriteCategoryUnspecified); err != nil {
		return nil, err
	}
	s.file = d.files.add(s.path, f)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.file.close())
		}
	}()
	if err := s.preallocate(dataOffset, d.o.SegmentBytes); err != nil {
		return nil, err
	}
	if _, err := s.file.WriteAt(encodeSegmentHeader(d.id, s.number, s.secret), 0); err != nil {
		return nil, err
	}
	if err := s.file.Sync(); err != nil {
		return nil, err
	}
	return s, syncDir(d.fs, d.segDir())
}

// preallocate asks for room up to need at least, and in large steps up to limit. Only a full file system
// is an error. After any other failure the segment goes without: preallocation only makes it faster.
func (s *segment) preallocate(need, limit int64) error {
	if s.preallocated < 0 || need <= s.preallocated {
		return nil
	}
	upTo := max(need, min(s.preallocated+preallocateBytes, limit))
	err := s.file.change("preallocation", func(f vfs.File) error {
		return f.Preallocate(s.preallocated, upTo-s.preallocated)
	})
	switch {
	case err == nil:
		s.preallocated = upTo
	case vfs.IsNoSpaceError(err):
		return err
	default:
		s.preallocated = -1
	}
	return nil
}

// roll makes a new active segment; the one before takes no more reservations. The caller must have
// d.appending.
func (d *Drive) roll() error {
	s, err := d.newSegment()
	if err != nil {
		return err
	}
	d.mu.Lock()
	old := d.active
	d.active, d.segments[s.number] = s, s
	if old != nil {
		old.full = true
	}
	d.mu.Unlock()
	if old != nil {
		d.tidy(old)
		// So a crash makes the index forget about one segment, and the next Open has little to scan.
		return d.index.flushSoon()
	}
	return nil
}

// tidy does what is due once a segment is full and has no unfinished reservation. If records live in
// it, it is sealed, once. If none does, it is removed as soon as nobody uses it. On a fenced drive
// nothing is done.
func (d *Drive) tidy(s *segment) {
	d.mu.Lock()
	if !s.full || len(s.unfinished) > 0 || s.removed || d.Failed() != nil {
		d.mu.Unlock()
		return
	}
	if s.live == 0 {
		if s.refs > 0 { // The last to leave tidies again.
			d.mu.Unlock()
			return
		}
		s.removed = true
		delete(d.segments, s.number)
		d.mu.Unlock()
		d.removeSegment(s)
		return
	}
	if s.sealed {
		d.mu.Unlock()
		return
	}
	s.sealed = true
	s.refs++
	end := s.end
	d.mu.Unlock()
	d.change(s, "sealing", func(f vfs.File) error {
		trim(f, end)
		_, err := f.WriteAt(encodeSeal(s.secret, end), sealOffset)
		return err
	})
	s.file.rest() // This ends the use that newSegment or replay began.
	d.release(s)
}

// removeSegment deletes the file. If that fails, or if a crash brings the file back, the next Open finds
// it with nothing alive in it.
func (d *Drive) removeSegment(s *segment) {
	_ = s.file.close()
	_ = d.fs.Remove(s.path)
}

// release ends one use of a segment.
func (d *Drive) release(s *segment) {
	d.mu.Lock()
	s.refs--
	idle := s.refs == 0
	closeNow := idle && s.closeWhenIdle
	d.mu.Unlock()
	switch {
	case closeNow:
		_ = s.file.close() // All that counts has been synced.
	case idle:
		d.tidy(s)
	}
}

// pin keeps the records of one shard from being given back while it is read (D6).
type pin struct {
	readers int
	dead    []deadRecord // Given back when the last reader leaves.
}

// deadRecord is a record that is no shard any more and whose room is to be given back.
type deadRecord struct {
	seg    *segment // One reference is held.
	off, n int64
}

func (d *Drive) pin(id shard.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.pins[id]
	if p == nil {
		p = &pin{}
		d.pins[id] = p
	}
	p.readers++
}

func (d *Drive) unpin(id shard.ID) {
	d.mu.Lock()
	p := d.pins[id]
	p.readers--
	var dead []deadRecord
	if p.readers == 0 {
		dead = p.dead
		delete(d.pins, id)
	}
	d.mu.Unlock()
	for _, r := range dead {
		d.giveBack(r)
	}
}

// giveBack returns a dead record's room to the file system, and releases the segment. If the file system
// cannot take room back, the record is marked dead, so that a scan does not take it for the shard.
func (d *Drive) giveBack(r deadRecord) {
	if d.Failed() == nil {
		d.change(r.seg, "giving room back", func(f vfs.File) error {
			if punch(f, r.off, r.n) {
				return nil
			}
			return markDead(f, r)
		})
	}
	d.release(r.seg)
}

// markDead changes the state word of a record. It need not be durable: a shard that was deleted may be
// there again after a crash.
func markDead(f vfs.File, r deadRecord) error {
	var state [8]byte
	putState(&state, stateDead)
	_, err := f.WriteAt(state[:], r.off+recordStateOffset)
	return err
}

// change does to a segment what may be left undone. It is left undone if the file system is full, or if
// the file is gone or cannot be opened. Any other failure fences the drive, as for every write.
func (d *Drive) change(s *segment, what string, do func(vfs.File) error) {
	err := s.file.change(what, do)
	switch {
	case err == nil, vfs.IsNoSpaceError(err), errors.Is(err, errNotOpened), oserror.IsNotExist(err):
	default:
		d.fence(err)
	}
}

// bury is called when the index no longer has a record. Its room goes back at once, or with its last
// reader. In the second case the record is marked dead now, because the drive may go down before.
func (d *Drive) bury(id shard.ID, r deadRecord) {
	d.mu.Lock()
	if p := d.pins[id]; p != nil {
		p.dead = append(p.dead, r)
		d.mu.Unlock()
		if d.Failed() == nil {
			d.change(r.seg, "marking a record", func(f vfs.File) error { return markDead(f, r) })
		}
		return
	}
	d.mu.Unlock()
	d.giveBack(r)
}
