package room

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/cluster/errs"
)

// Level is how much room there is. The numbers cross the wire.
type Level uint32

// The levels; see the package comment.
const (
	Plenty Level = iota
	Low
	Full
)

func (l Level) String() string {
	switch l {
	case Plenty:
		return "plenty"
	case Low:
		return "low"
	}
	return "full"
}

// Limits of what is chosen by the size of the file system.
const (
	reserveShare = 100 // Of the file system: 1 %,
	reserveMin   = 64 << 20
	reserveMax   = 128 << 20
	smallShare   = 8 // but never more than an eighth of a small one.

	floorShare   = 2 // Of the reserve.
	ballastTimes = 2 // The reserve: each of the four pieces is worth the floor.

	// freeMargin is the part of the reserve that has to be free beyond it before a level
	// is left, so that it does not flap.
	freeMargin = 8
)

// Config says what to watch. FS and Dir are required.
type Config struct {
	FS      vfs.FS
	Dir     string // Of the metadata; the ballast is kept in it.
	Reserve int64  // 0: by the size of the file system.
	Ballast int64  // 0: by the size of the file system; negative: none.

	// Changed is told of a new level; it must not block.
	Changed func(Status)
}

// Status is how much room there is at one moment.
type Status struct {
	Level            Level
	Free             int64 // Bytes, the ballast not among them.
	Reserve, Ballast int64 // Bytes: what should be free, and what is held.
}

// Room watches the room of one file system.
type Room struct {
	c     Config
	level atomic.Uint32

	mu      sync.Mutex
	known   bool // The file system tells its size.
	free    int64
	reserve int64
	ballast ballast
}

// Open begins to watch. It looks once, so that Level is right, but makes no ballast yet.
func Open(c Config) (*Room, error) {
	r := &Room{c: c}
	u, err := c.FS.GetDiskUsage(c.Dir)
	if errors.Is(err, vfs.ErrUnsupported) {
		return r, nil
	}
	if err != nil {
		return nil, errs.New("room.Open", errs.Unavailable, err)
	}
	r.known = true
	r.reserve = c.Reserve
	if r.reserve == 0 {
		r.reserve = min(max(int64(u.TotalBytes)/reserveShare, reserveMin), reserveMax, int64(u.TotalBytes)/smallShare)
	}
	size := c.Ballast
	if size == 0 {
		size = ballastTimes * r.reserve
	}
	r.ballast = ballast{fs: c.FS, dir: c.FS.PathJoin(c.Dir, ballastDir), piece: max(0, size) / pieces}
	if err := r.ballast.load(); err != nil {
		return nil, errs.New("room.Open", errs.Unavailable, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.askLocked()
	r.judgeLocked()
	return r, nil
}

// Unlock gives up the piece of the ballast that is kept for starts if a start needs it,
// and reports whether there is the room that one needs.
func (r *Room) Unlock() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.known {
		return true
	}
	need := min(r.floor(), startNeed)
	for i := len(r.ballast.held) - 1; i >= 0 && r.free < need; i-- {
		if r.ballast.held[i] && r.ballast.give(i) != nil {
			break
		}
		r.askLocked()
	}
	r.judgeLocked()
	return r.free >= need
}

// startNeed is what opening the databases writes at most before it frees anything: a few
// files each, and what the Raft log's tail has in memory when it is read again.
const startNeed = 32 << 20

// Look asks the file system, gives up a piece of the ballast where there is less than the
// floor, and takes one back where there is more than the reserve. It is to be called
// every second or so.
func (r *Room) Look() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.known {
		return Status{}
	}
	r.askLocked()
	r.yieldLocked(0)
	if i := r.ballast.missing(); i >= 0 && r.free >= r.reserve+r.margin()+r.ballast.piece {
		if r.ballast.take(i) == nil {
			r.askLocked()
		}
	}
	r.judgeLocked()
	return r.statusLocked()
}

// Status returns what the last look found.
func (r *Room) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.statusLocked()
}

// Level returns how much room there is as of the last look.
func (r *Room) Level() Level { return Level(r.level.Load()) }

// Admit is asked before n bytes are written, and fails (NoSpace) where that would leave
// less than the floor. It asks the file system each time.
func (r *Room) Admit(n int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.known {
		return nil
	}
	r.askLocked()
	r.yieldLocked(n)
	r.judgeLocked()
	if r.free-n >= r.floor() {
		return nil
	}
	return errs.Newf("room.Admit", errs.NoSpace, "the file system of %s has %d bytes left, which are kept for what was taken before", r.c.Dir, r.free)
}

// Relieve gives up a piece of the ballast, but not the one for starts, because a write has
// found the file system full that can be tried again.
func (r *Room) Relieve() { r.relieve(pieces - 1) }

// RelieveLog gives up a piece of the ballast, the one for starts last, because a write has
// found the file system full that must not fail: one to a write-ahead log.
func (r *Room) RelieveLog() { r.relieve(pieces) }

func (r *Room) relieve(upTo int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.ballast.held[:upTo] {
		if r.ballast.held[i] && r.ballast.give(i) == nil {
			break
		}
	}
	if r.known {
		r.askLocked()
		r.judgeLocked()
	}
}

// yieldLocked gives up the ballast, but not the piece for starts, until n bytes can be
// written above the floor.
func (r *Room) yieldLocked(n int64) {
	for i := range r.ballast.held {
		if r.free-n >= r.floor() || i == pieces-1 {
			return
		}
		if r.ballast.held[i] && r.ballast.give(i) == nil {
			r.askLocked()
		}
	}
}

func (r *Room) floor() int64  { return r.reserve / floorShare }
func (r *Room) margin() int64 { return r.reserve / freeMargin }

// askLocked keeps the old figure where the file system does not answer.
func (r *Room) askLocked() {
	if u, err := r.c.FS.GetDiskUsage(r.c.Dir); err == nil {
		r.free = int64(u.AvailBytes)
	}
}

func (r *Room) judgeLocked() {
	before := r.Level()
	enough := r.reserve
	if before != Plenty {
		enough += r.margin()
	}
	level := Plenty
	switch {
	case r.free < r.floor() && !r.ballast.canYield():
		level = Full
	case r.free < enough || r.ballast.yielded():
		level = Low
	}
	if before == Full && level == Low && r.free < r.floor()+r.margin() && !r.ballast.canYield() {
		level = Full
	}
	r.level.Store(uint32(level))
	if level != before && r.c.Changed != nil {
		r.c.Changed(r.statusLocked())
	}
}

func (r *Room) statusLocked() Status {
	return Status{Level: r.Level(), Free: r.free, Reserve: r.reserve, Ballast: r.ballast.bytes()}
}

// String says how much room there is, for people.
func (s Status) String() string {
	return fmt.Sprintf("%s: %d MiB free of the %d MiB that should be, %d MiB of ballast", s.Level, s.Free>>20, s.Reserve>>20, s.Ballast>>20)
}
