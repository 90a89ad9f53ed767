package room

import (
	"errors"
	"strconv"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	ballastDir = "ballast" // In the directory that is watched.
	pieces     = 4         // Files of the ballast; the last is for starts.
)

// ballast is room that is taken and not used: files whose blocks are allocated and hold
// nothing. A file's name is its number; that it is there says that it is whole.
type ballast struct {
	fs    vfs.FS
	dir   string
	piece int64 // Bytes of each; 0: there is no ballast.
	held  [pieces]bool
	gave  bool // A piece was given up, or could not be taken, since all were there.
}

func (b *ballast) path(i int) string { return b.fs.PathJoin(b.dir, strconv.Itoa(i)) }

// load finds the pieces that an earlier run has taken. Where the size was changed they
// are given back, to be taken anew.
func (b *ballast) load() error {
	size, err := b.recorded()
	if err != nil {
		return err
	}
	for i := range b.held {
		_, err := b.fs.Stat(b.path(i))
		switch {
		case err == nil && (size != b.piece || b.piece == 0):
			err = b.fs.Remove(b.path(i))
		case err == nil:
			b.held[i] = true
		}
		if err != nil && !oserror.IsNotExist(err) {
			return err
		}
	}
	b.gave = size != 0 && b.missing() >= 0
	return nil
}

const sizeName = "size-" // And the bytes of a piece: an empty file, since a full disk can hold its name.

func (b *ballast) recorded() (int64, error) {
	names, err := b.fs.List(b.dir)
	if err != nil {
		if oserror.IsNotExist(err) {
			err = nil
		}
		return 0, err
	}
	for _, name := range names {
		if len(name) > len(sizeName) && name[:len(sizeName)] == sizeName {
			if n, err := strconv.ParseInt(name[len(sizeName):], 10, 64); err == nil {
				if n != b.piece {
					return n, b.fs.Remove(b.fs.PathJoin(b.dir, name))
				}
				return n, nil
			}
		}
	}
	return 0, nil
}

// record notes the size of the pieces.
func (b *ballast) record() error {
	if err := b.fs.MkdirAll(b.dir, 0o700); err != nil {
		return err
	}
	f, err := b.fs.Create(b.fs.PathJoin(b.dir, sizeName+strconv.FormatInt(b.piece, 10)), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	return f.Close()
}

// take allocates a piece.
func (b *ballast) take(i int) error {
	err := b.record()
	if err == nil {
		err = b.allocate(b.path(i))
	}
	if err != nil {
		_ = b.fs.Remove(b.path(i)) // A part of a piece is no piece.
		return err
	}
	b.held[i] = true
	b.gave = b.gave && b.missing() >= 0
	return nil
}

func (b *ballast) allocate(path string) error {
	f, err := b.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	err = f.Preallocate(0, b.piece)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// give gives a piece up. It needs no room.
func (b *ballast) give(i int) error {
	b.gave = true
	if err := b.fs.Remove(b.path(i)); err != nil && !oserror.IsNotExist(err) {
		return err
	}
	b.held[i] = false
	return nil
}

// missing returns the first piece that is not held, the one for starts before the others;
// -1 where there is none.
func (b *ballast) missing() int {
	if b.piece == 0 {
		return -1
	}
	if !b.held[pieces-1] {
		return pieces - 1
	}
	for i := range b.held {
		if !b.held[i] {
			return i
		}
	}
	return -1
}

// canYield reports whether there is a piece to give up while the process runs.
func (b *ballast) canYield() bool {
	for _, held := range b.held[:pieces-1] {
		if held {
			return true
		}
	}
	return false
}

// yielded reports whether pieces were given up and are not back.
func (b *ballast) yielded() bool { return b.gave && b.missing() >= 0 }

func (b *ballast) bytes() (n int64) {
	for _, held := range b.held {
		if held {
			n += b.piece
		}
	}
	return n
}
