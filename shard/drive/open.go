package drive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
)

// Open opens the drive in o.Dir, or makes one where the directory is empty. The
// kinds of its errors: Invalid for options or a directory that cannot be this
// drive, Corrupt for a damaged drive.id, Unavailable for everything else, such
// as a directory that is in use. A damaged index is no error.
//
// When ctx ends, Open returns (Canceled) whatever the file system hangs in: what is under
// way goes on by itself until the file system lets it, then closes everything. Until it
// has, the directory stays in use. ctx matters for Open alone.
func Open(ctx context.Context, o Options) (*Drive, error) {
	const op = "drive.Open"
	if o.FS == nil || o.Dir == "" {
		return nil, errs.Newf(op, errs.Invalid, "a drive needs a file system and a directory")
	}
	o = o.withDefaults()
	d := &Drive{
		o: o, fs: o.FS,
		space:    space{fs: o.FS, dir: o.Dir, reserve: o.ReserveBytes},
		segments: make(map[uint64]*segment),
		pins:     make(map[shard.ID]*pin),
		nextSeg:  1,

		fenced:    make(chan struct{}),
		appending: newTurn(),
	}
	d.files = files{fs: d.fs, limit: o.IdleFiles, watch: d.watch, bad: d.unreadableAt}
	d.opening.Store(true)
	if err := d.openOrAbandon(ctx); err != nil {
		var e *errs.Error
		if errors.As(err, &e) {
			return nil, err
		}
		return nil, errs.New(op, errs.Unavailable, err)
	}
	d.commits.start(d.commitRound)
	return d, nil
}

// openOrAbandon opens the drive. Where it fails, everything is closed or will be.
func (d *Drive) openOrAbandon(ctx context.Context) error {
	result, abandoned := make(chan error), make(chan struct{})
	if d.o.Cache != nil {
		d.o.Cache.Ref() // For the goroutine, which may outlive the caller's own.
	}
	go func() { // Ends with the system call that it is in, if it is abandoned.
		if d.o.Cache != nil {
			defer d.o.Cache.Unref()
		}
		err := d.open(ctx)
		if err != nil {
			d.discard()
		}
		select {
		case result <- err:
		case <-abandoned:
			if err == nil {
				d.discard()
			}
		}
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		close(abandoned)
		return interrupted(ctx)
	}
}

// interrupted returns why opening goes no further, nil where it does.
func interrupted(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return errs.New("drive.Open", errs.Canceled, context.Cause(ctx))
}

func (d *Drive) open(ctx context.Context) (err error) {
	if err := mkdirDurable(d.fs, d.o.Dir); err != nil {
		return err
	}
	if d.lock, err = d.fs.Lock(d.path(lockName)); err != nil {
		return fmt.Errorf("the directory is in use by another process: %w", err)
	}
	if err := d.loadIdent(d.o.ID); err != nil {
		return err
	}
	if err := mkdirDurable(d.fs, d.segDir()); err != nil {
		return err
	}
	// Its entry may be of a run that crashed before it was durable.
	if err := syncDir(d.fs, d.o.Dir); err != nil {
		return err
	}
	if err := d.openSegments(ctx); err != nil {
		return err
	}
	rebuilt, err := d.openIndex(ctx)
	if err != nil {
		return err
	}
	if rebuilt {
		d.o.Events.rebuilt(int(d.shards))
	}
	d.opening.Store(false)
	d.index.compact.allow()
	return errors.Join(d.Failed(), d.indexError())
}

// discard closes what a failed open left.
func (d *Drive) discard() {
	if d.index != nil {
		_ = d.index.close(false)
	}
	for _, s := range d.segments {
		_ = s.file.close()
	}
	if d.lock != nil {
		_ = d.lock.Close()
	}
}

// openSegments opens every segment file that is one.
func (d *Drive) openSegments(ctx context.Context) error {
	names, err := d.fs.List(d.segDir())
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		number, ok := parseSegmentName(name)
		if !ok {
			continue
		}
		if err := interrupted(ctx); err != nil {
			return err
		}
		d.nextSeg = max(d.nextSeg, number+1)
		if err := d.openSegment(number); err != nil {
			return fmt.Errorf("segment %s: %w", name, err)
		}
	}
	return nil
}

