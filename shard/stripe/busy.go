package stripe

import (
	"math/bits"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster"
)

// How the busyness of drives is judged.
const (
	unitWeight = 0.2                  // The weight of the newest unit in the mean.
	quickUnit  = 8 * time.Millisecond // A unit that takes less says nothing of its drive.
	halfForget = 10 * time.Second     // A mean that no unit renews halves in this time.
)

// busyDrives is how busy drives are, as this node's reads of all kinds find them: how many units
// are being waited for, and how long units take. So it also sees a drive that others keep busy. It
// is safe for concurrent use.
type busyDrives struct {
	mu     sync.Mutex
	drives map[cluster.DriveID]*busyDrive
}

// busyDrive is what busyDrives knows of one drive.
type busyDrive struct {
	open int           // Units that are waited for.
	mean time.Duration // How long a unit took, as of at.
	at   time.Time
}

// begin notes that a unit is asked for. The returned func notes that it has come, or will not come.
func (b *busyDrives) begin(id cluster.DriveID) (end func(came bool)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.drives[id]
	if d == nil {
		d = &busyDrive{}
		b.drives[id] = d
	}
	d.open++
	began := time.Now()
	return func(came bool) {
		b.mu.Lock()
		defer b.mu.Unlock()
		d.open--
		if now := time.Now(); came {
			d.mean = d.aged(now)
			d.mean += time.Duration(unitWeight * float64(now.Sub(began)-d.mean))
			d.at = now
		}
	}
}

// aged returns the mean as of now.
func (d *busyDrive) aged(now time.Time) time.Duration {
	return d.mean >> min(62, uint64(max(0, now.Sub(d.at)))/uint64(halfForget))
}

// of returns how busy a drive is: one, and one more for each unit that is waited for. This is
// doubled each time that units take twice as long.
func (b *busyDrives) of(id cluster.DriveID) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.drives[id]
	if d == nil {
		return 1
	}
	return (1 + d.open) << bits.Len64(uint64(d.aged(time.Now())/quickUnit))
}
