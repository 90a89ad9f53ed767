package drive

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// DefaultUnreadable is more than the few sectors that a healthy device loses in its life, each of which
// is repaired by itself. It is small enough that a failing device is not written to for long: what
// repair puts there would be as unreadable.
const DefaultUnreadable = 32

// unreadable counts the places of a drive that its device could not read since it was opened. A place
// counts once, however often it is read.
type unreadable struct {
	mu     sync.Mutex
	places map[place]struct{}
}

// place is a unit of ioBytes in a file, so that neighbouring sectors count once.
type place struct {
	path string
	unit int64
}

// unreadableAt is told of a read that failed because of the device. It fences the drive at the limit.
func (d *Drive) unreadableAt(path string, off int64, cause error) {
	if d.opening.Load() {
		return // Open decides by itself what a failed read means.
	}
	n, news := d.badPlaces.add(place{path, off / ioBytes}, d.o.Unreadable)
	if !news {
		return
	}
	if d.o.Events.Unreadable != nil {
		d.o.Events.Unreadable(cause)
	}
	if n == d.o.Unreadable {
		d.fence(fmt.Errorf("its device could not read %d places, the last: %w", n, cause))
	}
}

// add returns how many places there are, and whether this is a new one. At the limit nothing is added,
// so that the memory for places is bounded.
func (u *unreadable) add(p place, limit int) (n int, news bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, known := u.places[p]; known || len(u.places) >= limit {
		return len(u.places), false
	}
	if u.places == nil {
		u.places = make(map[place]struct{})
	}
	u.places[p] = struct{}{}
	return len(u.places), true
}

// deviceFailed reports whether a read failed because of the device, and not because the file ends or
// could not be opened.
func deviceFailed(err error) bool {
	return err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errNotOpened)
}