func (d *Drive) openSegment(number uint64) error {
	s := &segment{number: number, full: true, path: d.fs.PathJoin(d.segDir(), segmentName(number))}
	f, err := d.fs.OpenReadWrite(s.path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	s.file = d.files.add(s.path, f)
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, s.file.close())
	}
	s.end = max(alignUp(info.Size()), dataOffset)
	var known bool
	s.secret, known, err = d.readSecret(s)
	switch {
	case err != nil:
		return errors.Join(err, s.file.close())
	case known:
		d.segments[number] = s
		s.file.rest()
		return nil
	case info.Size() <= dataOffset:
		// Made by a run that crashed before the header was durable, so before
		// anything was written to it.
		return errors.Join(s.file.close(), d.fs.Remove(s.path))
	default:
		d.o.Events.segmentDamaged(number)
		return s.file.close() // Left for a human; its number is not used again.
	}
}

// readSecret returns the secret from the segment's header, or else from its
// first record.
func (d *Drive) readSecret(s *segment) (_ secret, known bool, err error) {
	var b [segmentHeaderBytes]byte
	if err := readWhole(s.file, b[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return secret{}, false, err
	}
	sec, err := decodeSegmentHeader(b[:], d.id, s.number)
	if err == nil {
		return sec, true, nil
	}
	if errors.Is(err, errOtherVersion) {
		return secret{}, false, errs.New("drive.Open", errs.Invalid, err)
	}
	var r [recordHeaderBytes]byte
	if err := readWhole(s.file, r[:], dataOffset); err != nil && !errors.Is(err, io.EOF) {
		return secret{}, false, err
	}
	sec, known = secretFromRecord(r[:])
	return sec, known, nil
}

// readWhole reads exactly len(b) bytes at off; io.EOF where the file has fewer.
func readWhole(f io.ReaderAt, b []byte, off int64) error {
	n, err := f.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// openIndex opens the index and brings it up to the segments; where it fails, it
// makes a new one from all that they hold.
func (d *Drive) openIndex(ctx context.Context) (rebuilt bool, err error) {
	fresh, err := d.tryIndex(ctx)
	if fault := (*indexFault)(nil); errors.As(err, &fault) {
		if d.index != nil {
			_ = d.index.close(false)
			d.index = nil
		}
		d.indexFailure.Store(nil) // Of the one that is given up.
		if err := d.fs.RemoveAll(d.path(indexDirName)); err != nil {
			return false, fmt.Errorf("removing a damaged index: %w", err)
		}
		fresh, err = d.tryIndex(ctx)
	}
	return fresh && len(d.segments) > 0, err
}

func (d *Drive) tryIndex(ctx context.Context) (fresh bool, err error) {
	d.index, err = openIndex(d.fs, d.path(indexDirName), d.o.Cache, d.o.CacheBytes, d.indexBroken)
	if err != nil {
		return false, err
	}
	if err := d.index.checkOrder(); err != nil {
		return false, err
	}
	if fresh, err = d.index.checkFormat(); err != nil {
		return false, err
	}
	if err := d.load(ctx); err != nil {
		return false, err
	}
	if err := d.replay(ctx); err != nil {
		return false, err
	}
	return fresh, d.indexError()
}

// indexBroken is told of failures that the index cannot answer for. While the
// drive is being opened they only mean that the index is made anew.
func (d *Drive) indexBroken(err error) {
	d.indexFailure.CompareAndSwap(nil, &err)
	if !d.opening.Load() {
		d.fence(err)
	}
}

func (d *Drive) indexError() error {
	if p := d.indexFailure.Load(); p != nil {
		return *p
	}
	return nil
}

// load reads the whole index: which segments hold what, and how far each is
// settled. Entries of segments that are gone are dropped.
func (d *Drive) load(ctx context.Context) error {
	marks, err := d.index.marks()
	if err != nil {
		return err
	}
	b := d.index.newBatch()
	for number, m := range marks {
		d.nextSeg = max(d.nextSeg, number+1)
		if s := d.segments[number]; s != nil && s.secret == m.secret {
			s.settled = m.settled
		} else if err := b.removeMark(number); err != nil {
			return err
		}
	}
	d.shards, d.used = 0, 0
	for _, s := range d.segments {
		s.live, s.refs = 0, 0
		if m := marks[s.number]; m.secret != s.secret {
			s.settled = 0
		}
	}
	var bad error
	err = d.index.entries(shard.ID{}, func(l location) bool {
		if bad = interrupted(ctx); bad != nil {
			return false
		}
		d.nextSeg = max(d.nextSeg, l.seg+1)
		s := d.segments[l.seg]
		if s == nil || s.settled == 0 || l.off >= s.end {
			bad = b.remove(l.header.ID)
			return bad == nil
		}
		d.countLocked(s, l)
		return true
	})
	return errors.Join(err, bad, b.commit(), d.index.probe())
}

// countLocked takes a record that the index has into the books. (While the drive
// is being opened nobody else is there and no lock is needed.)
func (d *Drive) countLocked(s *segment, l location) {
	s.live++
	d.shards++
	d.used += l.bytes()
}
